// Budgets that several nodes spend from, with a real PostgreSQL and a real Redis.
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { type Reservation } from '../../src/accounts/budgets/types.js'
import { digestOfUser, MAX_BUDGET_USERS } from '../../src/accounts/budgets/user-slots.js'
import { type BudgetPeriod } from '../../src/accounts/types.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'
import { SpendingNode, type SpendingNodeOptions } from '../helpers/spending-node.js'
import { rejectionOf } from '../helpers/thrown.js'

tap.setTimeout(140_000)
const server = await startPostgres(tap)
const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }

async function setUp(t: Test, limit: number, over: Partial<SpendingNodeOptions> = {}) {
  const [postgres, redis] = [await server.createDatabase(), await RedisServer.start(t)]
  const open = (more: Partial<SpendingNodeOptions> = {}) =>
    SpendingNode.open(t, { postgres, redis: redis.url, ...over, ...more })
  const nodes = [await open(), await open()] as const
  const budget = { name: 'all', scope: 'gateway', unit: 'usd', limit, per: 'total' } as const
  await nodes[0].accounts.store.createBudget(budget, BY)
  await until(() => !nodes[1].isFree)
  return { postgres, redis, open, nodes, budget }
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 10))
}

function held(reserved: Reservation | 'unavailable' | null): Reservation {
  if (reserved === null || reserved === 'unavailable') throw new Error(`refused: ${reserved}`)
  return reserved
}

/** As much as one request of a node would get; 0 where it would be refused, or nobody can tell. */
async function leftAt(node: SpendingNode): Promise<number> {
  const reserved = await node.reserve(1, 1_000_000_000)
  if (reserved === null || reserved === 'unavailable') return 0
  reserved.settle({ nano: 0, tokens: 0 })
  return reserved.held.nano
}

function usage(spent: number, reserved = 0) {
  return { spent, reserved }
}

test('two nodes spend from one budget, exactly, and each shows what both use', async (t) => {
  const { nodes, postgres } = await setUp(t, 1000)
  const [one, two] = nodes
  const first = held(await one.reserve(300))
  const second = held(await two.reserve(100, 5000))
  t.equal(second.held.nano, 700, 'as much as there is')
  t.equal(await one.reserve(1), null)
  await until(async () => (await two.usage())?.reserved === 1000)
  t.same(await one.usage(), usage(0, 1000))
  first.settle({ nano: 200, tokens: 0 })
  await until(async () => (await two.usage())?.spent === 200)
  await until(async () => (await leftAt(two)) === 100)
  const third = held(await two.reserve(100))
  t.equal(third.held.nano, 100, 'what the other one gave back')
  second.settle({ nano: 700, tokens: 0 })
  third.settle({ nano: 100, tokens: 0 })
  t.equal(await one.reserve(1), null)
  await Promise.all([one.ledger.store(), two.ledger.store()])
  const sums = (table: string) =>
    server.run(postgres, `select spent_nano::int as spent from sluice.${table} order by 1`)
  t.same(await sums('budget_windows'), [{ spent: 1000 }])
  t.same(await sums('budget_shares'), [{ spent: 200 }, { spent: 800 }])
})

test('a request that wants more than this node has asks the others; one that fits does not', async (t) => {
  const { nodes } = await setUp(t, 1_000_000)
  const [one] = nodes
  const calls = () => one.news.reduce((sum, news) => sum + news.calls.length, 0)
  // Asked twice: from now on it has something in advance.
  for (let i = 0; i < 2; i++) await one.spend(1000)
  const set = one.set()
  let direct = 0
  for (let i = 0; i < 20; i++) {
    const reserved = set.reserve({ nano: 10, tokens: 0 }, { nano: 10, tokens: 0 })
    if (reserved instanceof Promise) continue
    direct += 1
    held(reserved.refused ? null : reserved).settle({ nano: 10, tokens: 0 })
  }
  t.equal(direct, 20, 'at once')
  t.ok(calls() < 20)
})

