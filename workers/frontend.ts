// Entry of one more event loop: the same gateway on the same port, over the shared cells. No logic of its own.
import { parentPort, workerData } from 'node:worker_threads'
import { createGateway } from '../src/gateway.js'
import { type FromFrontend, type FrontendStart, type ToFrontend } from '../src/threads/messages.js'

const { config, cells, loopIndex, port } = workerData as FrontendStart

function tell(message: FromFrontend): void {
  parentPort?.postMessage(message)
}

const gateway = createGateway(config, cells, loopIndex)
parentPort?.on('message', (message: ToFrontend) => {
  if (message.type === 'reload') {
    gateway.reload(message.config, message.ledger)
    tell({ type: 'reloaded' })
  } else void gateway.drain(message.graceMs).then(() => tell({ type: 'drained' }))
})
gateway.listen(port).then(
  () => tell({ type: 'listening' }),
  (error: unknown) => {
    gateway.close()
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  },
)
