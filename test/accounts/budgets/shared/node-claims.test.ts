// What a node claims over a real Redis, with a database that is a few lines of the test.
import { type Test, test } from 'tap'
import { BudgetCells } from '../../../../src/accounts/budgets/cells.js'
import { createBudgetMemory } from '../../../../src/accounts/budgets/memory.js'
import {
  type ClaimsDatabase,
  type ClaimsNews,
  NodeClaims,
} from '../../../../src/accounts/budgets/shared/node-claims.js'
import { type WindowPlace } from '../../../../src/accounts/budgets/shared/spend-scripts.js'
import { digestOfUser, UserSlots } from '../../../../src/accounts/budgets/user-slots.js'
import { BudgetWriter } from '../../../../src/accounts/budgets/writer.js'
import { budget, NOON } from '../../../helpers/budget-rig.js'
import { RedisServer } from '../../../helpers/redis.js'

const FORGET_MS = NOON + 10 ** 10
const MAX_USERS = 4
const WANT = { slot: 0, epoch: 1 }

class FakeDatabase implements ClaimsDatabase {
  isAway = false
  seedings = 0
  base = 0
  readonly endedNodes: string[] = []
  readonly told: WindowPlace[] = []

  async nodes() {
    return []
  }

  async seeds(places: readonly WindowPlace[]) {
    this.seedings += 1
    if (this.isAway) throw new Error('away')
    return places.map((place) => ({
      ...place,
      base: this.base,
      plus: 0,
      minus: 0,
      stored: [],
      users: 0,
      forgetMs: FORGET_MS,
    }))
  }

  async ended() {
    return [...this.endedNodes]
  }

  async spentBy(_node: string, places: readonly WindowPlace[]) {
    this.told.push(...places)
    return places.map((place) => ({ ...place, amount: 7 }))
  }

  async forget(node: string) {
    this.endedNodes.splice(this.endedNodes.indexOf(node), 1)
  }
}

