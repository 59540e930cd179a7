// Keys and teams in PostgreSQL: the suite of all stores, and what several nodes and a database that is away make of them.
import { sql } from 'kysely'
import pg from 'pg'
import tap, { type Test, test } from 'tap'
import { openPostgres } from '../../../src/accounts/database/postgres.js'
import { reportSpend } from '../../../src/accounts/database/rollups/spend-reports.js'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { LoopRollups } from '../../../src/accounts/rollups/loop-rollups.js'
import { type SpendDimension } from '../../../src/accounts/rollups/reports.js'
import { DAY_MS, HOUR_MS, noCounts } from '../../../src/accounts/rollups/types.js'
import { digestOf } from '../../../src/accounts/secret.js'
import { RollupWriter } from '../../../src/gateway/accounts/rollup-writer.js'
import { type AccountsNode, type AccountsRig, newKey, openNode, type RigOptions } from '../../helpers/accounts-rig.js'
import { accountsSuite } from '../../helpers/accounts-suite.js'
import { startCommitCutter } from '../../helpers/commit-cutter.js'
import { startPostgres } from '../../helpers/postgres-server.js'
import { postgresVisits } from '../../helpers/query-plans.js'
import { fillMonth, rollupSuite } from '../../helpers/rollup-suite.js'
import { startDoor } from '../../helpers/shut-door.js'
import { rejectionOf } from '../../helpers/thrown.js'

const server = await startPostgres(tap)
const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }

function nodeOf(t: Test, url: string, { maxKeys = 1000, fileKeys = [] }: RigOptions = {}): Promise<AccountsNode> {
  const start = { directory: createDirectoryMemory(maxKeys), fileKeys, clockOffset: null }
  return openNode(t, { ...start, database: { store: 'postgres', url } })
}

async function open(t: Test, { maxKeys = 1000, fileKeys = [] }: RigOptions = {}): Promise<AccountsRig> {
  const clockOffset = new SharedArrayBuffer(8)
  const shift = new Float64Array(clockOffset)
  const database = { store: 'postgres', url: await server.createDatabase() } as const
  const start = { database, directory: createDirectoryMemory(maxKeys), isSingleNode: true, fileKeys, clockOffset }
  const node = await openNode(t, start)
  return {
    node,
    advance(ms) {
      shift[0] = (shift[0] ?? 0) + ms
    },
    async reopen() {
      await node.close()
      return openNode(t, start)
    },
  }
}

accountsSuite('postgres', open)
rollupSuite('postgres', open)

test('a report of a month visits the rows of its months and days, and those of hours at its ends alone', async (t) => {
  const { db, prepare, close } = openPostgres(await server.createDatabase())
  await prepare()
  t.teardown(close)
  await fillMonth(db)
  await sql`analyze`.execute(db)
  const fromMs = Date.UTC(2026, 10, 1)
  const visits = (by: readonly SpendDimension[], shiftMs = 0) =>
    postgresVisits(db, (recorded) => {
      const range = { fromMs: fromMs + shiftMs, toMs: fromMs + 30 * DAY_MS }
      return reportSpend(recorded, { ...range, by, after: null, limit: 10 })
    })
  // 200 end users a day, of 5 keys; 24 hours of 3 models. A first page that is not all adds up its total as well.
  t.ok((await visits(['user'])) <= 2 * 200 + 1)
  t.ok((await visits(['key', 'user'])) <= 2 * 200 + 1)
  t.ok((await visits(['day', 'user'])) <= 2 * 200 + 200)
  t.ok((await visits(['team'], HOUR_MS)) <= 30 * 3 + 23 + 3)
})

/** Resolves when the node has heard of a change. */
function heard({ store }: AccountsNode): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const end = store.subscribe(({ ids }) => {
      end()
      resolve(ids)
    })
  })
}

