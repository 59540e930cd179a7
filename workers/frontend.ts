// Entry of one more event loop: the same gateway on the same port, over the shared cells. No logic of its own.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { createGateway } from '../src/gateway.js'
import { type FromFrontend, type FrontendStart, type ToFrontend } from '../src/threads/messages.js'

const { config, cells, loopIndex, port } = workerData as FrontendStart

function tell(message: FromFrontend): void {
  parentPort?.postMessage(message)
}

function connectJobs(): Promise<MessagePort> {
  tell({ type: 'connect-jobs' })
  return new Promise((resolve, reject) => {
    parentPort?.on('message', function onJobs(message: ToFrontend) {
      if (message.type !== 'jobs') return
      parentPort?.off('message', onJobs)
      if (message.port === null) reject(new Error(message.reason))
      else resolve(message.port)
    })
  })
}

const gateway = createGateway(config, cells, { loopIndex, connectJobs })
parentPort?.on('message', (message: ToFrontend) => {
  if (message.type === 'drain') void gateway.drain(message.graceMs).then(() => tell({ type: 'drained' }))
  if (message.type === 'end') void gateway.endNow().then(() => tell({ type: 'ended' }))
  if (message.type === 'reopen-log') void gateway.reopenLog().then(() => tell({ type: 'reopened' }))
  if (message.type !== 'reload') return
  gateway.reload(message.config, message.ledger)
  tell({ type: 'reloaded' })
})
gateway.listen(port).then(
  () => tell({ type: 'listening' }),
  (error: unknown) => {
    gateway.close()
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  },
)
