// Budgets that several nodes spend from, with a real PostgreSQL and a real Redis.
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { type Reservation } from '../../src/accounts/budgets/types.js'
import { digestOfUser } from '../../src/accounts/budgets/user-slots.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { openNode } from '../helpers/accounts-rig.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'
import { SpendingNode, type SpendingNodeOptions } from '../helpers/spending-node.js'
import { rejectionOf } from '../helpers/thrown.js'

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

async function canServe(node: SpendingNode, user: string): Promise<boolean> {
  const reserved = await node.reserve(1, 1, user)
  if (reserved === null || reserved === 'unavailable') return false
  reserved.settle({ nano: 0, tokens: 0 })
  return true
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

test('budgets of end users hold on one node alone: where nodes share budgets, none of them is silently unlimited', async (t) => {
  const { nodes, open, postgres } = await setUp(t, 1000)
  const [one, two] = nodes
  const budget = { name: 'each', scope: 'user', unit: 'usd', limit: 100, per: 'total' } as const
  const refusal = { code: 'invalid_request', message: /end users .* need accounts\.singleNode: true/ }
  t.match(await rejectionOf(one.accounts.store.createBudget(budget, BY)), refusal)
  held(await one.reserve(10, 10, 'alice')).settle({ nano: 0, tokens: 0 })
  const directory = createDirectoryMemory(10)
  const database = { store: 'postgres', url: postgres } as const
  const alone = await openNode(t, { database, directory, isSingleNode: true, fileKeys: [], clockOffset: null })
  const { budget: created } = await alone.store.createBudget(budget, BY)
  const charges = [{ budgetId: `${created.id}/${digestOfUser('alice')}`, windowStartMs: 0, nano: 10, tokens: 0 }]
  await alone.store.addSpend([{ journal: 'alone', sequence: 1, charges }], [])
  for (const node of nodes) await until(async () => !(await canServe(node, 'alice')))
  held(await two.reserve(10)).settle({ nano: 0, tokens: 0 })
  const failure = { code: 'misconfigured', message: /each is a budget of end users.*accounts\.singleNode: true/ }
  t.match(await rejectionOf(open()), failure)
  const line = 'each is a budget of end users.'
  for (const { accounts } of nodes) {
    await until(() => accounts.troubles.length > 0)
    t.match(accounts.troubles, [new RegExp(`^${line}.* get 503\\.$`)], 'once')
  }
  await one.accounts.store.deleteBudget('each', ANY)
  for (const node of nodes) await until(() => canServe(node, 'alice'))
  t.same(await server.run(postgres, `select budget_id from sluice.budget_windows where budget_id like '%/%'`), [])
})

test('a node that starts without the database claims nothing, and goes on with a budget of end users that it finds there', async (t) => {
  const { nodes, open, postgres, redis } = await setUp(t, 1000)
  await nodes[0].spend(100)
  await nodes[0].ledger.store()
  const snapshot = join(t.testdir(), 'accounts.snapshot')
  await (await open({ snapshot })).close()
  const directory = createDirectoryMemory(10)
  const database = { store: 'postgres', url: postgres } as const
  const alone = await openNode(t, { database, directory, isSingleNode: true, fileKeys: [], clockOffset: null })
  await alone.store.createBudget({ name: 'each', scope: 'user', unit: 'usd', limit: 100, per: 'total' }, BY)
  await server.kill()
  const node = await open({ snapshot })
  t.equal(await node.reserve(1), 'unavailable')
  const client = connectRedis(redis.url)
  t.teardown(() => client.disconnect())
  const [window = ''] = (await client.keys('{sluice}:spend:budget_*')).filter((key) => !key.endsWith(':open'))
  t.equal(await client.hget(window, 'total'), '100')
  t.equal(await client.hget(window, `c:${node.id}`), null, 'nothing is claimed that nobody would give back')
  await server.start()
  await until(() => node.accounts.troubles.includes('is available again'))
  t.match(node.accounts.troubles, [/503 until the database is back\.$/, /^each is a budget of end users/, /again$/])
  t.match(await node.usage(), usage(100))
  t.equal(await leftAt(node), 900)
  t.equal(await node.reserve(1, 1, 'alice'), 'unavailable')
  await node.close()
  await server.kill()
  const again = await open({ snapshot })
  t.match(again.accounts.troubles, [/503 until the database is back/, /^each is a budget of end users/], 'it is known')
  t.equal(await again.reserve(1, 1, 'alice'), 'unavailable')
  await server.start()
})
