// The limiter of several nodes over a real Redis: two of them in one process stand for two gateways.

import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { type GatewayError } from '../../../src/errors.js'
import { createLimiter, createLimiterCells } from '../../../src/limit/local/cells.js'
import { RedisLimiter, type RedisLimiterConfig } from '../../../src/limit/shared/redis-limiter.js'
import { SharedState } from '../../../src/limit/shared/shared-state.js'
import { type Teardown } from '../../helpers/gateway.js'
import { AT_ONCE_TURNS, turnsUntil } from '../../helpers/own-time.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { rejectionOf, thrownBy } from '../../helpers/thrown.js'

type Settings = {
  readonly gateway?: Partial<Limits>
  readonly key?: Partial<Limits>
  readonly provider?: number | null
  readonly otherKeys?: readonly string[]
  readonly queue?: { readonly max: number; readonly timeoutMs: number }
  readonly onRedisDown?: 'local' | 'closed'
  readonly leaseMs?: number
  readonly callTimeoutMs?: number
}
type Limits = { requestsPerMinute: number | null; tokensPerMinute: number | null; concurrency: number | null }
const NO_LIMITS: Limits = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** Machines that run tests may be busy; a Redis that is killed is noticed all the same. */
const PATIENT_MS = 10_000
/** Where Redis hangs. */
const CALL_TIMEOUT_MS = 400

/** A node and what it told. */
class Node {
  readonly limiter: RedisLimiter
  readonly state: SharedState
  readonly states: boolean[] = []
  readonly rejections: string[] = []
  readonly #watchers: (() => void)[] = []

  constructor(url: string, settings: Settings) {
    const config: RedisLimiterConfig = {
      limits: {
        ...{ ...NO_LIMITS, ...settings.gateway },
        queue: settings.queue ?? { max: 0, timeoutMs: 5000 },
        onRedisDown: settings.onRedisDown ?? 'local',
      },
      keys: ['team-a', ...(settings.otherKeys ?? [])].map((name) => ({
        name,
        limits: { ...NO_LIMITS, ...(name === 'team-a' ? settings.key : {}) },
      })),
      providers: [
        { name: 'north', limits: { concurrency: settings.provider ?? null } },
        { name: 'flush', limits: { concurrency: 1000 } },
      ],
    }
    const onRejected = (scope: string, kind: string) => void this.rejections.push(`${scope} ${kind}`)
    this.state = new SharedState({
      url,
      nowNs: process.hrtime.bigint,
      onState: (isUp) => {
        this.states.push(isUp)
        for (const watch of this.#watchers) watch()
      },
      onCall: () => {},
      callTimeoutMs: settings.callTimeoutMs ?? PATIENT_MS,
      ...(settings.leaseMs === undefined ? {} : { leaseMs: settings.leaseMs }),
    })
    const whole = { ...config, models: [] }
    const local = createLimiter(whole, createLimiterCells(whole), { onRejected })
    this.limiter = new RedisLimiter(config, { local, state: this.state, onRejected })
  }

  /** Resolves when the link is up or down. */
  until(isUp: boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => this.states.at(-1) === isUp && resolve()
      this.#watchers.push(look)
      look()
    })
  }

  /** Resolves when Redis has done all that this node told it. */
  async flush(): Promise<void> {
    if (await this.limiter.enterProvider(1)) this.limiter.leaveProvider(1)
  }

  /** A refusal by the local bucket is thrown, one by Redis comes later: here both come later. */
  async reserve(keyIndex: number, tokens: number): Promise<void> {
    await this.limiter.reserveTokens(keyIndex, tokens)
  }

  /** A request of a key, up to its slot; the error that refused it. */
  async admit(keyIndex = 0): Promise<GatewayError | null> {
    try {
      this.limiter.takeRequest(keyIndex)
      return await new Promise((resolve) => {
        const isIn = this.limiter.enter(keyIndex, { keyIndex, onEntered: () => resolve(null), onRefused: resolve })
        if (isIn) resolve(null)
      })
    } catch (thrown) {
      return thrown as GatewayError
    }
  }
}

