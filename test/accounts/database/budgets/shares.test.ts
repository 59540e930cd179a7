// What each node has spent, beside the sum of all: seeds for Redis, and what is known of nodes that have ended.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import {
  ADJUSTED,
  addShares,
  endNodes,
  forgetNode,
  readAdjusted,
  readEnded,
  readNodes,
  readSeeds,
  readSpentBy,
  readUserSums,
} from '../../../../src/accounts/database/budgets/shares.js'
import { addBatches, forgetWindows, readBudgets } from '../../../../src/accounts/database/budgets/spend.js'
import { openAccountsFile } from '../../../../src/accounts/database/sqlite.js'

const nameOf = (id: string): string => `redis ${id}`
const NOW_MS = Date.UTC(2026, 10, 30, 7)
const PLACE = { budgetId: 'budget_a', windowStartMs: 0 }
const SEED = { ...PLACE, unit: 'usd', forgetMs: 99 } as const

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-shares-'))
  const { db, close } = openAccountsFile(join(folder, 'a.db'))
  t.teardown(async () => {
    await close()
    rmSync(folder, { recursive: true, force: true })
  })
  const row = { id: 'budget_a', name: 'a', kind: 'gateway', subject: '', per: 'total', unit: 'usd', amount: 1000 }
  await db
    .insertInto('budgets')
    .values({ ...row, inline: 0, created_at_ms: 0, version: 3 })
    .execute()
  const spend = (journal: string, sequence: number, nano: number, budgetId = 'budget_a') =>
    addBatches(db, [{ journal, sequence, charges: [{ budgetId, windowStartMs: 0, nano, tokens: 0 }] }], [])
  return { db, spend }
}

test('a window is seeded with what nodes have spent, what operators have changed, and the rest', async (t) => {
  const { db, spend } = await setUp(t)
  t.same(await readSeeds(db, []), [])
  t.same(await readSeeds(db, [SEED]), [{ ...PLACE, base: 0, plus: 0, minus: 0, stored: [], users: 0, forgetMs: 99 }])
  await spend('of-one-alone', 1, 100)
  await spend('node1.x', 1, 20)
  await spend('node1.y', 1, 5)
  await spend('node1.y', 1, 5)
  await spend('node2.x', 1, 30)
  await spend('node2.x', 2, 30, 'budget_gone')
  for (const [node, nano] of [
    [ADJUSTED.plus, 11],
    [ADJUSTED.minus, 4],
  ] as const) {
    await addShares(db, [{ budget_id: 'budget_a', window_start_ms: 0, node, spent_nano: nano, spent_tokens: 0 }])
  }
  await db
    .updateTable('budget_windows')
    .set({ spent_nano: 100 + 25 + 30 + 11 - 4 })
    .execute()
  const [seed] = await readSeeds(db, [SEED])
  t.match(seed, { base: 100, plus: 11, minus: 4 })
  const stored = [...(seed?.stored ?? [])].sort((a, b) => a.amount - b.amount)
  t.same(stored, [
    { node: 'node1', amount: 25 },
    { node: 'node2', amount: 30 },
  ])
  const adjusted = await readAdjusted(db, [0])
  t.same(adjusted.of('budget_a', 'usd', 0), { plus: 11, minus: 4, startMs: 0 })
  t.match(await readBudgets(db, null, NOW_MS), [{ spent: 162, version: 3, plus: 11, minus: 4, startMs: 0 }])
})

test('what a node that has ended has spent is known by window, nothing where it has spent nothing', async (t) => {
  const { db, spend } = await setUp(t)
  await spend('node1.x', 1, 20)
  const [named, other] = [nameOf('budget_a'), 'budget_b'].map((budgetId) => ({ budgetId, windowStartMs: 0 })) as [
    typeof PLACE,
    typeof PLACE,
  ]
  t.same(await readSpentBy(db, { node: 'node1', places: [named, other], nameOf }), [
    { ...named, amount: 20 },
    { ...other, amount: 0 },
  ])
  t.same(await readSpentBy(db, { node: 'node1', places: [], nameOf }), [])
})

test('end users are seeded apart, with how many there are; what was changed of them is known by their digests', async (t) => {
  const { db, spend } = await setUp(t)
  await db.updateTable('budgets').set({ kind: 'user' }).execute()
  await spend('node1.x', 1, 20, 'budget_a/anna')
  await spend('node2.x', 1, 30, 'budget_a/anna')
  await spend('node2.x', 2, 7, 'budget_a/ben')
  await spend('node2.x', 3, 7, 'budget_aa/cleo')
  const anna = { ...SEED, budgetId: 'budget_a/anna' }
  const [own, unknown] = await readSeeds(db, [anna, { ...SEED, budgetId: 'budget_a/dora' }])
  t.match(
    [own, unknown],
    [
      { base: 0, users: 2, stored: { length: 2 } },
      { base: 0, users: 2, stored: [] },
    ],
  )
  t.same(await readUserSums(db, PLACE), { users: 2, nano: 57, tokens: 0 })
  t.same(await readUserSums(db, { ...PLACE, windowStartMs: 1 }), { users: 0, nano: 0, tokens: 0 })
  const share = { budget_id: 'budget_a/anna', window_start_ms: 0, node: ADJUSTED.minus }
  await addShares(db, [{ ...share, spent_nano: 4, spent_tokens: 0 }])
  t.match(await readBudgets(db, { ids: ['budget_a'], subjects: [] }, NOW_MS), [
    { users: [{ digest: 'anna', plus: 0, minus: 4 }] },
  ])
  const all = await readBudgets(db, null, NOW_MS)
  t.same(all[0]?.users?.map(({ digest, spent, minus }) => [digest, spent, minus ?? 0]).sort(), [
    ['anna', 50, 4],
    ['ben', 7, 0],
  ])
})

test('a node that has ended is no running one, and is remembered until Redis was told', async (t) => {
  const { db } = await setUp(t)
  const rows = [
    { id: 'running', seen_at_ms: NOW_MS - 1 },
    { id: 'killed', seen_at_ms: NOW_MS - 1 },
    { id: 'long-gone', seen_at_ms: NOW_MS - 3 * 3_600_000 },
  ]
  await db
    .insertInto('nodes')
    .values(rows.map((row) => ({ ...row, sequence: 1, ended: 0 })))
    .execute()
  await endNodes(db, ['killed', 'of-a-journal'], NOW_MS)
  t.same(await readNodes(db, NOW_MS), ['running'])
  t.same((await readEnded(db)).sort(), ['killed', 'of-a-journal'])
  await forgetNode(db, 'killed')
  await forgetNode(db, 'running')
  t.same(await readEnded(db), ['of-a-journal'])
  t.same(await readNodes(db, NOW_MS), ['running'])
})

test('shares are forgotten with their windows', async (t) => {
  const { db } = await setUp(t)
  const old = Date.UTC(2026, 0)
  const share = { budget_id: 'budget_a', node: 'node1', spent_nano: 1, spent_tokens: 0 }
  await addShares(db, [
    { ...share, window_start_ms: old },
    { ...share, window_start_ms: 0 },
  ])
  await forgetWindows(db, 60, NOW_MS)
  const rows = await db.selectFrom('budget_shares').select('window_start_ms').execute()
  t.same(rows, [{ window_start_ms: 0 }])
})
