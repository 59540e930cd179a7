// Group commit: what shares a transaction, and what becomes of the others when one of them fails.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { type Test, test } from 'tap'
import { Commits } from '../../../src/accounts/database/commits.js'
import { Feed } from '../../../src/accounts/database/feed.js'
import { openAccountsFile } from '../../../src/accounts/database/sqlite.js'
import { GatewayError } from '../../../src/errors.js'
import { MapDirectory } from '../../helpers/accounts-rig.js'
import { BudgetRig } from '../../helpers/budget-rig.js'
import { rejectionOf } from '../../helpers/thrown.js'

function open(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-commits-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { db, failureOf, close } = openAccountsFile(join(folder, 'a.db'))
  const failures: unknown[] = []
  const changes: (readonly string[])[] = []
  const commits = new Commits({
    ...{
      database: { db, shared: null },
      feed: new Feed({ writer: new MapDirectory(), budgets: new BudgetRig().writer, nowMs: Date.now }),
    },
    onFailure(thrown) {
      failures.push(thrown)
      return failureOf(thrown)
    },
    onChanged: (ids) => changes.push(ids),
  })
  t.teardown(async () => {
    await commits.idle()
    await close()
  })
  const addUse = (id: string) =>
    commits.run((tx) => tx.insertInto('uses').values({ key_id: id, last_used_at_ms: 1 }).execute())
  const uses = async () => (await db.selectFrom('uses').select('key_id').execute()).map(({ key_id }) => key_id)
  return { db, commits, failures, addUse, uses }
}

test('what is asked for in one turn shares a transaction, and sees what came before in it', async (t) => {
  const { db, commits, uses } = open(t)
  const begun: number[] = []
  const [first, second] = await Promise.all([
    commits.run(async (tx) => {
      begun.push(1)
      await tx.insertInto('uses').values({ key_id: 'a', last_used_at_ms: 1 }).execute()
      return 'first'
    }),
    commits.run(async (tx) => (await tx.selectFrom('uses').selectAll().execute()).length),
  ])
  t.same([first, second, begun], ['first', 1, [1]])
  t.same(await uses(), ['a'])
  await commits.idle()
  t.ok(db)
})

test('one that fails is rolled back alone; the others are done again, each by itself', async (t) => {
  const { addUse, uses, failures } = open(t)
  const [a, twice, b] = await Promise.all([
    addUse('a').then(() => 'done'),
    rejectionOf(addUse('a')),
    addUse('b').then(() => 'done'),
  ])
  t.same([a, b], ['done', 'done'])
  t.match(twice, { code: 'overloaded', status: 503, retryAfterMs: 1000 }, 'a fault that may pass')
  t.same(await uses(), ['a', 'b'])
  t.equal(failures.length, 1, 'only what failed by itself is told')
})

test('a refusal is an answer: it fails no transaction, and is told to nobody', async (t) => {
  const { commits, addUse, uses, failures } = open(t)
  const [, refused] = await Promise.all([
    addUse('a'),
    rejectionOf(commits.run(() => Promise.reject(new GatewayError('conflict')))),
  ])
  t.match(refused, { code: 'conflict' })
  t.same([await uses(), failures], [['a'], []])
})

test('a database that takes no changes still answers what only reads', async (t) => {
  const { db, commits, addUse } = open(t)
  await addUse('a')
  await sql`pragma query_only = on`.execute(db)
  const [refused, read] = await Promise.all([
    rejectionOf(addUse('b')),
    commits.run((tx) => tx.selectFrom('uses').selectAll().execute()),
  ])
  t.match(refused, { code: 'storage_unavailable', message: /^The account database is damaged or not writable/ })
  t.same(read, [{ key_id: 'a', last_used_at_ms: 1 }])
  await sql`pragma query_only = off`.execute(db)
  await addUse('c')
})

test('what is none of the database is internal', async (t) => {
  const { commits } = open(t)
  t.match(await rejectionOf(commits.run(() => Promise.reject(new TypeError('x')))), { code: 'internal' })
})