async function startNodes(t: Teardown, count: number, settings: Settings) {
  const redis = await RedisServer.start(t)
  const nodes = Array.from({ length: count }, () => new Node(redis.url, settings))
  t.teardown(() => Promise.all(nodes.map(({ state }) => state.close())))
  await Promise.all(nodes.map(({ state }) => state.start()))
  const [first, second] = nodes
  if (first === undefined) throw new Error('no node')
  return { redis, first, second: second ?? first }
}

/** What Redis holds, for the eyes of the test alone. */
async function slotsIn(redis: RedisServer): Promise<Record<string, string>> {
  const client = connectRedis(redis.url)
  const { 'provider:flush': _, ...slots } = await client.hgetall('{sluice}:slots')
  client.disconnect()
  return slots
}

function admitted(answers: readonly (GatewayError | null)[]): number {
  return answers.filter((error) => error === null).length
}

test('two nodes admit one bucket between them, whoever asks, and the refusal says when to come back', async (t) => {
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

test('tokens: reserved over both, both or none, given back and charged by what was used', async (t) => {
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
  t.equal(await (holder === first ? second : first).limiter.enterProvider(0), true)
})

test('who finds all slots taken waits, first come first served, and who leaves is not let in', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, {
    gateway: { concurrency: 1 },
    queue: { max: 2, timeoutMs: 5000 },
  })
  t.equal(await first.admit(), null)
  const order: string[] = []
  const waiting = { keyIndex: 0, onEntered: () => order.push('cancelled'), onRefused: () => order.push('refused') }
  t.equal(second.limiter.enter(0, waiting), false)
  const next = second.admit().then((error) => order.push(error === null ? 'next' : 'refused'))
  // A node knows who waits once Redis has answered: the slot that frees them comes after that.
  await second.flush()
  second.limiter.cancel(waiting)
  first.limiter.leave(0)
  await next
  t.same(order, ['next'])
  second.limiter.leave(0)
  await second.flush()
  t.equal(await first.admit(), null)
  t.same(await slotsIn(redis), { gateway: '1' })
})

test('waiting has an end, and a full queue sheds at once', async (t) => {
  const { first, second } = await startNodes(t, 2, { gateway: { concurrency: 1 }, queue: { max: 1, timeoutMs: 60 } })
  await first.admit()
  const [a, b] = await Promise.all([second.admit(), second.admit()])
  t.same([a?.data.code, b?.data.code], ['overloaded', 'overloaded'])
  t.equal(second.limiter.active(), 0)
  t.same(second.rejections, ['gateway concurrency', 'gateway concurrency'])
})

test('who leaves while Redis is being asked gives back what the answer brings', async (t) => {
  const { redis, first } = await startNodes(t, 1, { gateway: { concurrency: 5 } })
  const waiter = { keyIndex: 0, onEntered: () => t.fail('entered'), onRefused: () => t.fail('refused') }
  t.equal(first.limiter.enter(0, waiter), false)
  first.limiter.cancel(waiter)
  t.equal(await first.admit(), null)
  first.limiter.leave(0)
  t.equal(await first.limiter.reserveTokens(0, 1), null)
  t.equal(await first.admit(), null)
  t.same(await slotsIn(redis), { gateway: '1' })
  t.equal(first.limiter.active(), 1)
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

test('a node that ends gives back what it holds', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, { gateway: { concurrency: 3 } })
  await Promise.all([first.admit(), first.admit(), second.admit()])
  await first.state.close()
  t.same(await slotsIn(redis), { gateway: '1' })
})

test('without Redis each node goes on by itself, and what it holds is counted when Redis is back', async (t) => {
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
  await rejectionOf(first.reserve(0, 5))
  await redis.kill()
  await first.until(false)
  t.match(first.limiter.snapshot(0), { requests: { remaining: 10 }, tokens: { remaining: 10 } })
})