test('what a node does not need is given back, and what streams need more is asked for while they run', async (t) => {
  const { nodes } = await setUp(t, 1000)
  const [one, two] = nodes
  for (let i = 0; i < 5; i++) await one.spend(10)
  const stream = held(await one.reserve(500))
  await until(async () => (await leftAt(two)) === 450)
  await until(async () => stream.extend({ nano: 10, tokens: 0 }))
  t.equal(stream.held.nano, 510)
  held(await two.reserve(1, 1000))
  await until(async () => !(await stream.extend({ nano: 10, tokens: 0 })))
})

test('a change of a budget, its end and an adjustment hold on both nodes at once', async (t) => {
  const { nodes } = await setUp(t, 1000)
  const [one, two] = nodes
  const { store } = one.accounts
  for (const node of nodes) for (let i = 0; i < 5; i++) await node.spend(10)
  await store.updateBudget('all', { limit: 100, unit: 'usd' }, ANY)
  await until(async () => (await leftAt(two)) === 0)
  t.equal(await one.reserve(1), null)
  await store.updateBudget('all', { limit: 150, unit: 'usd' }, ANY)
  await until(async () => (await leftAt(two)) === 50)
  held(await two.reserve(50))
  t.equal(await one.reserve(1), null)
  await Promise.all(nodes.map(({ ledger }) => ledger.store()))
  await store.adjustBudget('all', { amount: -60, unit: 'usd', reason: 'refund' }, BY)
  await until(async () => (await leftAt(two)) === 60)
  t.same(await one.usage(), usage(40, 50))
  await store.adjustBudget('all', { amount: 5, unit: 'usd', reason: 'more' }, BY)
  t.same(await one.usage(), usage(45, 50))
  await store.deleteBudget('all', ANY)
  t.ok(one.isFree)
  await until(() => two.isFree)
})

test('Redis that has lost everything learns of it from nodes and database, and grants nothing before', async (t) => {
  const { nodes, redis } = await setUp(t, 1000)
  const [one, two] = nodes
  const stream = held(await one.reserve(300))
  await two.spend(200)
  await two.ledger.store()
  await redis.kill()
  await redis.startAgain()
  await until(async () => (await leftAt(two)) > 0)
  t.equal(await leftAt(two), 500)
  held(await two.reserve(500))
  stream.settle({ nano: 300, tokens: 0 })
  t.equal(await one.reserve(1), null)
  await until(async () => (await one.usage())?.reserved === 500)
  t.same(await one.usage(), usage(500, 500))
})

test('what somebody has deleted in Redis is told again', async (t) => {
  const { nodes, redis } = await setUp(t, 1000)
  const [one, two] = nodes
  await one.spend(300)
  const client = connectRedis(redis.url)
  t.teardown(() => client.disconnect())
  await client.flushall()
  await until(async () => (await leftAt(two)) > 0)
  t.equal(await leftAt(two), 700)
})

test('without Redis nothing is granted where it is to be closed, and each node goes on alone where it is to be local', async (t) => {
  const closed = await setUp(t, 1000)
  const local = await setUp(t, 1000, { onDown: 'local' })
  for (const { nodes } of [closed, local]) for (const node of nodes) await node.spend(100)
  for (const { nodes } of [closed, local]) await until(async () => (await nodes[0].usage())?.spent === 200)
  await Promise.all([closed.redis.kill(), local.redis.kill()])
  await until(async () => (await closed.nodes[0].reserve(1)) === 'unavailable')
  for (const node of local.nodes) {
    await until(() => node.news.some(({ state }) => state?.isUp === false))
    const stream = held(await node.reserve(1, 5000))
    t.equal(stream.held.nano, 800, 'what was left when it last heard')
    stream.settle({ nano: 600, tokens: 0 })
  }
  await Promise.all([closed.redis.startAgain(), local.redis.startAgain()])
  await until(async () => (await leftAt(closed.nodes[0])) === 800)
  await until(async () => (await local.nodes[0].usage())?.spent === 1400)
  t.equal(await local.nodes[1].reserve(1), null)
  const debt = () => local.nodes.flatMap(({ news }) => news).reduce((sum, { debtNano }) => sum + debtNano, 0)
  await until(() => debt() >= 400)
  t.equal(debt(), 400, 'is counted')
})

