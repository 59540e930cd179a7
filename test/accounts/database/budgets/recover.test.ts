// A start adds what killed processes have left, and remembers which of them Redis has to be told of.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { Journal } from '../../../../src/accounts/budgets/journal/journal.js'
import { recoverJournals } from '../../../../src/accounts/database/budgets/recover.js'
import { markNode } from '../../../../src/accounts/database/budgets/replay.js'
import { readEnded } from '../../../../src/accounts/database/budgets/shares.js'
import { openAccountsFile } from '../../../../src/accounts/database/sqlite.js'

test('journals are gone, their nodes and those without a journal are remembered, and this one is marked', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-recover-'))
  const { db, prepare, close } = openAccountsFile(join(root, 'a.db'))
  await prepare()
  t.teardown(async () => {
    await close()
    rmSync(root, { recursive: true, force: true })
  })
  const journal = join(root, 'journal')
  const left = new Journal(journal, 'killed.one')
  left.reserve(1, [{ budgetId: 'budget_gone', windowStartMs: 0, nano: 1, tokens: 0 }])
  left.flush()
  markNode(journal, 'silent')
  await recoverJournals((act) => act(db), { journal, node: 'present', nowMs: () => 1 })
  t.same((await readEnded(db)).sort(), ['killed', 'silent'])
  // The database was away in the middle of the start, and the start is made again.
  await recoverJournals((act) => act(db), { journal, node: 'present', nowMs: () => 2 })
  t.same((await readEnded(db)).sort(), ['killed', 'silent'])
  const isThere = (name: string) => existsSync(join(journal, name))
  t.same(['killed.one.journal', 'silent.node', 'present.node'].map(isThere), [false, false, true])
})
