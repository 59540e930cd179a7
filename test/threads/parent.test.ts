// What a further event loop asks of its supervisor, and how the answers find their way.
import { EventEmitter } from 'node:events'
import { type MessagePort } from 'node:worker_threads'
import { test } from 'tap'
import { type ToFrontend } from '../../src/threads/messages.js'
import { LoopParent } from '../../src/threads/parent.js'

/** The thread's port to the supervisor. */
class FakePort extends EventEmitter {
  readonly sent: unknown[] = []
  postMessage(message: unknown): void {
    this.sent.push(message)
  }
  say(message: ToFrontend): void {
    this.emit('message', message)
  }
}

function setUp() {
  const port = new FakePort()
  return { port, parent: new LoopParent(port as unknown as MessagePort) }
}

const FOUND = { name: 'a port' } as unknown as MessagePort

test('asks for the job store, and gets its port or the reason why there is none', async (t) => {
  const { port, parent } = setUp()
  const found = parent.connectStore('jobs')
  t.same(port.sent, [{ type: 'connect-store', store: 'jobs' }])
  port.say({ type: 'reopen-log' })
  port.say({ type: 'store-port', store: 'accounts', port: FOUND, reason: '' })
  t.equal(port.listenerCount('message'), 1, 'a port to another store is not the one')
  port.say({ type: 'store-port', store: 'jobs', port: FOUND, reason: '' })
  t.equal(await found, FOUND)
  const none = parent.connectStore('jobs')
  port.say({ type: 'store-port', store: 'jobs', port: null, reason: 'The disk is full.' })
  await t.rejects(none, { message: 'The disk is full.' })
  t.equal(port.listenerCount('message'), 0)
})

test('asks for other loops, each by its index', async (t) => {
  const { port, parent } = setUp()
  const two = parent.connectLoop(2, 'streams')
  const nine = parent.connectLoop(9, 'responses')
  t.same(port.sent, [
    { type: 'connect-loop', loopIndex: 2, purpose: 'streams' },
    { type: 'connect-loop', loopIndex: 9, purpose: 'responses' },
  ])
  port.say({ type: 'loop-port', loopIndex: 9, purpose: 'responses', port: null })
  port.say({ type: 'loop-port', loopIndex: 2, purpose: 'responses', port: null })
  t.equal(port.listenerCount('message'), 1, 'a port for another purpose is not the one')
  port.say({ type: 'loop-port', loopIndex: 2, purpose: 'streams', port: FOUND })
  t.equal(await two, FOUND)
  t.equal(await nine, null)
  t.equal(port.listenerCount('message'), 0)
})
