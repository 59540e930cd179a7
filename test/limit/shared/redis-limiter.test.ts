// The limiter of several nodes over a real Redis: two of them in one process stand for two gateways. What is shared, and what
// becomes of it when Redis or a node goes.
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryReader } from '../../../src/accounts/directory/reader.js'
import { DirectoryWriter } from '../../../src/accounts/directory/writer.js'
import { type Account, type KeyLimits } from '../../../src/accounts/types.js'
import { hammerAccount } from '../../helpers/directory-hammer.js'
import { admitted, CALL_TIMEOUT_MS, LimiterNode, slotsIn, startNodes } from '../../helpers/limiter-node.js'
import { AT_ONCE_TURNS, turnsUntil } from '../../helpers/own-time.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { rejectionOf, thrownBy } from '../../helpers/thrown.js'

test('two nodes share one bucket, and the refusal has Retry-After', async (t) => {
  const { first, second } = await startNodes(t, 2, { key: { requestsPerMinute: 300 } })
  const startedMs = performance.now()
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? first : second).admit()))
  const refilled = Math.ceil(((performance.now() - startedMs) * 300) / 60_000)
  const count = admitted(answers)
  t.ok(count >= 300 && count <= 300 + refilled, `${count} of 300, ${refilled} refilled`)
  const refusal = answers.find((error) => error !== null)?.data
  t.match(refusal, { code: 'rate_limited', message: /limit of 300 requests per minute for this key/ })
  t.ok((refusal?.retryAfterMs ?? 0) >= 1 && (refusal?.retryAfterMs ?? 0) <= 200)
  t.same(new Set([...first.rejections, ...second.rejections]), new Set(['key requests']))
})

test('slots: exactly the cap over both nodes, the key’s and the gateway’s, and all come back', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, { gateway: { concurrency: 5 }, key: { concurrency: 3 } })
  const ofKey = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? first : second).admit()))
  t.equal(admitted(ofKey), 3)
  t.match(ofKey.find((error) => error !== null)?.data, {
    code: 'rate_limited',
    message: /3 concurrent requests for this key/,
  })
  const ofNobody = await Promise.all(Array.from({ length: 20 }, () => second.admit(-1)))
  t.equal(admitted(ofNobody), 2)
  t.match(ofNobody.find((error) => error !== null)?.data, { code: 'overloaded' })
  t.same(await slotsIn(redis), { gateway: '5', 'key:team-a': '3' })
  for (const [i, error] of ofKey.entries()) if (error === null) (i % 2 === 0 ? first : second).limiter.leave(0)
  for (const error of ofNobody) if (error === null) second.limiter.leave(-1)
  await Promise.all([first.flush(), second.flush()])
  t.same(await slotsIn(redis), {})
  t.equal(await first.admit(), null)
  first.limiter.leave(0)
  t.equal(await second.admit(-1), null)
  second.limiter.leave(-1)
  await first.admit()
  t.equal(await first.limiter.enterProvider(0), true, 'a provider without a limit asks nobody')
  first.limiter.leave(0)
  t.equal(first.limiter.active() + second.limiter.active(), 0)
})

test('tokens are reserved in both buckets or none, released and charged by the actual usage', async (t) => {
  const { first, second } = await startNodes(t, 2, {
    gateway: { tokensPerMinute: 1500 },
    key: { tokensPerMinute: 1000 },
  })
  await first.limiter.reserveTokens(0, 700)
  const refusal = await rejectionOf(second.reserve(0, 700))
  t.match(refusal, { code: 'rate_limited', message: /1000 tokens per minute for this key/ })
  await second.limiter.reserveTokens(0, 300)
  t.match(await rejectionOf(second.reserve(-1, 700)), {
    message: /1500 tokens per minute for this gateway/,
  })
  await second.limiter.reserveTokens(-1, 400)
  first.limiter.settleTokens(0, 700, 100)
  await first.flush()
  await first.limiter.reserveTokens(0, 1)
  const left = first.limiter.snapshot(0).tokens?.remaining ?? 0
  t.ok(left >= 599 && left < 700, `${left} of 1000 left after 100 + 300 + 1`)
  first.limiter.settleTokens(0, 1, 3000)
  await first.flush()
  await rejectionOf(first.reserve(0, 1))
  t.match(first.limiter.snapshot(0).tokens, { limit: 1000, remaining: 0 })
  t.match(
    thrownBy(() => first.limiter.reserveTokens(0, 2000)),
    { retryable: false },
  )
  for (const nonsense of [Number.NaN, Number.POSITIVE_INFINITY, 0.5, -1e300])
    second.limiter.settleTokens(0, 1, nonsense)
  t.equal((await second.admit()) ?? 'in', 'in')
  t.same([first.states, second.states], [[true], [true]], 'nothing of that broke the link')
})

