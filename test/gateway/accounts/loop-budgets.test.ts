// The budgets of an event loop over a real account database: what it settles is there, and its journal is gone when it has closed.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { DirectoryWriter } from '../../../src/accounts/directory/writer.js'
import { type AccountsStore } from '../../../src/accounts/store.js'
import { LoopAccounts } from '../../../src/gateway/accounts/loop-accounts.js'
import { createLoopBudgets } from '../../../src/gateway/accounts/loop-budgets.js'
import { newKey, openNode } from '../../helpers/accounts-rig.js'

/** Beside the lock of the folder. */
function journalsIn(folder: string): number {
  return readdirSync(folder).filter((name) => name.endsWith('.journal')).length
}

const BY = { by: 'admin' }

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-loop-budgets-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const directory = createDirectoryMemory(10)
  const writer = new DirectoryWriter(directory)
  const database = { store: 'sqlite', path: join(folder, 'accounts.db') } as const
  const journal = join(folder, 'journal')
  const node = await openNode(t, { database, directory, fileKeys: [], clockOffset: null, journal })
  const accounts = new LoopAccounts(directory)
  const counted: unknown[] = []
  const counters = {
    budgetRefused: (scope: string) => void counted.push(scope),
    budgetDebt: (nano: number) => void counted.push(nano),
  }
  const place: { store: AccountsStore | null } = { store: null }
  const budgets = createLoopBudgets({
    ...{ accounts, journal, counters, store: () => place.store },
    ...{ maxJournalBytes: 1_000_000, onJournalState: (state) => void counted.push(state) },
  })
  return { node, writer, accounts, budgets, counted, place, journal }
}

test('a key of the database spends from its own budget, and the database has it when the loop closes', async (t) => {
  const { node, writer, accounts, budgets, counted, place, journal } = await setUp(t)
  const { key } = await node.store.createKey(
    newKey('app1', { budgets: [{ unit: 'usd', limit: 1000, per: 'total' }], tags: ['night'] }),
    BY,
  )
  await node.store.createBudget({ name: 'night', scope: 'tag:night', unit: 'usd', limit: 100, per: 'total' }, BY)
  const { id, name, models, limits, tags, trustUser, disabled, expiresAtMs } = key
  writer.put({ id, name, models, limits, tags, trustUser, disabled, expiresAtMs, team: null }, [])
  const accountIndex = accounts.byId(id)?.index ?? -1
  const set = budgets.budgeting.desk.budgetsOf({ owner: id, accountIndex, model: 'fast', user: null })
  const held = await set?.reserve({ nano: 10, tokens: 0 }, { nano: 60, tokens: 0 })
  if (held === undefined || held.refused) throw new Error('refused')
  t.match(await node.store.getBudget('key:app1:total'), { reserved: 60, spent: 0 })
  t.match(await set?.reserve({ nano: 50, tokens: 0 }, { nano: 60, tokens: 0 }), { refused: true, budget: 'night' })
  held.settle({ nano: 120, tokens: 0 })
  t.same(counted, ['tag', 20])
  t.equal(journalsIn(journal), 1)
  place.store = node.store
  await budgets.close()
  t.equal(journalsIn(journal), 0, 'nothing is left for the next start')
  await node.store.createKey(newKey('app2'), BY)
  t.match(await node.store.getBudget('key:app1:total'), { reserved: 0, spent: 120 })
  t.match(await rejected(node.store.adjustBudget('night', { unit: 'usd', amount: -121, reason: 'x' }, BY)), 'refund')
  await node.store.adjustBudget('night', { unit: 'usd', amount: -120, reason: 'the database has all of it' }, BY)
})

test('before the loop has its way to the database, the journal keeps what it settles', async (t) => {
  const { node, budgets, journal } = await setUp(t)
  await node.store.createBudget({ name: 'all', scope: 'gateway', unit: 'tokens', limit: 1000, per: 'day' }, BY)
  const set = budgets.budgeting.desk.budgetsOf({ owner: null, accountIndex: -1, model: 'fast', user: null })
  t.equal(journalsIn(journal), 0, 'no request, no journal')
  const held = await set?.reserve({ nano: 0, tokens: 10 }, { nano: 0, tokens: 60 })
  if (held?.refused === false) held.settle({ nano: 0, tokens: 30 })
  await budgets.close()
  t.equal(journalsIn(journal), 1)
})

async function rejected(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => '',
    (thrown: unknown) => String(thrown),
  )
}
