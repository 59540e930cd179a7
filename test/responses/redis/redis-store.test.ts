// Stored answers in a real Redis, for several nodes: the suite of all stores, and what only several nodes can show.
import { type Test, t as tap, test } from 'tap'
import { RedisStore, type RedisStoreOptions } from '../../../src/responses/redis/redis-store.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { rejectsWith } from '../../helpers/rejects.js'
import { type OpenResponseStore, responseStoreSuite, sweepingSuite } from '../../helpers/response-store-suite.js'
import { CAPS, changeOf, runningResponse, storedResponse } from '../../helpers/responses.js'

const server = await RedisServer.start(tap)
let serial = 0

async function openNode(t: Test, options: Partial<RedisStoreOptions> = {}) {
  const states: boolean[] = []
  const onDown: (() => void)[] = []
  const store = new RedisStore({
    ...{ url: server.url, prefix: `{t}:${++serial}:`, onCall: () => undefined },
    onState(isUp) {
      states.push(isUp)
      if (!isUp) for (const tell of onDown) tell()
    },
    ...options,
  })
  await store.start()
  t.teardown(() => store.close())
  return { store, states, down: () => new Promise<void>((resolve) => onDown.push(resolve)) }
}

const openRig: OpenResponseStore = async (t) => {
  let offsetMs = 0
  const { store } = await openNode(t, { clockOffsetMs: () => offsetMs })
  const moveBy = (ms: number): void => {
    offsetMs += ms
  }
  return { store, moveBy, nowMs: () => Date.now() + offsetMs }
}

responseStoreSuite('redis', openRig)
sweepingSuite('redis', openRig)

const LATER_MS = Date.now() + 3_600_000
const DATED = { expiresAtMs: LATER_MS }

test('every node finds what another one has stored, and goes on with it', async (t) => {
  const prefix = `{t}:${++serial}:`
  const [{ store: a }, { store: b }] = [await openNode(t, { prefix }), await openNode(t, { prefix })]
  await a.put(runningResponse('r1', DATED), CAPS)
  t.match(await b.get('a', 'r1'), { id: 'r1', phase: 'running' })
  t.equal(await b.advance(changeOf(storedResponse('r1', DATED)), CAPS), true)
  t.equal(await a.advance(changeOf(storedResponse('r1', DATED)), CAPS), false)
  t.match(await a.get('a', 'r1'), { phase: 'over' })
  t.equal(await b.delete('a', 'r1'), true)
  t.equal(await a.get('a', 'r1'), null)
})

test('what a dead node ran is lost, and what a live one runs or nobody does is not', async (t) => {
  const prefix = `{t}:${++serial}:`
  const leaseMs = 300
  const [dead, live] = [await openNode(t, { prefix, leaseMs }), await openNode(t, { prefix, leaseMs })]
  await dead.store.put(runningResponse('r1', DATED), CAPS)
  await dead.store.put(storedResponse('r2', { ...DATED, phase: 'waiting' }), CAPS)
  await live.store.put(runningResponse('r3', DATED), CAPS)
  t.match(await live.store.get('a', 'r1'), { phase: 'running' })
  await dead.store.close()
  const found = async (): Promise<string | undefined> => (await live.store.get('a', 'r1'))?.phase
  for (let i = 0; i < 1000 && (await found()) !== 'lost'; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal(await found(), 'lost')
  t.match(await live.store.get('a', 'r2'), { phase: 'waiting' })
  t.match(await live.store.get('a', 'r3'), { phase: 'running' })
  const { store: late } = await openNode(t, { prefix, leaseMs: 60_000 })
  t.match(await late.get('a', 'r1'), { phase: 'running' }, 'who has just connected cannot know')
  t.equal(await live.store.advance(changeOf(runningResponse('r1', DATED)), CAPS), true)
  t.match(await live.store.get('a', 'r1'), { phase: 'running' }, 'another node goes on with it')
})

test('nothing is left in Redis without a time to live, and nothing at all of what is deleted', async (t) => {
  const prefix = `{t}:${++serial}:`
  const { store } = await openNode(t, { prefix })
  const redis = connectRedis(server.url)
  t.teardown(() => redis.disconnect())
  const response = Buffer.from('[{"id":"msg_1"}]')
  const items = [{ id: 'msg_1', start: 1, end: 15 }]
  await store.put(storedResponse('r1', { ...DATED, response, items }), CAPS)
  await store.put(runningResponse('r2', DATED), CAPS)
  const keys = await redis.keys(`${prefix}*`)
  t.ok(keys.length >= 8)
  for (const key of keys) t.ok((await redis.pttl(key)) > 0, key)
  for (const id of ['r1', 'r2']) await store.delete('a', id)
  const left = (await redis.keys(`${prefix}*`)).map((key) => key.slice(prefix.length).replace(/^node:.*/, 'node'))
  t.same(left.sort(), ['node', 'order', 'total'])
  t.equal(await redis.get(`${prefix}total`), '0')
})

test('a full Redis refuses what is stored, and still deletes and finds', async (t) => {
  const full = await RedisServer.start(t)
  const { store, states } = await openNode(t, { url: full.url })
  const redis = connectRedis(full.url)
  t.teardown(() => redis.disconnect())
  await store.put(storedResponse('r1', DATED), CAPS)
  await store.put(runningResponse('r3', DATED), CAPS)
  await redis.config('SET', 'maxmemory', '1')
  await rejectsWith(t, store.put(storedResponse('r2', DATED), CAPS), { data: { code: 'storage_full' } })
  const next = store.advance(changeOf(storedResponse('r3', DATED)), CAPS)
  await rejectsWith(t, next, { data: { code: 'storage_full' } })
  t.match(await store.get('a', 'r1'), { id: 'r1' })
  t.equal(await store.delete('a', 'r1'), true)
  t.same(states, [true], 'Redis is there')
})

test('without Redis every call fails at once, and works again when it is back', async (t) => {
  const away = await RedisServer.start(t)
  const { store, states, down } = await openNode(t, { url: away.url })
  await store.put(storedResponse('r1', DATED), CAPS)
  const gone = down()
  await away.kill()
  await gone
  const refusal = { data: { code: 'storage_unavailable', retryable: true, retryAfterMs: 1000 } }
  await rejectsWith(t, store.get('a', 'r1'), refusal)
  await rejectsWith(t, store.put(storedResponse('r2', DATED), CAPS), refusal)
  await away.startAgain()
  for (let i = 0; i < 1000 && states.at(-1) !== true; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  await store.put(storedResponse('r2', DATED), CAPS)
  t.match(await store.get('a', 'r2'), { id: 'r2' })
})