test('what is taken and freed while a node registers is told as well', async (t) => {
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

test('closed: without Redis nothing is admitted, nothing is held, and it goes on when Redis is back', async (t) => {
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

test('a Redis that hangs holds up those who ask it as long as one call may take, once', async (t) => {
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
  const node = new Node(redis.url, { gateway: { concurrency: 2 } })
  t.teardown(() => node.state.close())
  await node.state.start()
  t.same(node.states, [false])
  t.equal(await node.admit(), null)
  await redis.startAgain()
  await node.until(true)
  t.same(await slotsIn(redis), { gateway: '1' })
})

test('limits that are not set ask nobody', async (t) => {
  const { first } = await startNodes(t, 1, {})
  const waiter = { keyIndex: 0, onEntered() {}, onRefused() {} }
  t.equal(first.limiter.enter(0, waiter), true)
  t.equal(first.limiter.reserveTokens(0, 10), null)
  t.equal(first.limiter.enterProvider(0), true)
  t.same(first.limiter.snapshot(0), { requests: null, tokens: null })
})

/** Names of requests in the order in which they got their slots, over all nodes. */
function startQueueing(order: string[]) {
  return (node: Node, keyIndex: number, name: string) => {
    const waiter = {
      keyIndex,
      onEntered: () => void order.push(name),
      onRefused: ({ data }: GatewayError) => void order.push(`${name} ${data.status}`),
    }
    if (node.limiter.enter(keyIndex, waiter)) order.push(name)
    return waiter
  }
}

/** The keys that Redis knows to wait. */
async function waitingIn(redis: RedisServer): Promise<string[]> {
  const client = connectRedis(redis.url)
  const names = await client.zrange('{sluice}:waiting', '0', '-1')
  client.disconnect()
  return names.map((name) => name.slice(name.indexOf(' ') + 1))
}

async function untilLength(list: readonly unknown[], length: number): Promise<void> {
  while (list.length < length) await pause(1)
}

test('keys take turns over nodes: the first of another key waits for one slot, wherever it waits', async (t) => {
  const { first, second } = await startNodes(t, 2, {
    gateway: { concurrency: 2 },
    queue: { max: 20, timeoutMs: 60_000 },
    otherKeys: ['team-b', 'team-c'],
  })
  const order: string[] = []
  const queueUp = startQueueing(order)
  for (let i = 1; i <= 9; i++) queueUp(i % 2 === 0 ? first : second, 0, `A${i}`)
  await untilLength(order, 2)
  await Promise.all([first.flush(), second.flush()])
  queueUp(first, 1, 'B1')
  queueUp(second, 2, 'C1')
  queueUp(second, 1, 'B2')
  await Promise.all([first.flush(), second.flush()])
  const leave = (name: string | undefined) => {
    const number = Number(name?.slice(1))
    const node = name === 'B1' || (name?.startsWith('A') && number % 2 === 0) ? first : second
    node.limiter.leave('ABC'.indexOf(name?.[0] ?? ''))
  }
  for (let turn = 0; turn < 6; turn++) {
    leave(order[turn])
    await untilLength(order, turn + 3)
  }
  const keys = order.map((name) => name[0])
  // Of B, which waits at both nodes, either may be the first.
  t.same(keys.slice(2, 4).sort(), ['B', 'C'], 'those that had no turn yet')
  t.same(keys.slice(4, 6), ['A', 'B'], 'then in turn')
  t.equal(first.limiter.active() + second.limiter.active(), 2)
})

test('places are the nodes’ own: a greedy key gives up its newest, and is told so', async (t) => {
  const { first } = await startNodes(t, 1, {
    gateway: { concurrency: 1 },
    queue: { max: 3, timeoutMs: 60_000 },
    otherKeys: ['team-b'],
  })
  const order: string[] = []
  const queueUp = startQueueing(order)
  for (let i = 1; i <= 4; i++) queueUp(first, 0, `A${i}`)
  await untilLength(order, 1)
  await first.flush()
  t.equal(first.limiter.refusal(1), null)
  t.match(first.limiter.refusal(0)?.data, { status: 503 })
  queueUp(first, 1, 'B1')
  await untilLength(order, 2)
  t.same(order, ['A1', 'A4 429'])
  first.limiter.leave(0)
  await untilLength(order, 3)
  t.same(order[2], 'B1')
})

test('a waiter that leaves gives its turn back at once, on its own node and on others', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, {
    gateway: { concurrency: 1 },
    queue: { max: 9, timeoutMs: 60_000 },
    otherKeys: ['team-b'],
  })
  const order: string[] = []
  const queueUp = startQueueing(order)
  queueUp(first, 0, 'A1')
  await untilLength(order, 1)
  queueUp(first, 0, 'A2')
  const leaving = queueUp(second, 1, 'B1')
  await Promise.all([first.flush(), second.flush()])
  t.ok((await waitingIn(redis)).includes('key:team-b'))
  second.limiter.cancel(leaving)
  await second.flush()
  t.notOk((await waitingIn(redis)).includes('key:team-b'))
  first.limiter.leave(0)
  await untilLength(order, 2)
  t.same(order, ['A1', 'A2'])
})

test('those who wait when Redis goes away wait for this process alone, counted once', async (t) => {
  const { redis, first } = await startNodes(t, 1, {
    gateway: { concurrency: 1 },
    key: { requestsPerMinute: 100 },
    queue: { max: 9, timeoutMs: 60_000 },
  })
  const order: string[] = []
  const queueUp = startQueueing(order)
  for (let i = 1; i <= 3; i++) queueUp(first, 0, `A${i}`)
  await untilLength(order, 1)
  await first.flush()
  await redis.kill()
  await first.until(false)
  first.limiter.leave(0)
  await untilLength(order, 2)
  first.limiter.leave(0)
  await untilLength(order, 3)
  t.same(order, ['A1', 'A2', 'A3'])
  t.equal(first.limiter.active(), 1)
})

test('requests that are counted ahead are those of all nodes, and enter without being counted again', async (t) => {
  const { first, second } = await startNodes(t, 2, { key: { requestsPerMinute: 2, concurrency: 5 } })
  await first.limiter.countRequest(0)
  await second.limiter.countRequest(0)
  const refused = await rejectionOf(first.limiter.countRequest(0) ?? Promise.resolve())
  t.match(refused, { code: 'rate_limited', message: /limit of 2 requests per minute for this key/ })
  const enter = (isCounted: boolean) =>
    new Promise((resolve) => {
      const waiter = { keyIndex: 0, isCounted, onEntered: () => resolve('in'), onRefused: resolve }
      if (first.limiter.enter(0, waiter)) resolve('in')
    })
  t.equal(await enter(true), 'in', 'both requests are spent, but this one was counted')
  t.match(await enter(false), { data: { code: 'rate_limited' } })
  first.limiter.leave(0)
})

test('many keys, nodes and waiters, some of whom leave: never more than the cap, and all slots are free again', async (t) => {
  const { redis, first, second } = await startNodes(t, 2, {
    gateway: { concurrency: 5 },
    key: { concurrency: 2 },
    queue: { max: 1000, timeoutMs: 60_000 },
    otherKeys: ['team-b', 'team-c'],
  })
  const nodes = [first, second]
  let running = 0
  let most = 0
  const visit = (node: Node, keyIndex: number, isImpatient: boolean) =>
    new Promise<void>((resolve) => {
      let isIn = false
      const stay = () => {
        isIn = true
        running += 1
        most = Math.max(most, running)
        setImmediate(() => {
          running -= 1
          node.limiter.leave(keyIndex)
          resolve()
        })
      }
      const waiter = { keyIndex, onEntered: stay, onRefused: ({ data }: GatewayError) => t.fail(data.message) }
      if (node.limiter.enter(keyIndex, waiter)) stay()
      if (!isImpatient) return
      setTimeout(() => {
        if (isIn) return
        node.limiter.cancel(waiter)
        resolve()
      }, keyIndex + 2)
    })
  const visits = Array.from({ length: 300 }, (_, i) => visit(nodes[i % 2] ?? first, (i % 4) - 1, i % 7 === 0))
  await Promise.all(visits)
  await Promise.all(nodes.map((node) => node.flush()))
  t.ok(most <= 5 && most > 1, `${most} at a time`)
  t.same(
    nodes.map(({ limiter }) => limiter.active()),
    [0, 0],
  )
  t.same(await slotsIn(redis), {})
  t.same(await waitingIn(redis), [])
})