test('a node that starts again tells what it spent when it was killed, and nothing of what it held in advance is lost', async (t) => {
  const { nodes, open } = await setUp(t, 1000)
  const [one, two] = nodes
  for (let i = 0; i < 5; i++) await one.spend(10)
  held(await one.reserve(100))
  // As after a kill: neither its claims nor its journal are settled.
  await one.abandon()
  const again = await open({ journal: one.journal })
  await until(async () => (await two.usage())?.spent === 150)
  t.same(await again.usage(), usage(150))
  t.equal(await leftAt(two), 850)
})

test('a node that ends tells all, and leaves nothing behind', async (t) => {
  const { nodes, redis, postgres } = await setUp(t, 1000)
  const [one, two] = nodes
  for (let i = 0; i < 5; i++) await one.spend(10)
  await one.close()
  t.same(await two.usage(), usage(50))
  t.equal(await leftAt(two), 950)
  t.same(one.files(), [])
  t.same(
    (await server.run(postgres, 'select id from sluice.nodes')).map(({ id }) => id),
    [two.id],
  )
  const client = connectRedis(redis.url)
  t.teardown(() => client.disconnect())
  t.same(await client.zrange('{sluice}:spend:nodes', '0', '-1'), [two.id])
})

test('a window that has ended takes nothing into the next one', async (t) => {
  const clockOffset = new SharedArrayBuffer(8)
  const shift = new Float64Array(clockOffset)
  const { nodes } = await setUp(t, 1000, { clockOffset })
  const [one, two] = nodes
  await one.accounts.store.deleteBudget('all', ANY)
  await one.accounts.store.createBudget({ name: 'hourly', scope: 'gateway', unit: 'usd', limit: 100, per: 'hour' }, BY)
  await until(() => !two.isFree)
  const stream = held(await one.reserve(100))
  await until(async () => (await two.reserve(1)) === null)
  shift[0] = 2 * 3_600_000
  const next = held(await two.reserve(60))
  await until(async () => (await leftAt(one)) === 40)
  held(await one.reserve(40))
  stream.settle({ nano: 100, tokens: 0 })
  next.settle({ nano: 60, tokens: 0 })
  await until(async () => (await one.usage('hourly'))?.spent === 60)
  t.same(await one.usage('hourly'), usage(60, 40))
})

/** Nodes, and a budget that each end user has for itself. */
async function setUpUsers(
  t: Test,
  limit: number,
  over: Partial<SpendingNodeOptions> = {},
  per: BudgetPeriod = 'total',
) {
  const rig = await setUp(t, 1_000_000_000, over)
  await rig.nodes[0].accounts.store.createBudget({ name: 'each', scope: 'user', unit: 'usd', limit, per }, BY)
  for (const { accounts } of rig.nodes) await until(async () => (await accounts.store.getBudget('each')) !== null)
  // It is known once it refuses: more than it has can never be had.
  for (const node of rig.nodes) await until(async () => (await node.reserve(limit + 1, limit + 1, 'nobody')) === null)
  const client = connectRedis(rig.redis.url)
  t.teardown(() => client.disconnect())
  return { ...rig, client }
}

async function leftOf(node: SpendingNode, user: string): Promise<number> {
  const reserved = await node.reserve(1, 1_000_000, user)
  if (reserved === null || reserved === 'unavailable') return 0
  reserved.settle({ nano: 0, tokens: 0 })
  return reserved.held.nano
}