test('asking for less than nothing, or for no number, gives nothing away', async (t) => {
  const { first, second } = await startNodes(t, 2, { key: { tokensPerMinute: 100 } })
  await first.reserve(0, 60)
  for (const nonsense of [Number.NaN, -1e9, -0.5]) await second.reserve(0, nonsense)
  t.match(await rejectionOf(second.reserve(0, 60)), { message: /100 tokens per minute for this key/ })
  await second.reserve(0, 39.5)
  t.equal(second.limiter.snapshot(0).tokens?.remaining, 0)
  t.same(second.states, [true])
})

test('a provider’s slots are shared too', async (t) => {
  const { first, second } = await startNodes(t, 2, { provider: 2 })
  const taken = await Promise.all([first, second, first, second].map(({ limiter }) => limiter.enterProvider(0)))
  t.equal(taken.filter(Boolean).length, 2)
  const holder = taken[0] === true ? first : second
  holder.limiter.leaveProvider(0)
  await holder.flush()
  t.equal(await (holder === first ? second : first).limiter.enterProvider(0), true)
})

test('the slots of a node that died come back with its lease', async (t) => {
  const { redis, first } = await startNodes(t, 1, {
    ...{ gateway: { concurrency: 2 }, queue: { max: 5, timeoutMs: 10_000 }, leaseMs: 600 },
  })
  const client = connectRedis(redis.url)
  await client.hincrby('{sluice}:slots', 'gateway', 2)
  await client.hset('{sluice}:node:dead', 'gateway', 2)
  await client.zadd('{sluice}:nodes', Date.now(), 'dead')
  client.disconnect()
  const startedMs = performance.now()
  t.equal(await first.admit(), null)
  const waitedMs = performance.now() - startedMs
  t.ok(waitedMs > 250 && waitedMs < 9000, `${waitedMs} ms`)
})

test('a node that died idle takes no limit with it', async (t) => {
  const { redis, first } = await startNodes(t, 1, { gateway: { concurrency: 2 }, leaseMs: 600 })
  const client = connectRedis(redis.url)
  // What a node has held and given back.
  await client.hset('{sluice}:node:dead', 'gateway', 0, 'key:a', 0)
  await client.zadd('{sluice}:nodes', Date.now(), 'dead')
  let isKnown = true
  for (let looks = 0; isKnown && looks < 200; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    isKnown = (await client.zscore('{sluice}:nodes', 'dead')) !== null
  }
  t.equal(isKnown, false)
  client.disconnect()
  t.equal(await first.admit(), null)
  t.same(await slotsIn(redis), { gateway: '1' })
  t.same(first.states, [true], 'Redis has never counted as unavailable')
})

test('a node that was stopped beyond its lease is not known any more, and registers with what it holds', async (t) => {
  const { redis, first } = await startNodes(t, 1, { gateway: { concurrency: 3 } })
  t.equal(await first.admit(), null)
  const client = connectRedis(redis.url)
  await client.del('{sluice}:nodes', '{sluice}:slots')
  client.disconnect()
  t.equal(admitted(await Promise.all([first.admit(), first.admit(), first.admit()])), 2)
  t.same(await slotsIn(redis), { gateway: '3' })
  t.same(first.states, [true])
})

test('a node that ends releases what it holds', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, { gateway: { concurrency: 3 } })
  await Promise.all([first.admit(), first.admit(), second.admit()])
  await first.state.close()
  t.same(await slotsIn(redis), { gateway: '1' })
})

test('without Redis each node limits by itself, and its slots are counted when Redis is back', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, {
    gateway: { concurrency: 3 },
    key: { requestsPerMinute: 100 },
  })
  t.equal(await first.admit(), null)
  await redis.kill()
  await Promise.all([first.until(false), second.until(false)])
  t.equal(await first.admit(), null)
  t.equal(await first.admit(), null)
  t.match((await first.admit())?.data, { code: 'overloaded' }, 'its own cap holds')
  t.equal(await second.admit(), null)
  t.equal(second.limiter.snapshot(0).requests?.remaining, 99, 'the local bucket')
  await redis.startAgain()
  await Promise.all([first.until(true), second.until(true)])
  t.same(await slotsIn(redis), { gateway: '4' })
  first.limiter.leave(0)
  await first.flush()
  t.match((await second.admit())?.data, { code: 'overloaded' }, 'three are still held')
  first.limiter.leave(0)
  await first.flush()
  t.equal(await second.admit(), null)
  t.same(first.states, [true, false, true], 'one word at each change')
})

