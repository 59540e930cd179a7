import { test } from 'tap'
import { bytesOf } from '../../src/responses/store.js'
import { responseStoreSuite } from '../helpers/response-store-suite.js'
import { CAPS, createMemoryStore, DAY_MS, storedResponse } from '../helpers/responses.js'

responseStoreSuite('memory', async () => {
  const { store, clock, moveTo } = createMemoryStore()
  return { store, nowMs: () => clock.nowMs, moveBy: (ms) => moveTo(clock.nowMs + ms) }
})

test('what is deleted, or has another answer in its place, takes no memory', (t) => {
  const { store } = createMemoryStore()
  const response = Buffer.from('{"status":"completed"}')
  store.put(storedResponse('r1'), CAPS)
  store.put(storedResponse('r1', { response }), CAPS)
  t.equal(store.size, 1)
  t.equal(store.bytes, bytesOf({ input: Buffer.from('[]'), response, items: [] }))
  store.delete('a', 'r1')
  t.equal(store.bytes, 0)
  t.end()
})

test('an answer that has expired is not found, and is forgotten by itself', (t) => {
  const { store, clock, moveTo } = createMemoryStore()
  store.put(storedResponse('r1', { expiresAtMs: 1000 }), CAPS)
  store.put(storedResponse('r2', { expiresAtMs: 5000 }), CAPS)
  clock.nowMs = 999
  t.match(store.get('a', 'r1'), { id: 'r1' })
  clock.nowMs = 1000
  t.equal(store.get('a', 'r1'), null)
  t.equal(store.delete('a', 'r1'), false)
  moveTo(1000)
  t.equal(store.size, 1)
  moveTo(5000)
  t.equal(store.size, 0)
  t.equal(store.bytes, 0)
  store.put(storedResponse('r3', { expiresAtMs: 6000 }), CAPS)
  moveTo(6000)
  t.equal(store.size, 0, 'the timer is set again')
  t.end()
})

test('a retention of years is no delay that a timer cannot take', (t) => {
  const { store, timers } = createMemoryStore()
  store.put(storedResponse('r1', { expiresAtMs: 400 * DAY_MS }), CAPS)
  t.same(
    timers.map(({ dueAtMs }) => dueAtMs),
    [2_147_483_647],
  )
  t.end()
})

test('10,000 answers stay within both limits: the oldest make room, of their owner where its own limit is the reason', (t) => {
  const { store } = createMemoryStore()
  const size = bytesOf(storedResponse('r00000'))
  const caps = { maxBytes: 1000 * size, maxBytesPerKey: 100 * size }
  const bytesOfOwner = new Map<string, string[]>()
  for (let i = 0; i < 10_000; i++) {
    const id = `r${String(i).padStart(5, '0')}`
    // One owner is greedy, twenty others are not.
    const owner = i % 2 === 0 ? 'greedy' : `o${i % 40}`
    bytesOfOwner.set(owner, [...(bytesOfOwner.get(owner) ?? []), id])
    store.put(storedResponse(id, { owner }), caps)
    if (store.bytes > caps.maxBytes) t.fail(`${store.bytes} bytes`)
  }
  t.equal(store.size, 1000)
  t.equal(store.bytes, caps.maxBytes)
  for (const [owner, ids] of bytesOfOwner) {
    const held = ids.filter((id) => store.get(owner, id) !== null)
    if (held.length > 100) t.fail(`${owner} has ${held.length}`)
    t.same(held, ids.slice(-held.length), `${owner} has its newest`)
    t.ok(held.length > 0, owner)
  }
  t.end()
})

test('what is held is no view of something larger', (t) => {
  const { store } = createMemoryStore()
  const large = Buffer.alloc(100_000, '[]')
  store.put(storedResponse('r1', { input: large.subarray(0, 2), response: large.subarray(2, 4) }), CAPS)
  const held = store.get('a', 'r1')
  t.equal(held?.input.buffer.byteLength, 2)
  t.equal(held?.response.buffer.byteLength, 2)
  t.end()
})

test('a closed store is empty', async (t) => {
  const { store } = createMemoryStore()
  store.put(storedResponse('r1'), CAPS)
  await store.close()
  t.equal(store.get('a', 'r1'), null)
  t.equal(store.bytes, 0)
})
