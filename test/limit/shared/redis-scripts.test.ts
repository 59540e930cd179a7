// The scripts keep a bucket as the local arithmetic does, to the tick, whatever the clock of Redis does meanwhile; and they give
// the slots of the gateway to keys in turn.
import { test } from 'tap'
import { REFUSED, TokenBucket } from '../../../src/limit/local/token-bucket.js'
import {
  bucketKey,
  type LimitScript,
  readLimitScript,
  SHARED_ARGS,
  SHARED_KEYS,
} from '../../../src/limit/shared/redis-scripts.js'
import { type Teardown } from '../../helpers/gateway.js'
import { connectRedis, type Redis, RedisServer } from '../../helpers/redis.js'

const KEY = bucketKey('test', 'requests')
const TICKS_PER_US = 16_000n
/** One bucket, no slots. */
const STEPS = 300

async function startRedis(t: Teardown): Promise<Redis> {
  const server = await RedisServer.start(t)
  const redis = connectRedis(server.url)
  t.teardown(() => redis.disconnect())
  return redis
}

function run(redis: Redis, script: LimitScript, bucket: TokenBucket, count: number): Promise<unknown> {
  const args = ['node', 1, String(bucket.ticksFor(1)), bucket.limit, count]
  const keys = [...SHARED_KEYS, KEY]
  return redis.eval(readLimitScript(script), keys.length, ...keys, ...SHARED_ARGS, ...args)
}

/** When the state was written, and until when it is not full, both in ticks; null for a full bucket. */
async function stateOf(redis: Redis): Promise<{ at: bigint; full: bigint } | null> {
  const text = await redis.get(KEY)
  if (text === null) return null
  const [at = '', ahead = ''] = text.split(' ')
  return { at: BigInt(at) * TICKS_PER_US, full: BigInt(at) * TICKS_PER_US + BigInt(ahead) }
}