test('a change on one node is on the other, and both change the same key in one order', async (t) => {
  const url = await server.createDatabase()
  const [one, two] = await Promise.all([nodeOf(t, url), nodeOf(t, url)])
  const news = heard(two)
  const { key, secret } = await one.store.createKey(newKey('app1'), BY)
  t.same(await news, [key.id])
  t.match(two.directory.find(digestOf(secret ?? '')), { account: { name: 'app1' } })
  t.same(await two.store.createKey(newKey('app1'), BY), { key, secret: null })
  const made = await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).store.updateKey('app1', { tags: [`${i}`] }, ANY)),
  )
  t.equal(new Set(made.map(({ version }) => version)).size, 40)
  const last = made.reduce((a, b) => (a.version > b.version ? a : b))
  t.same((await one.store.getKey('app1'))?.tags, last.tags)
  t.same(one.directory.named('app1')?.tags, last.tags, 'a call reads what has changed')
  await one.store.deleteKey('app1', ANY)
  while (two.directory.keys.size > 0) await pause(20)
  t.equal(two.directory.find(digestOf(secret ?? '')), null)
})

test('a commit whose answer is lost is answered as what it was: made, with its secret, or not made', async (t) => {
  const url = await server.createDatabase()
  const cutter = await startCommitCutter(t, server.port)
  const node = await nodeOf(t, url.replace(`:${server.port}/`, `:${cutter.port}/`))
  cutter.cutAt = 'after'
  const { key, secret } = await node.store.createKey(newKey('made'), BY)
  t.match(node.directory.find(digestOf(secret ?? '')), { account: { id: key.id } })
  cutter.cutAt = 'before'
  t.match(await rejectionOf(node.store.createKey(newKey('lost'), BY)), { code: 'overloaded', retryAfterMs: 1000 })
  t.equal(await node.store.getKey('lost'), null)
  t.ok((await node.store.createKey(newKey('lost'), BY)).secret, 'asked for again, it is made once')
  t.same(await server.run(url, 'select name from sluice.keys order by name'), [{ name: 'lost' }, { name: 'made' }])
  t.same(await server.run(url, 'select key_count from sluice.state'), [{ key_count: '2' }])
})

test('rollups are added once, also where the answer to their commit is lost, and none while the database is away', async (t) => {
  const url = await server.createDatabase()
  const cutter = await startCommitCutter(t, server.port)
  const node = await nodeOf(t, url.replace(`:${server.port}/`, `:${cutter.port}/`))
  const rollups = new LoopRollups('loop-1', () => Date.UTC(2026, 10, 1))
  const writer = new RollupWriter(rollups, node.store)
  const source = { owner: 'key_a', keyName: 'app', team: '', model: 'm', provider: 'north', tags: [], user: null }
  const countOf = async () =>
    (await server.run(url, 'select requests from sluice.rollups order by span_hours')) as object[]
  for (const cutAt of [null, 'after', 'before', 'after', 'before'] as const) {
    rollups.add(source, { ...noCounts(), requests: 1 })
    cutter.cutAt = cutAt
    await writer.finish()
  }
  await writer.finish()
  t.equal(rollups.take(), null)
  t.same(await countOf(), [{ requests: '5' }, { requests: '5' }])
  // As after a doubt that lasted longer than the database was waited for.
  rollups.add(source, { ...noCounts(), requests: 1 })
  const batch = rollups.take()
  if (batch === null) throw new Error('nothing to write')
  await node.store.addRollups(batch)
  await writer.finish()
  t.same(await countOf(), [{ requests: '6' }, { requests: '6' }])
})

