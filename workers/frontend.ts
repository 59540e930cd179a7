// Entry of one more event loop: the same gateway on the same port, over the shared cells. No logic of its own.
import { parentPort, workerData } from 'node:worker_threads'
import { createGateway } from '../src/gateway.js'
import { type FrontendStart, type ToFrontend } from '../src/threads/messages.js'
import { LoopParent } from '../src/threads/parent.js'

const { config, cells, loopIndex, port } = workerData as FrontendStart
if (parentPort === null) throw new Error('This is the entry of a thread.')
const parent = new LoopParent(parentPort)
const gateway = createGateway(config, cells, {
  loopIndex,
  connectStore: (store) => parent.connectStore(store),
  connectLoop: (other, purpose) => parent.connectLoop(other, purpose),
})
parentPort.on('message', (message: ToFrontend) => {
  if (message.type === 'drain') void gateway.drain(message.graceMs).then(() => parent.tell({ type: 'drained' }))
  if (message.type === 'end') void gateway.endNow().then(() => parent.tell({ type: 'ended' }))
  if (message.type === 'reopen-log') void gateway.reopenLog().then(() => parent.tell({ type: 'reopened' }))
  if (message.type === 'peer') gateway.acceptPeer(message.port, message.purpose)
  if (message.type !== 'reload') return
  gateway.reload(message.config, message.ledger)
  parent.tell({ type: 'reloaded' })
})
gateway.listen(port).then(
  () => parent.tell({ type: 'listening' }),
  (error: unknown) => {
    gateway.close()
    parent.tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  },
)