test('two nodes spend together what an end user may, and no user takes from another', async (t) => {
  const { nodes, postgres, client } = await setUpUsers(t, 1000)
  const [one, two] = nodes
  const first = held(await one.reserve(300, 300, 'anna'))
  // What the other one has in advance is given back.
  await until(async () => (await leftOf(two, 'anna')) === 700)
  const second = held(await two.reserve(100, 5000, 'anna'))
  t.equal(second.held.nano, 700, 'as much as there is')
  t.equal(await one.reserve(1, 1, 'anna'), null)
  t.equal(held(await one.reserve(1000, 1000, 'ben')).held.nano, 1000, 'another one has all of its own')
  for (const node of nodes) await until(async () => (await node.usage('each', 'anna'))?.reserved === 1000)
  first.settle({ nano: 200, tokens: 0 })
  await until(async () => (await leftOf(two, 'anna')) === 100)
  second.settle({ nano: 700, tokens: 0 })
  for (const node of nodes) await until(async () => (await node.usage('each', 'anna'))?.reserved === 0)
  for (const node of nodes) t.same(await node.usage('each', 'anna'), usage(900))
  t.same(await two.usage('each', 'nobody at all'), usage(0), 'who was never there')
  await Promise.all(nodes.map(({ ledger }) => ledger.store()))
  const sums = await server.run(
    postgres,
    `select spent_nano::int as spent from sluice.budget_shares where budget_id like '%/%' order by 1`,
  )
  t.same(sums, [{ spent: 200 }, { spent: 700 }])
  await until(async () => (await two.usage('each'))?.reserved === 1000)
  t.same(await two.usage('each'), usage(900, 1000), 'all users together')
  t.match(await two.accounts.store.getBudget('each'), { users: 1 }, 'so many have spent something')
  const keys = await client.keys('{sluice}:spend:budget_*')
  t.ok(keys.some((key) => key.includes('/')))
  for (const user of ['anna', 'ben'])
    t.notOk(
      keys.some((key) => key.includes(digestOfUser(user))),
      'by a secret name',
    )
  for (const key of keys) t.ok((await client.pttl(key)) > 0, `${key} is forgotten`)
})

test('what a user has in advance on one node is given back when it is idle', async (t) => {
  const { nodes } = await setUpUsers(t, 1_000_000)
  const [one, two] = nodes
  for (let i = 0; i < 6; i++) await one.spend(10_000, 'anna')
  await until(async () => (await leftOf(two, 'anna')) === 940_000)
  await until(async () => (await leftOf(one, 'anna')) === 940_000)
})

test('a change of the limit and an adjustment of one user hold on all nodes', async (t) => {
  const { nodes } = await setUpUsers(t, 1000)
  const [one, two] = nodes
  const { store } = one.accounts
  for (const node of nodes) for (const user of ['anna', 'ben']) await node.spend(100, user)
  await Promise.all(nodes.map(({ ledger }) => ledger.store()))
  await store.updateBudget('each', { limit: 250, unit: 'usd' }, ANY)
  for (const node of nodes) await until(async () => (await leftOf(node, 'ben')) === 50)
  await store.adjustBudget('each', { amount: -60, unit: 'usd', reason: 'refund', user: 'anna' }, BY)
  for (const node of nodes) await until(async () => (await leftOf(node, 'anna')) === 110)
  t.equal(await leftOf(two, 'ben'), 50)
  await store.adjustBudget('each', { amount: 200, unit: 'usd', reason: 'more', user: 'cleo' }, BY)
  for (const node of nodes) await until(async () => (await leftOf(node, 'cleo')) === 50)
  for (const node of nodes) t.same(await node.usage('each', 'cleo'), usage(200), 'who had not spent anything')
  t.match(await rejectionOf(store.adjustBudget('each', { amount: 1, unit: 'usd', reason: 'x' }, BY)), {
    code: 'invalid_request',
  })
  await store.deleteBudget('each', ANY)
  for (const node of nodes) await until(async () => (await leftOf(node, 'anna')) === 1_000_000)
})