/** A fixed sequence of numbers from 0 to 1: the same test each time. */
function createRandom(): () => number {
  let state = 42
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

test('takes and charges leave the state that the local arithmetic would leave', async (t) => {
  const redis = await startRedis(t)
  const random = createRandom()
  for (const limit of [1, 7, 500, 999_983, 1_000_000_000]) {
    await redis.del(KEY)
    const bucket = new TokenBucket(limit)
    let full = 0n
    let wrong = 0
    for (let step = 0; step < STEPS / 5; step++) {
      const count = Math.ceil(random() * limit * 0.3)
      const isTake = random() < 0.7
      const reply = await run(redis, isTake ? 'take' : 'give', bucket, count)
      const state = await stateOf(redis)
      if (isTake && Array.isArray(reply) && reply[0] === 1) {
        // Refused: nothing was written, so the moment is not known, but it lies after the last one.
        if (state !== null && bucket.take(full, state.at, count) !== REFUSED) wrong++
        continue
      }
      if (state === null) {
        full = 0n
        continue
      }
      const expected = isTake ? bucket.take(full, state.at, count) : bucket.charge(full, state.at, count)
      if (state.full !== expected) wrong++
      full = state.full
    }
    t.equal(wrong, 0, `limit ${limit}`)
  }
})

test('exactly the limit fits into a full bucket, and no fraction more', async (t) => {
  const redis = await startRedis(t)
  for (const limit of [1, 3, 7, 500, 999_983, 1_000_000_000]) {
    const bucket = new TokenBucket(limit)
    await redis.del(KEY)
    t.match(await run(redis, 'take', bucket, limit + 1), [1], `${limit} and one more`)
    t.match(await run(redis, 'take', bucket, limit), [0], String(limit))
  }
})

test('returned tokens fill the bucket, never beyond its limit; a full bucket takes no memory', async (t) => {
  const redis = await startRedis(t)
  const bucket = new TokenBucket(10)
  await run(redis, 'take', bucket, 4)
  await run(redis, 'give', bucket, -100)
  t.equal(await redis.get(KEY), null)
  t.match(await run(redis, 'take', bucket, 10), [0])
  t.ok((await redis.pttl(KEY)) <= 61_000, 'and is forgotten once it is full')
})

test('debt has a bound', async (t) => {
  const redis = await startRedis(t)
  const bucket = new TokenBucket(10)
  for (let i = 0; i < 3; i++) await run(redis, 'give', bucket, 1_000_000_000)
  const state = await stateOf(redis)
  t.equal(state === null ? null : state.full - state.at, bucket.charge(0n, 0n, 1_000_000_000))
})

test('a clock of Redis that was set back by a year gives nothing away and sticks to nothing', async (t) => {
  const redis = await startRedis(t)
  const bucket = new TokenBucket(10)
  const yearUs = 365 * 86_400 * 1_000_000
  const [sec = '0'] = (await redis.time()).map(String)
  const empty = bucket.empty(0n)
  await redis.set(KEY, `${Number(sec) * 1_000_000 + yearUs} ${empty}`)
  t.match(await run(redis, 'take', bucket, 1), [1], 'it is as empty as it was')
  await redis.set(KEY, `${Number(sec) * 1_000_000 + yearUs} ${empty - bucket.ticksFor(1)}`)
  t.match(await run(redis, 'take', bucket, 1), [0])
  const state = await stateOf(redis)
  t.ok(state !== null && state.at < BigInt(Number(sec) + 3600) * 1_000_000n * TICKS_PER_US, 'on the clock of now again')
  await redis.set(KEY, `${Number(sec) * 1_000_000 - yearUs} ${empty}`)
  t.match(await run(redis, 'take', bucket, 11), [1], 'a clock set forward fills one bucket, not two')
  t.match(await run(redis, 'take', bucket, 10), [0])
  await redis.set(KEY, 'nonsense')
  t.match(await run(redis, 'take', bucket, 1), [0], 'what is no state is a full bucket')
})

const GATEWAY_FULL = 2
const IN = 0

/** A script without buckets, for a node that is known; to be joined with others, so that no time passes between them. */
function turnCalls(redis: Redis) {
  const joined = redis.multi().zadd('{sluice}:nodes', Date.now(), 'one', Date.now(), 'two', Date.now(), 'three')
  const add = (script: LimitScript, ...args: (string | number)[]) => {
    joined.eval(readLimitScript(script), SHARED_KEYS.length, ...SHARED_KEYS, ...SHARED_ARGS, ...args)
  }
  return {
    joined,
    enter: (node: string, name: string, { gateway, key = -1 }: { gateway: number; key?: number }) =>
      add('enter', node, 0, gateway, name, key, '', -1),
    next: (node: string, gateway: number, name: string, key: number) =>
      add('next', node, gateway, name, key, 1, '', -1),
    give: (node: string, owner: string, count: number) => add('give', node, 0, owner, count),
    /** The code of each script, in order. */
    async codes(): Promise<unknown[]> {
      const replies = (await joined.exec()) ?? []
      return replies.map(([, reply]) => reply).flatMap((reply) => (Array.isArray(reply) ? [reply[0]] : []))
    },
  }
}

test('a slot of the gateway is left to a key that waits at another node and was let in longer ago', async (t) => {
  const redis = await startRedis(t)
  const { enter, next, give, codes } = turnCalls(redis)
  enter('one', 'a', { gateway: 1 })
  enter('two', 'b', { gateway: 1 })
  give('one', 'gateway', -1)
  enter('one', 'a', { gateway: 1 })
  next('one', 1, 'a', -1)
  next('two', 1, 'b', -1)
  t.same(await codes(), [IN, GATEWAY_FULL, 0, GATEWAY_FULL, 0, 1])
  const keptMs = await redis.pttl('{sluice}:turns')
  t.ok(keptMs > 86_000_000 && keptMs <= 86_400_000, `turns are kept for ${keptMs} ms`)
})

test('a key that waits at many nodes has one turn, and those of nodes that are gone have none', async (t) => {
  const redis = await startRedis(t)
  for (const [waiting, code] of [
    [['one b', 'two b', 'three b'], IN],
    [['one b', 'two c', 'three d'], GATEWAY_FULL],
  ] as const) {
    const { enter, give, codes } = turnCalls(redis)
    enter('one', 'a', { gateway: 2 })
    give('one', 'gateway', -1)
    // A gateway of no slots makes them wait.
    for (const member of waiting) {
      const [node = '', name = ''] = member.split(' ')
      enter(node, name, { gateway: 0 })
    }
    enter('one', 'a', { gateway: 2 })
    t.same(await codes(), [IN, 0, ...waiting.map(() => GATEWAY_FULL), code], waiting.join())
    await redis.flushall()
  }
  for (const agoMs of [3_600_000, -3_600_000]) {
    const { joined, enter, give, codes } = turnCalls(redis)
    enter('one', 'a', { gateway: 1 })
    give('one', 'gateway', -1)
    joined.zadd('{sluice}:waiting', Date.now() - agoMs, 'gone b')
    enter('one', 'a', { gateway: 1 })
    t.same(await codes(), [IN, 0, IN], `${agoMs} ms ago`)
    t.same(await redis.zrange('{sluice}:waiting', '0', '-1'), [])
    await redis.flushall()
  }
})

test('a key at its own cap waits for no slot of the gateway', async (t) => {
  const redis = await startRedis(t)
  const { enter, next, codes } = turnCalls(redis)
  enter('one', 'a', { gateway: 1, key: 1 })
  enter('two', 'b', { gateway: 1, key: 5 })
  next('two', 1, 'b', 5)
  t.same(await codes(), [IN, GATEWAY_FULL, 0])
  t.same(await redis.zrange('{sluice}:waiting', '0', '-1'), ['two b'])
  const later = turnCalls(redis)
  later.next('two', 1, 'b', 0)
  t.same(await later.codes(), [0])
  t.same(await redis.zrange('{sluice}:waiting', '0', '-1'), [])
})

test('a node that holds no slot gives none back, and what it has given back leaves nothing', async (t) => {
  const redis = await startRedis(t)
  const { enter, give, codes } = turnCalls(redis)
  enter('one', 'a', { gateway: 5 })
  give('one', 'gateway', -1)
  give('one', 'gateway', -1)
  t.same(await codes(), [IN, 0, 0])
  t.equal(await redis.exists('{sluice}:slots'), 0)
  t.equal(await redis.hget('{sluice}:node:one', 'gateway'), null)
})

test('a node gives back no more slots than it holds', async (t) => {
  const redis = await startRedis(t)
  const { enter, give, codes } = turnCalls(redis)
  for (const node of ['one', 'two', 'two']) enter(node, 'a', { gateway: 5 })
  give('one', 'gateway', -5)
  t.same(await codes(), [IN, IN, IN, 0])
  t.equal(await redis.hget('{sluice}:slots', 'gateway'), '2')
})