test('while the database is away, known keys stay, calls fail at once, and it is told once that it went and came', async (t) => {
  const url = await server.createDatabase()
  const node = await nodeOf(t, url)
  const { secret } = await node.store.createKey(newKey('app1'), BY)
  await server.kill()
  for (let i = 0; i < 3; i++) {
    const calls = [node.store.getKey('app1'), node.store.createKey(newKey('app2'), BY)]
    for (const call of calls) t.match(await rejectionOf(call), { code: 'overloaded', message: /cannot be reached/ })
  }
  t.match(node.directory.find(digestOf(secret ?? '')), { account: { name: 'app1' } })
  t.match(
    await rejectionOf(nodeOf(t, url)),
    { code: 'misconfigured', message: new RegExp(`^The account database at 127.0.0.1:${server.port} cannot be used`) },
    'no start without it',
  )
  await server.start()
  while (!node.troubles.some((text) => text.includes('available again'))) await pause(20)
  t.ok((await node.store.createKey(newKey('app2'), BY)).secret)
  t.equal(node.troubles.length, 2)
  t.match(node.troubles[0], /^overloaded: /)
  t.notMatch(node.troubles.join(), 'canary-password')
  await server.run(
    url,
    "insert into sluice.changes values (99, 0, 'x', 'x', 'x', (select id from sluice.keys limit 1), null, null)",
  )
  await server.run(url, 'update sluice.keys set disabled = 1; update sluice.state set revision = 99')
  while (node.directory.named('app1')?.disabled !== true) await pause(20)
  t.pass('a change without a hint is seen by the look each second')
})

