import { MessageChannel } from 'node:worker_threads'
import { type Test, t as tap, test } from 'tap'
import { PortStore } from '../../../src/responses/port/port-store.js'
import { servePort } from '../../../src/responses/port/serve-port.js'
import { rejectsWith } from '../../helpers/rejects.js'
import { CAPS, createDeadStore, createMemoryStore, storedResponse } from '../../helpers/responses.js'

// The ports keep no process alive, but the tests wait for them.
const awake = setInterval(() => undefined, 1000)
tap.teardown(() => clearInterval(awake))

function setUp(t: Test, store = createMemoryStore().store as Parameters<typeof servePort>[1]) {
  const { port1, port2 } = new MessageChannel()
  servePort(port2, store)
  let connections = 0
  const far = new PortStore(async () => {
    connections += 1
    return port1
  })
  t.teardown(async () => {
    await far.close()
    port2.close()
  })
  return { far, port1, port2, connected: () => connections }
}

test('a store on another thread answers like one here, over one port', async (t) => {
  const { far, connected } = setUp(t)
  t.equal(connected(), 0, 'not before it is needed')
  const [, found] = await Promise.all([far.put(storedResponse('r1'), CAPS), far.get('a', 'r1')])
  t.match(found, { id: 'r1', owner: 'a' })
  t.equal(Buffer.from(found?.response ?? []).toString(), '{"id":"r1"}')
  t.equal(await far.get('b', 'r1'), null)
  t.equal(await far.delete('b', 'r1'), false)
  t.equal(await far.delete('a', 'r1'), true)
  t.equal(connected(), 1)
})

test('what the store throws is thrown here', async (t) => {
  const { far } = setUp(t)
  const large = storedResponse('r2', { input: new Uint8Array(2000) })
  await rejectsWith(t, far.put(large, { maxBytes: 1000, maxBytesPerKey: 1000 }), { data: { code: 'storage_full' } })
  const { far: dead } = setUp(t, createDeadStore())
  await rejectsWith(t, dead.get('a', 'r1'), { data: { code: 'storage_unavailable' } })
})

test('a port that closes fails every call, those under way as well', async (t) => {
  const { port1, port2 } = new MessageChannel()
  const far = new PortStore(async () => port1)
  const waiting = far.get('a', 'r1')
  await new Promise((resolve) => setImmediate(resolve))
  port2.close()
  await rejectsWith(t, waiting, { data: { code: 'storage_unavailable' } })
  await rejectsWith(t, far.get('a', 'r1'), { data: { code: 'storage_unavailable' } })
  await far.close()
})

test('no port is no store', async (t) => {
  const none = new PortStore(async () => null)
  await rejectsWith(t, none.get('a', 'r1'), { data: { code: 'storage_unavailable' } })
  await none.close()
  const failing = new PortStore(async () => {
    throw new Error('no thread')
  })
  await rejectsWith(t, failing.delete('a', 'r1'), { data: { code: 'storage_unavailable' } })
  await failing.close()
})

test('calls beyond what a store answers in seconds are rejected', async (t) => {
  const { port1, port2 } = new MessageChannel()
  const far = new PortStore(async () => port1)
  const calls = Array.from({ length: 10_000 }, () => far.get('a', 'r1').catch(() => 'lost'))
  await new Promise((resolve) => setImmediate(resolve))
  await rejectsWith(t, far.get('a', 'r1'), { data: { code: 'overloaded', retryAfterMs: 1000 } })
  port2.close()
  t.same([...new Set(await Promise.all(calls))], ['lost'])
})