test('Redis that has lost everything learns from nodes and database what each user has spent', async (t) => {
  const { nodes, redis, open } = await setUpUsers(t, 1000)
  const [one, two] = nodes
  const stream = held(await one.reserve(300, 300, 'anna'))
  await two.spend(200, 'anna')
  await two.spend(999, 'ben')
  await two.ledger.store()
  await two.close()
  await redis.kill()
  await redis.startAgain()
  const three = await open()
  await until(async () => (await leftOf(three, 'anna')) > 0)
  t.ok((await leftOf(three, 'anna')) <= 500)
  await until(async () => (await leftOf(three, 'anna')) === 500)
  await until(async () => (await leftOf(one, 'ben')) === 1)
  stream.settle({ nano: 300, tokens: 0 })
  await until(async () => (await three.usage('each', 'anna'))?.reserved === 0)
  for (const node of [one, three]) t.same(await node.usage('each', 'anna'), usage(500))
})

test('what a killed node claims of a user stays spent until it starts again with its journals', async (t) => {
  const { nodes, open } = await setUpUsers(t, 1_000_000)
  const [one, two] = nodes
  for (let i = 0; i < 5; i++) await one.spend(10_000, 'anna')
  held(await one.reserve(100_000, 100_000, 'anna'))
  await one.abandon()
  t.ok((await leftOf(two, 'anna')) <= 850_000, 'as long as it is gone')
  const again = await open({ journal: one.journal })
  await until(async () => (await leftOf(two, 'anna')) === 850_000)
  for (const node of [again, two]) {
    await until(async () => (await node.usage('each', 'anna'))?.reserved === 0)
    t.same(await node.usage('each', 'anna'), usage(150_000))
  }
  t.same(await again.usage('each'), usage(150_000))
})

test('all nodes together tell so many users apart, and say so to further ones; the next window begins with none', async (t) => {
  const clockOffset = new SharedArrayBuffer(8)
  const { nodes, client } = await setUpUsers(t, 1000, { clockOffset }, 'hour')
  const [one] = nodes
  await one.spend(10, 'anna')
  const [counter = ''] = await client.keys('{sluice}:spend:budget_*:users')
  t.equal(await client.get(counter), '2')
  await client.set(counter, MAX_BUDGET_USERS)
  for (const node of nodes) {
    t.match(await node.set('late').reserve({ nano: 1, tokens: 0 }, { nano: 1, tokens: 0 }), {
      ...{ refused: true, budget: 'each', isCrowded: true, isUnavailable: false },
      resetsAtMs: Number,
    })
    await until(async () => (await leftOf(node, 'anna')) === 990)
  }
  new Float64Array(clockOffset)[0] = 3_600_000
  for (const node of nodes)
    for (const user of ['late', 'anna']) await until(async () => (await leftOf(node, user)) === 1000)
  t.pass('who is known went on, and all do in the next window')
})

test('a node that starts without the database claims nothing, and learns of what end users have spent when it is back', async (t) => {
  const { nodes, open, redis } = await setUp(t, 1000)
  await nodes[0].spend(100)
  await nodes[0].ledger.store()
  const snapshot = join(t.testdir(), 'accounts.snapshot')
  await (await open({ snapshot })).close()
  await nodes[0].accounts.store.createBudget({ name: 'each', scope: 'user', unit: 'usd', limit: 100, per: 'total' }, BY)
  await until(async () => (await nodes[0].reserve(101, 101, 'anna')) === null)
  await nodes[0].spend(40, 'anna')
  await nodes[0].ledger.store()
  await server.kill()
  const node = await open({ snapshot })
  t.equal(await node.reserve(1), 'unavailable')
  const client = connectRedis(redis.url)
  t.teardown(() => client.disconnect())
  const [window = ''] = (await client.keys('{sluice}:spend:budget_*')).filter((key) => !/[/]|:open$|:users$/.test(key))
  await until(async () => (await client.hget(window, 'total')) === '140')
  t.equal(await client.hget(window, `c:${node.id}`), null, 'nothing is claimed that nobody would give back')
  await server.start()
  await until(() => node.accounts.troubles.includes('is available again'))
  t.match(node.accounts.troubles, [/503 until the database is back\.$/, /again$/])
  t.match(await node.usage(), usage(140))
  await until(async () => (await leftAt(node)) === 860)
  for (const [user, left] of [
    ['anna', 60],
    ['ben', 100],
  ] as const) {
    await until(async () => (await leftOf(node, user)) === left)
  }
})
