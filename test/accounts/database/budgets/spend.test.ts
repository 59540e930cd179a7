// What is spent of budgets by window, in the database: which windows are forgotten.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { addSpent, forgetWindows } from '../../../../src/accounts/database/budgets/spend.js'
import { openAccountsFile } from '../../../../src/accounts/database/sqlite.js'

const DAY_MS = 86_400_000

test('windows are forgotten by their age, and never the present ones, however long they last', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-windows-'))
  const { db, close } = openAccountsFile(join(folder, 'a.db'))
  t.teardown(async () => {
    await close()
    rmSync(folder, { recursive: true, force: true })
  })
  const row = { id: 'budget_a', name: 'a', kind: 'gateway', subject: '', per: 'month', unit: 'usd', amount: 1000 }
  await db
    .insertInto('budgets')
    .values({ ...row, inline: 0, created_at_ms: 0, version: 1 })
    .execute()
  const nowMs = Date.UTC(2026, 10, 30, 7)
  const [september, october, november] = [8, 9, 10].map((month) => Date.UTC(2026, month)) as [number, number, number]
  const starts = [0, september, october, november, nowMs - 3 * DAY_MS, nowMs - DAY_MS]
  await addSpent(
    db,
    starts.map((windowStartMs) => ({ budgetId: 'budget_a', windowStartMs, nano: 1, tokens: 1 })),
  )
  const left = async () =>
    (await db.selectFrom('budget_windows').select('window_start_ms').orderBy('window_start_ms').execute()).map(
      (window) => window.window_start_ms,
    )
  await forgetWindows(db, 61, nowMs)
  t.same(await left(), [0, ...starts.slice(2)], 'those of budgets in total as well')
  await forgetWindows(db, 2, nowMs)
  t.same(await left(), [0, november, nowMs - DAY_MS])
})