test('what Redis refused is not missing from the node’s own bucket', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, { key: { requestsPerMinute: 10, tokensPerMinute: 10 } })
  for (let i = 0; i < 10; i++) await second.admit()
  await second.reserve(0, 10)
  t.match((await first.admit())?.data, { code: 'rate_limited' })
  await rejectionOf(first.limiter.countRequest(0) ?? Promise.resolve())
  await rejectionOf(first.reserve(0, 5))
  await redis.kill()
  await first.until(false)
  t.match(first.limiter.snapshot(0), { requests: { remaining: 10 }, tokens: { remaining: 10 } })
})

test('slots taken and freed while a node registers are reported as well', async (t) => {
  const { redis, first } = await startNodes(t, 1, { gateway: { concurrency: 100 } })
  await redis.kill()
  await first.until(false)
  for (let i = 0; i < 10; i++) await first.admit()
  await redis.startAgain()
  // Registering takes so long: it writes.
  const client = connectRedis(redis.url)
  await client.call('CLIENT', 'PAUSE', '300', 'WRITE')
  client.disconnect()
  for (let i = 0; first.states.at(-1) === false; i++) {
    if (i % 3 === 0) first.limiter.leave(0)
    else void first.admit()
    await pause(20)
  }
  await first.flush()
  t.same(await slotsIn(redis), { gateway: String(first.limiter.active()) })
  t.ok(first.limiter.active() > 10)
})

test('closed: without Redis nothing is admitted or held; admission resumes when Redis is back', async (t) => {
  const settings = { gateway: { concurrency: 3, tokensPerMinute: 1000 }, provider: 1, onRedisDown: 'closed' } as const
  const { redis, first } = await startNodes(t, 1, settings)
  await redis.kill()
  await first.until(false)
  const refusal = (await first.admit())?.data
  t.match(refusal, { code: 'overloaded', message: /cannot be checked/, retryAfterMs: 1000 })
  t.match(await rejectionOf(first.reserve(0, 10)), { code: 'overloaded' })
  t.equal(await first.limiter.enterProvider(0), false)
  t.equal(first.limiter.active(), 0)
  await redis.startAgain()
  await first.until(true)
  t.equal(await first.admit(), null)
  t.equal(await first.limiter.enterProvider(0), true)
})

test('a hanging Redis delays requests once, for at most the time of one call', async (t) => {
  const { redis, first } = await startNodes(t, 1, { gateway: { concurrency: 10 }, callTimeoutMs: CALL_TIMEOUT_MS })
  redis.pause()
  t.teardown(() => redis.resume())
  const startedMs = performance.now()
  t.equal(await first.admit(), null)
  const firstMs = performance.now() - startedMs
  t.ok(firstMs >= CALL_TIMEOUT_MS - 1 && firstMs < 50 * CALL_TIMEOUT_MS, `${firstMs} ms`)
  const again = first.admit()
  t.ok((await turnsUntil(again)) < AT_ONCE_TURNS, 'it is not asked any more')
  t.equal(await again, null)
  redis.resume()
  await first.until(true)
  t.same(await slotsIn(redis), { gateway: '2' })
  first.limiter.leave(0)
  first.limiter.leave(0)
  await first.flush()
  t.equal(await first.admit(), null)
  t.same(await slotsIn(redis), { gateway: '1' })
})

test('a gateway that starts without Redis starts, and shares once it is there', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const node = new LimiterNode(redis.url, { gateway: { concurrency: 2 } })
  t.teardown(() => node.state.close())
  await node.state.start()
  t.same(node.states, [false])
  t.equal(await node.admit(), null)
  await redis.startAgain()
  await node.until(true)
  t.same(await slotsIn(redis), { gateway: '1' })
})

test('what requests give back in one turn goes in one call, and before anything that is asked for behind it', async (t) => {
  const { redis, first } = await startNodes(t, 1, {
    ...{ gateway: { concurrency: 2, tokensPerMinute: 1000 }, key: { tokensPerMinute: 1000 } },
  })
  const client = connectRedis(redis.url)
  const calls = async () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
  for (const _ of [1, 2]) t.equal(await first.admit(), null)
  for (const _ of [1, 2]) await first.reserve(0, 100)
  await first.flush()
  await first.flush()
  const before = await calls()
  for (const _ of [1, 2]) {
    first.limiter.settleTokens(0, 100, 40)
    first.limiter.leave(0)
  }
  // Both slots were taken: these find them only behind what was given back.
  const entered = await Promise.all([first.admit(), first.admit()])
  t.same(entered, [null, null])
  t.equal((await calls()) - before, 3)
  t.same(await slotsIn(redis), { gateway: '2' })
  t.equal(first.limiter.snapshot(0).tokens?.remaining, 920)
  client.disconnect()
})