test('a database that takes no changes answers what reads, and one that is slow is given up', async (t) => {
  const url = await server.createDatabase()
  const node = await nodeOf(t, url)
  await node.store.createKey(newKey('app1'), BY)
  const name = new URL(url).pathname.slice(1)
  const asReadOnly = async (value: string): Promise<void> => {
    await server.run(
      url.replace(name, 'postgres'),
      `alter database ${name} set default_transaction_read_only = ${value}`,
    )
    await server.run(
      url.replace(name, 'postgres'),
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and pid <> pg_backend_pid()`,
    )
    while ((await node.store.getKey('app1').catch(() => null)) === null) await pause(20)
  }
  await asReadOnly('on')
  const [refused, read] = await Promise.all([
    rejectionOf(node.store.createKey(newKey('app2'), BY)),
    node.store.getKey('app1'),
  ])
  t.match(refused, { code: 'storage_unavailable', message: 'The account database takes no changes.' })
  t.equal(read?.name, 'app1')
  await asReadOnly('off')
  t.ok(await node.store.createKey(newKey('app2'), BY))
  const blocker = new pg.Client({ connectionString: url })
  await blocker.connect()
  await blocker.query('begin; lock table sluice.state in exclusive mode')
  t.match(await rejectionOf(node.store.updateKey('app1', { tags: ['x'] }, ANY)), {
    code: 'overloaded',
    retryAfterMs: 1000,
  })
  await blocker.query('rollback')
  await blocker.end()
  t.match(await node.store.updateKey('app1', { tags: ['x'] }, ANY), { tags: ['x'] })
})

test('a database that no longer answers is given up with its connection, and used again when it answers', async (t) => {
  const node = await nodeOf(t, await server.createDatabase())
  const { secret } = await node.store.createKey(newKey('app1'), BY)
  server.freeze()
  try {
    t.match(await rejectionOf(node.store.createKey(newKey('app2'), BY)), { code: 'overloaded', retryAfterMs: 1000 })
    t.ok(node.directory.find(digestOf(secret ?? '')))
  } finally {
    server.thaw()
  }
  while (!node.troubles.some((text) => text.includes('available again'))) await pause(20)
  t.ok((await node.store.createKey(newKey('app2'), BY)).secret, 'the one that was given up has not been made later')
  t.equal(node.troubles.length, 2)
})

test('the tables of a newer version are refused, and left as they are', async (t) => {
  const url = await server.createDatabase()
  await (await nodeOf(t, url)).close()
  t.same(
    await server.run(url, 'select count(*)::int as n from sluice.nodes'),
    [{ n: 0 }],
    'who leaves takes its row along',
  )
  await server.run(url, 'update sluice.schema_version set version = 999')
  t.match(await rejectionOf(nodeOf(t, url)), {
    ...{
      code: 'misconfigured',
      message: /^The account database has schema version 999; this version of Sluice supports/,
    },
  })
})

test('what was spent is added once, also where the answer to the commit is lost', async (t) => {
  const url = await server.createDatabase()
  const cutter = await startCommitCutter(t, server.port)
  const database = { store: 'postgres', url: url.replace(`:${server.port}/`, `:${cutter.port}/`) } as const
  const start = { database, directory: createDirectoryMemory(10), isSingleNode: true, fileKeys: [], clockOffset: null }
  const { store } = await openNode(t, start)
  const { budget } = await store.createBudget(
    { name: 'all', scope: 'gateway', unit: 'usd', limit: 1000, per: 'total' },
    BY,
  )
  for (const [i, cutAt] of (['after', 'before', 'after'] as const).entries()) {
    const charges = [{ budgetId: budget.id, windowStartMs: 0, nano: 10, tokens: 0 }]
    const batch = { journal: 'one', sequence: i + 1, charges }
    cutter.cutAt = cutAt
    const failure = await store.addSpend([batch], []).then(
      () => null,
      () => 'failed',
    )
    t.equal(failure, cutAt === 'before' ? 'failed' : null)
    await store.addSpend([batch], [])
  }
  t.same(await server.run(url, 'select spent_nano::int as spent from sluice.budget_windows'), [{ spent: 30 }])
})

test('budgets hold on one node: they are refused where others may spend, and so is a start that finds some', async (t) => {
  const url = await server.createDatabase()
  const node = await nodeOf(t, url)
  const budget = { name: 'all', scope: 'gateway', unit: 'usd', limit: 1000, per: 'total' } as const
  const refusal = { code: 'invalid_request', message: /accounts\.singleNode: true/ }
  t.match(await rejectionOf(node.store.createBudget(budget, BY)), refusal)
  t.match(await rejectionOf(node.store.createKey(newKey('app1', { budgets: [budget] }), BY)), refusal)
  t.ok(await node.store.createKey(newKey('app1'), BY))
  await node.close()
  const start = { directory: createDirectoryMemory(10), fileKeys: [], clockOffset: null }
  const alone = await openNode(t, { ...start, isSingleNode: true, database: { store: 'postgres', url } })
  await alone.store.createBudget(budget, BY)
  await alone.close()
  t.match(await rejectionOf(nodeOf(t, url)), { code: 'misconfigured', message: /the database has budgets/ })
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

test('keys that another node made and that do not fit here are refused here, and everything else goes on', async (t) => {
  const url = await server.createDatabase()
  const [large, small] = [await nodeOf(t, url), await nodeOf(t, url)]
  small.directory.room = 1
  const { key, secret } = await large.store.createKey(newKey('app1'), BY)
  await large.store.createKey(newKey('app2'), BY)
  while (small.troubles.length === 0) await pause(20)
  t.match(small.troubles, [/^storage_full: no room for 1 keys, whose requests are refused: app2\. Raise/])
  t.match(small.directory.find(digestOf(secret ?? '')), { account: { id: key.id } })
  await large.store.updateKey('app1', { disabled: true }, ANY)
  while (small.directory.named('app1')?.disabled !== true) await pause(20)
  t.pass('later changes are seen')
  t.match(await small.store.updateKey('app2', { tags: ['x'] }, ANY), { tags: ['x'] }, 'and made')
  await small.store.deleteKey('app1', ANY)
  t.match(small.directory.named('app2'), { tags: ['x'] }, 'it is there as soon as there is room')
})

test('a server that ends every connection at once is asked again once a second, not ever more often', async (t) => {
  const url = await server.createDatabase()
  const door = await startDoor(t, server.port)
  const node = await nodeOf(t, url.replace(`:${server.port}/`, `:${door.port}/`))
  await node.store.createKey(newKey('app1'), BY)
  door.shut()
  while (door.refusals.length < 12) await pause(20)
  const withinSecond = door.refusals.map((from) => door.refusals.filter((atMs) => atMs >= from && atMs < from + 900))
  t.ok(Math.max(...withinSecond.map((each) => each.length)) <= 4, JSON.stringify(door.refusals))
})

test('a configuration without further key names is taken while the database is away', async (t) => {
  const url = await server.createDatabase()
  const door = await startDoor(t, server.port)
  const node = await nodeOf(t, url.replace(`:${server.port}/`, `:${door.port}/`), { fileKeys: ['a', 'b'] })
  door.shut()
  await node.reserve(['b'])
  t.match(await rejectionOf(node.reserve(['b', 'c'])), { code: 'overloaded' })
})
