// The exact cache: what it finds, how long, and that it never holds more than it may.
import { test } from 'tap'
import { type CachedAnswer, ExactCache } from '../../../src/streams/sharing/exact-cache.js'

const TTL_MS = 1000

function answer(length: number, requestId = 'r'): CachedAnswer {
  return { kind: 'whole', body: new Uint8Array(length), contentType: 'application/json', requestId, headers: [] }
}

function createCache(maxBytes: number) {
  const clock = { ms: 0 }
  let counted = 0
  const onChange = (bytes: number) => {
    counted += bytes
  }
  const cache = new ExactCache({ maxBytes: () => maxBytes, nowMs: () => clock.ms, onChange })
  return { cache, clock, counted: () => counted }
}

test('finds the answer of a digest with its age, until its time is over', (t) => {
  const { cache, clock, counted } = createCache(100_000)
  t.equal(cache.get('a'), null)
  t.ok(cache.put('a', answer(10), TTL_MS))
  clock.ms = TTL_MS - 1
  t.match(cache.get('a'), { ageMs: TTL_MS - 1, answer: { requestId: 'r' } })
  clock.ms = TTL_MS
  t.equal(cache.get('a'), null)
  t.equal(cache.size, 0, 'and then it leaves')
  t.equal(cache.bytes, 0)
  t.equal(counted(), 0)
  t.end()
})

test('an answer may be too old for a request and young enough for others', (t) => {
  const { cache, clock } = createCache(100_000)
  cache.put('a', answer(10), TTL_MS)
  clock.ms = 500
  t.equal(cache.get('a', 499), null)
  t.match(cache.get('a', 500), { ageMs: 500 })
  t.match(cache.get('a'), { ageMs: 500 })
  t.end()
})

test('a later answer takes the place of an earlier one', (t) => {
  const { cache, clock, counted } = createCache(100_000)
  cache.put('a', answer(10, 'first'), TTL_MS)
  clock.ms = 900
  cache.put('a', answer(20, 'second'), TTL_MS)
  clock.ms = 1800
  t.match(cache.get('a'), { ageMs: 900, answer: { requestId: 'second' } })
  t.equal(cache.size, 1)
  t.equal(counted(), cache.bytes)
  t.end()
})

test('without room the one that was used longest ago leaves', (t) => {
  const { cache } = createCache(10_000)
  for (const digest of ['a', 'b', 'c', 'd']) cache.put(digest, answer(1400), TTL_MS)
  t.equal(cache.size, 4)
  t.ok(cache.get('a') !== null)
  cache.put('e', answer(1400), TTL_MS)
  t.equal(cache.get('b'), null)
  for (const digest of ['a', 'c', 'd', 'e']) t.ok(cache.get(digest) !== null, digest)
  t.end()
})

test('never holds more than its bytes, whatever comes', (t) => {
  const { cache, counted, clock } = createCache(50_000)
  for (let i = 0; i < 2000; i++) {
    clock.ms += 7
    cache.put(`digest-${i % 300}`, answer((i * 37) % 12_000), i % 2 === 0 ? TTL_MS : 10)
    if (cache.bytes > 50_000 || cache.bytes < 0) t.fail(`${cache.bytes} bytes`)
  }
  t.equal(counted(), cache.bytes)
  t.ok(cache.size > 3)
  t.end()
})

test('an answer that would take too large a part of it is not kept', (t) => {
  const { cache } = createCache(10_000)
  cache.put('small', answer(100), TTL_MS)
  t.ok(cache.accepts(1500))
  t.notOk(cache.accepts(1501))
  t.notOk(cache.put('large', answer(1501), TTL_MS))
  t.ok(cache.get('small') !== null)
  t.equal(cache.get('large'), null)
  t.end()
})

test('what is past its time leaves as others come, without being asked for', (t) => {
  const { cache, clock } = createCache(1_000_000)
  for (let i = 0; i < 100; i++) cache.put(`old-${i}`, answer(10), 10)
  clock.ms = 10
  for (let i = 0; i < 25; i++) cache.put(`new-${i}`, answer(10), TTL_MS)
  t.equal(cache.size, 25)
  t.end()
})