test('what very many requests give back in one turn goes in calls of a bounded size, each part once', async (t) => {
  const { redis, first } = await startNodes(t, 1, {
    ...{ gateway: { concurrency: 100 }, key: { tokensPerMinute: 10_000 } },
  })
  for (let i = 0; i < 100; i++) t.equal(await first.admit(), null)
  await first.reserve(0, 5000)
  await first.flush()
  for (let i = 0; i < 100; i++) {
    first.limiter.settleTokens(0, 50, 10)
    first.limiter.leave(0)
  }
  await first.flush()
  await first.flush()
  t.notOk('gateway' in (await slotsIn(redis)))
  const left = first.limiter.snapshot(0).tokens?.remaining ?? 0
  t.ok(left >= 9000 && left < 9900, `${left} of 10,000 left after 1,000, and what a few seconds bring`)
  t.same(first.states, [true])
})

test('unset limits make no call to Redis', async (t) => {
  const { first } = await startNodes(t, 1, {})
  const waiter = { keyIndex: 0, onEntered() {}, onRefused() {} }
  t.equal(first.limiter.enter(0, waiter), true)
  t.equal(first.limiter.reserveTokens(0, 10), null)
  t.equal(first.limiter.enterProvider(0), true)
  t.same(first.limiter.snapshot(0), { requests: null, tokens: null })
})

/** Keys of a database that all nodes know. */
function accountsOf() {
  const memory = createDirectoryMemory(10)
  const writer = new DirectoryWriter(memory)
  const reader = new DirectoryReader(memory)
  const limits = (over: Partial<KeyLimits>) => ({
    ...{ requestsPerMinute: null, tokensPerMinute: null, concurrency: null, ...over },
  })
  const put = (
    k: number,
    over: Partial<KeyLimits>,
    team: readonly [string, Partial<KeyLimits>] | null = null,
  ): number => {
    const id = `key_${k}`
    const ofTeam =
      team === null ? null : { id: `team_${team[0]}`, name: team[0], models: ['*'], limits: limits(team[1]) }
    const account: Account = hammerAccount(k, 1, { id, limits: limits(over), team: ofTeam })
    writer.put(account, [])
    return reader.byId(id)?.index ?? -1
  }
  return { memory, writer, put }
}

test('limits of keys of a database and of their teams hold over both nodes, by their ids', async (t) => {
  const { memory, put } = accountsOf()
  const { redis, first, second } = await startNodes(t, 2, { accounts: memory, gateway: { concurrency: 100 } })
  const team = ['a', { concurrency: 3, requestsPerMinute: 10 }] as const
  const [one, two] = [put(1, { concurrency: 2, tokensPerMinute: 100 }, team), put(2, {}, team)]
  t.equal(await first.admit(one), null)
  t.equal(await second.admit(one), null)
  t.match((await first.admit(one))?.data, { message: /limit of 2 concurrent requests for this key/ })
  t.equal(await first.admit(two), null)
  t.match((await second.admit(two))?.data, { message: /limit of 3 concurrent requests for the team of this key/ })
  t.same(await slotsIn(redis), { gateway: '3', 'key:key_1': '2', 'team:team_a': '3' })
  await first.reserve(one, 60)
  t.match(await rejectionOf(second.reserve(one, 60)), { message: /100 tokens per minute for this key/ })
  for (const [node, index] of [
    [first, one],
    [second, one],
    [first, two],
  ] as const)
    node.limiter.leave(index)
  await Promise.all([first.flush(), second.flush()])
  t.same(await slotsIn(redis), {})
  const rest = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? first : second).admit(two)))
  t.ok(admitted(rest) <= 3)
  t.ok(rest.some((error) => /10 requests per minute for the team/.test(error?.message ?? '')))
  t.ok([...first.rejections, ...second.rejections].includes('team concurrency'))
})

test('slots of a key come back as they were taken, whatever its limits and its team are by then', async (t) => {
  const { memory, put, writer } = accountsOf()
  const queue = { max: 5, timeoutMs: 10_000 }
  const { redis, first } = await startNodes(t, 1, { accounts: memory, queue, gateway: { concurrency: 3 } })
  const index = put(1, { concurrency: 5 }, ['a', { concurrency: 1 }])
  t.equal(await first.admit(index), null)
  put(1, { concurrency: 5 }, ['b', { concurrency: 1 }])
  t.equal(await first.admit(index), null)
  const waiting = first.admit(index)
  await first.flush()
  t.same(await slotsIn(redis), { gateway: '2', 'key:key_1': '2', 'team:team_a': '1', 'team:team_b': '1' })
  first.limiter.leave(index)
  t.equal(await waiting, null, 'from the queue, when its team has a slot')
  put(1, {}, null)
  t.equal(await first.admit(index), null)
  writer.remove('key_1')
  for (let i = 0; i < 3; i++) first.limiter.leave(index)
  await first.flush()
  t.same(await slotsIn(redis), {})
  t.equal(first.limiter.active(), 0)
})
