// What a start makes of the journals that a process has left.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { Journal } from '../../../../src/accounts/budgets/journal/journal.js'
import { deleteJournals, lockJournals, replayJournals } from '../../../../src/accounts/database/budgets/replay.js'
import { addBatches } from '../../../../src/accounts/database/budgets/spend.js'
import { openAccountsFile } from '../../../../src/accounts/database/sqlite.js'
import { createDirectoryMemory } from '../../../../src/accounts/directory/memory.js'
import { type Charge } from '../../../../src/accounts/types.js'
import { openNode } from '../../../helpers/accounts-rig.js'
import { rejectionOf } from '../../../helpers/thrown.js'

function charge(nano: number): Charge {
  return { budgetId: 'budget_a', windowStartMs: 0, nano, tokens: 0 }
}

function setUp(t: Test) {
  const root = mkdtempSync(join(tmpdir(), 'sluice-replay-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  return { path: join(root, 'a.db'), folder: join(root, 'a.db.journal') }
}

/** With one budget. */
async function openDatabase(t: Test, path: string) {
  const { db, close } = openAccountsFile(path)
  t.teardown(close)
  const row = { id: 'budget_a', name: 'a', kind: 'gateway', subject: '', per: 'total', unit: 'usd', amount: 1000 }
  await db
    .insertInto('budgets')
    .values({ ...row, inline: 0, created_at_ms: 0, version: 1 })
    .execute()
  const spent = async () => (await db.selectFrom('budget_windows').select('spent_nano').executeTakeFirst())?.spent_nano
  return { db, spent }
}

test('adds what is not stored yet and what was held, once, also where the journal could not be deleted', async (t) => {
  const { path, folder } = setUp(t)
  const { db, spent } = await openDatabase(t, path)
  const journal = new Journal(folder, 'one')
  for (const n of [1, 2, 3]) journal.reserve(n, [charge(100)])
  journal.settle(1, 1, [charge(40)])
  journal.settle(2, 2, [charge(7)])
  journal.flush()
  await addBatches(db, [{ journal: 'one', sequence: 1, charges: [charge(40)] }], [])
  t.same(await replayJournals(db, folder), ['one'])
  t.equal(await spent(), 147)
  t.same(await replayJournals(db, folder), ['one'], 'killed before it was deleted')
  t.equal(await spent(), 147)
  deleteJournals(folder, ['one'])
  t.same(readdirSync(folder), [])
  t.same(await replayJournals(db, folder), [])
})

test('no folder is nothing to add; one that cannot be read is no reason to forget what was spent', async (t) => {
  const { path, folder } = setUp(t)
  const { db } = await openDatabase(t, path)
  t.same(await replayJournals(db, folder), [])
  writeFileSync(folder, 'a file in its place')
  const message = /^accounts\.journal: the journals of budgets in .* cannot be read/
  t.match(await rejectionOf(replayJournals(db, folder)), { code: 'misconfigured', message })
  rmSync(folder)
  mkdirSync(folder)
  writeFileSync(join(folder, 'other.journal'), 'of another version')
  t.match(await rejectionOf(replayJournals(db, folder)), { code: 'misconfigured', message })
})

test('a start knows what was spent before anything listens, and leaves no journal', async (t) => {
  const { path, folder } = setUp(t)
  const start = { directory: createDirectoryMemory(10), fileKeys: [], clockOffset: null, journal: folder }
  const database = { store: 'sqlite', path } as const
  const first = await openNode(t, { ...start, database })
  const terms = { name: 'all', scope: 'gateway', unit: 'usd', limit: 1000, per: 'total' } as const
  const { budget } = await first.store.createBudget(terms, { by: 'admin' })
  await first.close()
  const journal = new Journal(folder, 'one')
  journal.reserve(1, [{ ...charge(300), budgetId: budget.id }])
  journal.reserve(2, [{ ...charge(50), budgetId: 'budget_deleted' }])
  journal.flush()
  // libsql holds the lock of a file until its thread ends.
  copyFileSync(path, `${path}.copy`)
  const second = await openNode(t, { ...start, database: { store: 'sqlite', path: `${path}.copy` } })
  t.match(await second.store.getBudget('all'), { spent: 300 })
  t.notOk(existsSync(join(folder, 'one.journal')))
})

test('a folder that another gateway uses is refused at the start, whatever its database; afterwards it is free', async (t) => {
  const { path, folder } = setUp(t)
  const start = { directory: createDirectoryMemory(1), fileKeys: [], clockOffset: null, journal: folder }
  const one = await openNode(t, { ...start, database: { store: 'sqlite', path } })
  const other = { ...start, database: { store: 'sqlite', path: `${path}.other` } } as const
  t.match(await rejectionOf(openNode(t, other)), {
    code: 'misconfigured',
    message: `accounts.journal: ${folder} is in use by another gateway. Each needs a folder of its own.`,
  })
  await one.close()
  await (await openNode(t, { ...other, database: { store: 'sqlite', path: `${path}.third` } })).close()
})

test('a folder that cannot be made is told of, and is no reason not to start', async (t) => {
  const { path, folder } = setUp(t)
  writeFileSync(folder, '')
  const reports: string[] = []
  t.equal(
    lockJournals(folder, (message) => void reports.push(message)),
    null,
  )
  t.match(reports, [/cannot be locked \(E/])
  t.notOk(existsSync(path))
})
