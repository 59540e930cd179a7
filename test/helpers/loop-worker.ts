// A further event loop for the tests of the supervisor: it serves nothing, and ends as the configuration's first warning says.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type FromFrontend, type FrontendStart, type ToFrontend } from '../../src/threads/messages.js'

const { config, cells, loopIndex, port } = workerData as FrontendStart
const order = config.warnings[0] ?? 'serve'

/** Where a loop notes that it has reloaded: behind the marks of the drain. */
const RELOADED = 5
/** Where it notes that it has ended without a drain. */
const ENDED = 9
/** Where it notes that it has opened its log anew. */
const REOPENED = 12
/** Loops to which it asked for a port, and there is none. */
const missing: number[] = []

/** Says who is at this end, once it is asked. */
function answerOn(port: MessagePort): void {
  port.on('message', () => {
    port.postMessage({ loopIndex, missing })
    port.close()
  })
}

function tell(message: FromFrontend): void {
  parentPort?.postMessage(message)
}

// The proof that the cells are shared and the start was told.
Atomics.store(new Int32Array(cells.limiter), loopIndex, port)

parentPort?.on('message', (message: ToFrontend) => {
  if (message.type === 'reload') {
    if (order === 'die while reloading') throw new Error('died while reloading')
    Atomics.store(new Int32Array(cells.metrics), RELOADED + loopIndex - 1, message.ledger.keys.length)
    tell({ type: 'reloaded' })
    return
  }
  if (message.type === 'reopen-log') {
    Atomics.store(new Int32Array(cells.metrics), REOPENED + loopIndex, 1)
    tell({ type: 'reopened' })
    return
  }
  if (message.type === 'peer') {
    answerOn(message.port)
    return
  }
  if (message.type === 'loop-port') {
    if (message.port === null) missing.push(message.loopIndex)
    else answerOn(message.port)
    return
  }
  if (message.type === 'end') {
    Atomics.store(new Int32Array(cells.metrics), ENDED + loopIndex, 1)
    tell({ type: 'ended' })
    parentPort?.close()
    return
  }
  if (order === 'die while draining') throw new Error('died while draining')
  Atomics.store(new Int32Array(cells.metrics), loopIndex, 1)
  tell({ type: 'drained' })
  parentPort?.close()
})

if (order === 'fail') {
  tell({ type: 'failed', message: 'The port is taken.' })
  parentPort?.close()
} else if (order === 'throw') throw new Error('thrown at once')
else if (order === 'leave') process.exit(0)
else tell({ type: 'listening' })

if (order === 'connect')
  for (const other of [9, 0]) tell({ type: 'connect-loop', loopIndex: other, purpose: 'streams' })
if (order === 'die later') setImmediate(() => process.exit(7))
if (order === 'throw later') {
  setImmediate(() => {
    throw new Error('thrown later')
  })
}