async function setUp(
  t: Test,
  redis: RedisServer,
  { name = 'node1', onDown = 'closed' as 'closed' | 'local', over = {} } = {},
) {
  const memory = createBudgetMemory(1, name, MAX_USERS)
  let nowMs = NOON
  const writer = new BudgetWriter(memory, () => nowMs)
  const stored = budget('all', 1000, { per: 'total', ...over })
  writer.put(stored)
  const place = writer.placeOf(stored.id)
  const database = new FakeDatabase()
  const news: ClaimsNews[] = []
  const claims = new NodeClaims({
    ...{ url: redis.url, onDown, memory, database, nameOf: (id) => id, nowMs: () => nowMs },
    tell: (each) => void news.push(each),
  })
  if (place !== null) claims.put(place, stored)
  await claims.start()
  t.teardown(() => claims.close())
  const cells = new BudgetCells(memory)
  const ask = (amount: number) => claims.ask([{ ...WANT, amount }])
  const askFor = (user: string, amount: number) => claims.ask([{ ...WANT, user: digestOfUser(user), amount }])
  const users = new UserSlots(memory, cells, () => nowMs)
  const turnTo = (ms: number) => {
    nowMs = ms
  }
  return {
    claims,
    database,
    news,
    cells,
    writer,
    stored,
    ask,
    askFor,
    users,
    turnTo,
    take: (amount: number) => cells.take(0, 0, amount),
  }
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('requests that ask in one turn are told in one call, and a window is seeded once', async (t) => {
  const redis = await RedisServer.start(t)
  const { database, news, ask, take } = await setUp(t, redis)
  database.base = 100
  t.same(await Promise.all([ask(10), ask(20), ask(30)]), ['granted', 'granted', 'granted'])
  t.equal(take(60), 0)
  t.equal(await ask(901), 'less')
  t.equal(database.seedings, 1)
  await until(() => news.some(({ calls }) => calls.length > 0))
  const calls = news.flatMap((each) => each.calls)
  t.ok(calls.length < 10, `${calls.length}`)
  t.ok(calls.every(({ isOk, seconds }) => isOk && seconds > 0))
  t.match(news[0], { state: { isUp: true, reason: null } })
})

test('a window that only the database knows is not granted from while that is away', async (t) => {
  const redis = await RedisServer.start(t)
  const { database, ask } = await setUp(t, redis)
  database.isAway = true
  t.equal(await ask(10), 'away')
  database.isAway = false
  t.equal(await ask(10), 'granted')
})

test('a budget that is gone is not waited for, and one in its slot is another', async (t) => {
  const redis = await RedisServer.start(t)
  const { claims, ask, stored } = await setUp(t, redis)
  const asking = ask(10)
  claims.remove(stored.id)
  t.equal(await asking, 'away')
  t.equal(await ask(10), 'granted', 'it holds no more')
  await claims.refresh([stored.id])
})

test('what an ended node has claimed is replaced by what the database says it spent', async (t) => {
  const redis = await RedisServer.start(t)
  const one = await setUp(t, redis)
  t.equal(await one.ask(600), 'granted')
  one.take(500)
  t.equal(await one.claims.close(), false, 'something is reserved')
  const two = await setUp(t, redis, { name: 'node2' })
  two.database.endedNodes.push('node1')
  t.equal(await two.ask(600), 'less')
  // As on its next connection.
  await redis.kill()
  await redis.startAgain()
  const three = await setUp(t, redis, { name: 'node3' })
  t.ok(three)
  await until(() => two.database.endedNodes.length === 0)
  t.pass('told on the connection')
})

test('a node that has told everything leaves', async (t) => {
  const redis = await RedisServer.start(t)
  const { claims, ask, take, cells } = await setUp(t, redis)
  await ask(100)
  take(60)
  cells.settle(0, 0, { held: 60, spent: 50 })
  t.equal(await claims.close(), true)
  const other = await setUp(t, redis, { name: 'node2' })
  t.equal(await other.ask(951), 'less')
  t.equal(other.take(950), 0)
})

test('without Redis at the start it grants nothing, or what the database says is left', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const [closed, local] = [await setUp(t, redis), await setUp(t, redis, { name: 'node2', onDown: 'local' })]
  t.match(closed.news[0], { state: { isUp: false } })
  t.equal(await closed.ask(1), 'away')
  t.equal(await local.ask(1000), 'granted')
  t.equal(local.take(1000), 0)
  t.equal(await closed.claims.close(), false)
})

test('an end user is asked for apart, and keeps its cells as long as its window lasts', async (t) => {
  const redis = await RedisServer.start(t)
  const { askFor, users, cells, claims, turnTo, stored } = await setUp(t, redis, { over: { kind: 'user', per: 'day' } })
  t.same(await Promise.all([askFor('anna', 600), askFor('ben', 1000)]), ['granted', 'granted'])
  t.equal(await askFor('ben', 1001), 'less')
  const anna = users.of({ ...WANT, per: 'day' }, digestOfUser('anna'))
  t.not(anna, null)
  t.equal(cells.isIdle(anna?.slot ?? 0), false)
  t.same(await Promise.all(['cleo', 'dora'].map((user) => askFor(user, 1))), ['granted', 'granted'])
  t.equal(await askFor('emil', 1), 'crowded', 'there are no more cells')
  turnTo(NOON + 86_400_000)
  await until(() => cells.isIdle(anna?.slot ?? 0))
  t.equal(await askFor('emil', 1000), 'granted', 'in the next window there are')
  const emil = users.of({ ...WANT, per: 'day' }, digestOfUser('emil'))
  claims.remove(stored.id)
  t.ok(cells.isIdle(emil?.slot ?? 0), 'a budget that is gone holds nobody')
  t.equal(await askFor('emil', 1), 'granted', 'and limits nobody')
})

test('without Redis at the start each end user has what the database says is left', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const users = [{ digest: digestOfUser('anna'), spent: 900 }]
  const { askFor } = await setUp(t, redis, { onDown: 'local', over: { kind: 'user', users } })
  t.same(await Promise.all([askFor('anna', 101), askFor('anna', 100), askFor('ben', 1000)]), [
    'less',
    'granted',
    'granted',
  ])
})
