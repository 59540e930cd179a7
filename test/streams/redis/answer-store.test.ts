// Cached answers in a real Redis: what one node stores others find, and a Redis that is away, late or full holds nobody up.
import { test } from 'tap'
import { ANSWER_PREFIX, AnswerStore, MAX_ANSWER_BYTES } from '../../../src/streams/redis/answer-store.js'
import { type CachedAnswer } from '../../../src/streams/sharing/exact-cache.js'
import { encodeAnswer } from '../../../src/streams/sharing/stored-answer.js'
import { type Teardown } from '../../helpers/gateway.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { until } from '../../helpers/stored-streams.js'

const TTL_MS = 600_000
const DIGEST = 'digest-of-a-request'
const KEY = ANSWER_PREFIX + DIGEST

function answer(body: string | Uint8Array, kind: CachedAnswer['kind'] = 'stream'): CachedAnswer {
  const headers = [['x-sluice-target', 'up/m']] as const
  return { kind, body: Buffer.from(body), contentType: 'text/event-stream', requestId: 'r-1', headers }
}

async function open(t: Teardown, url: string) {
  const notes = { states: [] as boolean[], refusals: [] as (string | null)[], calls: [] as boolean[] }
  const store = new AnswerStore({
    url,
    onState: (isUp) => notes.states.push(isUp),
    onCall: (_, isOk) => notes.calls.push(isOk),
    onRefusal: (reason) => notes.refusals.push(reason),
  })
  t.teardown(() => store.close())
  await store.start()
  return { store, ...notes }
}

async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 2))
}

async function openTwo(t: Teardown) {
  const redis = await RedisServer.start(t)
  const [north, south] = [await open(t, redis.url), await open(t, redis.url)]
  await until(() => north.store.isUp && south.store.isUp)
  const plain = connectRedis(redis.url)
  t.teardown(() => plain.disconnect())
  return { redis, north, south, plain }
}

test('another node finds an answer byte for byte with its age, for as long as it is valid', async (t) => {
  const { north, south, plain } = await openTwo(t)
  t.equal(await south.store.get(DIGEST), null)
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
  for (const kind of ['stream', 'whole'] as const) {
    north.store.put(DIGEST, answer(bytes, kind), TTL_MS)
    await eventually(async () => (await south.store.get(DIGEST))?.answer.kind === kind)
    const hit = await south.store.get(DIGEST)
    t.same(hit?.answer, answer(bytes, kind))
    t.ok((hit?.ageMs ?? -1) >= 0 && (hit?.ageMs ?? TTL_MS) < 60_000)
  }
  t.same(await plain.keys('*'), [KEY], 'and that is all there is')
  const left = await plain.pttl(KEY)
  t.ok(left > TTL_MS - 60_000 && left <= TTL_MS)
  await plain.pexpire(KEY, TTL_MS - 300_000)
  const aged = await south.store.get(DIGEST)
  t.ok((aged?.ageMs ?? 0) >= 300_000 && (aged?.ageMs ?? 0) < 360_000)
  t.equal(await south.store.get(DIGEST, 299_999), null, 'too old for this request')
  t.ok(await south.store.get(DIGEST, 360_000))
  await plain.pexpire(KEY, 1)
  await eventually(async () => (await south.store.get(DIGEST)) === null)
})

test('what is damaged, foreign, without an end or too large is no answer, and costs the link nothing', async (t) => {
  const { north, south, plain } = await openTwo(t)
  north.store.put(DIGEST, answer('data: a\n\n'), TTL_MS)
  await until(() => north.calls.length === 1)
  const value = (await plain.getBuffer(KEY)) ?? Buffer.alloc(0)
  const find = () => south.store.get(DIGEST)
  t.ok(await find())
  await plain.persist(KEY)
  t.equal(await find(), null, 'without an end')
  await plain.set(KEY, value.subarray(0, -1), 'PX', TTL_MS)
  t.equal(await find(), null, 'cut')
  await plain.set(KEY, 'of another program', 'PX', TTL_MS)
  t.equal(await find(), null)
  const huge = encodeAnswer({ answer: answer(Buffer.alloc(MAX_ANSWER_BYTES * 2)), ttlMs: TTL_MS })
  await plain.set(KEY, huge, 'PX', TTL_MS)
  t.equal(await find(), null)
  await plain.del(KEY)
  await plain.rpush(KEY, 'a list')
  t.equal(await find(), null)
  t.same([south.states, south.calls.includes(false)], [[true], false])
  north.store.put(DIGEST, answer('data: b\n\n'), TTL_MS)
  await eventually(async () => String((await find())?.answer.body) === 'data: b\n\n')
})

test('an answer that is too large is not stored, nor are more than a slow Redis takes', async (t) => {
  const { redis, north, plain } = await openTwo(t)
  t.equal(north.store.accepts(MAX_ANSWER_BYTES), true)
  t.equal(north.store.accepts(MAX_ANSWER_BYTES + 1), false)
  north.store.put(DIGEST, answer(Buffer.alloc(MAX_ANSWER_BYTES + 1)), TTL_MS)
  const largest = answer(Buffer.alloc(MAX_ANSWER_BYTES))
  redis.pause()
  for (let i = 0; i < 40; i++) north.store.put(`${i}`, largest, TTL_MS)
  t.equal(north.store.accepts(MAX_ANSWER_BYTES), false)
  redis.resume()
  await until(() => north.calls.length > 0 && north.store.accepts(MAX_ANSWER_BYTES))
  const count = (await plain.keys('*')).length
  t.ok(count > 0 && count <= 16, `${count}`)
})

test('a Redis that hangs is waited for a moment, not until it counts as away; one that is away not at all', async (t) => {
  const { redis, north, south } = await openTwo(t)
  north.store.put(DIGEST, answer('data: a\n\n'), TTL_MS)
  await until(() => north.calls.length === 1)
  redis.pause()
  t.equal(await south.store.get(DIGEST), null)
  t.same(south.states, [true], 'it is still up')
  await until(() => !south.store.isUp)
  t.equal(south.store.get(DIGEST), null, 'at once')
  t.equal(south.store.accepts(1), false)
  south.store.put(DIGEST, answer('data: b\n\n'), TTL_MS)
  redis.resume()
  await until(() => south.store.isUp)
  t.match(await south.store.get(DIGEST), { answer: answer('data: a\n\n') })
  await redis.kill()
  await until(() => !south.store.isUp)
  t.equal(south.store.get(DIGEST), null)
  await redis.startAgain()
  await until(() => south.store.isUp)
  t.equal(await south.store.get(DIGEST), null)
  t.same(south.states, [true, false, true, false, true])
})

test('a Redis without room stores nothing and says so once; it is still read', async (t) => {
  const { north, south, plain } = await openTwo(t)
  north.store.put(DIGEST, answer('data: a\n\n'), TTL_MS)
  await until(() => north.calls.length === 1)
  await plain.config('SET', 'maxmemory', '1')
  for (let i = 0; i < 3; i++) north.store.put(`other ${i}`, answer('data: b\n\n'), TTL_MS)
  await until(() => north.calls.length === 4)
  await until(() => north.refusals.length > 0)
  t.equal(north.refusals.length, 1)
  t.match(north.refusals[0], /^OOM/)
  t.equal(north.store.isUp, true)
  t.ok(await south.store.get(DIGEST))
  await plain.config('SET', 'maxmemory', '0')
  north.store.put('another', answer('data: c\n\n'), TTL_MS)
  await until(() => north.refusals.length === 2)
  t.equal(north.refusals[1], null)
  t.same(north.states, [true])
})
