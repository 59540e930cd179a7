// Waiting for slots that nodes share, over a real Redis: turns, places, who leaves, and what Redis is told of it.
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { type GatewayError } from '../../../src/errors.js'
import { type LimiterNode, slotsIn, startNodes } from '../../helpers/limiter-node.js'
import { connectRedis, type RedisServer } from '../../helpers/redis.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('a request that finds all slots taken waits, first come first served, and is not admitted after it left', async (t) => {
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

test('a request that leaves during a call to Redis releases what it is granted', async (t) => {
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

/** Names of requests in the order in which they got their slots, over all nodes. */
function startQueueing(order: string[]) {
  return (node: LimiterNode, keyIndex: number, name: string) => {
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

test('places belong to each node: a greedy key gives up its newest waiter, which is rejected', async (t) => {
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

test('a waiter that leaves frees its turn at once, on its own node and on others', async (t) => {
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

test('a waiter that leaves while Redis is asked for a slot is forgotten, and a slot that arrives for it is returned', async (t) => {
  const { redis, first } = await startNodes(t, 1, { gateway: { concurrency: 1 }, queue: { max: 9, timeoutMs: 60_000 } })
  const client = connectRedis(redis.url)
  t.teardown(() => client.disconnect())
  const order: string[] = []
  const queueUp = startQueueing(order)
  await client.hset('{sluice}:slots', 'gateway', 1)
  first.limiter.cancel(queueUp(first, 0, 'A1'))
  // Once for the answer, once for what follows from it.
  for (let i = 0; i < 2; i++) await first.flush()
  t.same(await waitingIn(redis), [])
  const { state } = first
  const takeTurn = state.takeTurn.bind(state)
  const asked = new Promise<void>((resolve) => {
    state.takeTurn = async (...asking) => {
      await client.hdel('{sluice}:slots', 'gateway')
      const answer = takeTurn(...asking)
      first.limiter.cancel(leaving)
      t.match(await answer, { letIn: 0 })
      resolve()
      return answer
    }
  })
  const leaving = queueUp(first, 0, 'A2')
  await asked
  for (let i = 0; i < 2; i++) await first.flush()
  t.same(await slotsIn(redis), {})
  t.same(order, [])
})

test('waiters continue to wait for this process alone when Redis becomes unavailable, counted once', async (t) => {
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
  const visit = (node: LimiterNode, keyIndex: number, isImpatient: boolean) =>
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

test('a watcher gets its place in the queue over all nodes', async (t) => {
  const { first, second } = await startNodes(t, 2, {
    gateway: { concurrency: 1 },
    queue: { max: 9, timeoutMs: 60_000 },
  })
  await first.admit()
  const places: string[] = []
  const waiters = ['a', 'b'].map((name) => {
    const waiter = { keyIndex: 0, onEntered: () => void places.push(`${name} in`), onRefused: () => t.fail(name) }
    t.equal(second.limiter.enter(0, waiter), false)
    // Redis is still asked: it is in no queue yet.
    second.limiter.watch(waiter, ({ position }) => void places.push(`${name} ${position}`))
    return waiter
  })
  await untilLength(places, 2)
  t.same(places.splice(0), ['a 1', 'b 2'])
  first.limiter.leave(0)
  await untilLength(places, 2)
  t.same(places.splice(0).sort(), ['a in', 'b 1'])
  for (const waiter of waiters) second.limiter.cancel(waiter)
  second.limiter.leave(0)
})
