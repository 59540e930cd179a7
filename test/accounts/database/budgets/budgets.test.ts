// Budgets in the database, beyond what every store must hold: those with more end users than are told apart.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { createBudgetMemory } from '../../../../src/accounts/budgets/memory.js'
import { createDirectoryMemory } from '../../../../src/accounts/directory/memory.js'
import { openNode } from '../../../helpers/accounts-rig.js'
import { rejectionOf } from '../../../helpers/thrown.js'

const BY = { by: 'admin' }

test('a refund of an end user beyond those who are told apart is one of what these share, over a restart too', async (t) => {
  const folder = t.testdir()
  const open = (name: string) => {
    const directory = { ...createDirectoryMemory(10), budgets: createBudgetMemory(10, null, 1) }
    const database = { store: 'sqlite', path: join(folder, name) } as const
    return openNode(t, { database, directory, fileKeys: [], clockOffset: null })
  }
  const node = await open('accounts.db')
  const { store } = node
  const { budget } = await store.createBudget(
    { name: 'each', scope: 'user', unit: 'usd', limit: 100, per: 'total' },
    BY,
  )
  const adjust = (amount: number, user: string) =>
    store.adjustBudget('each', { unit: 'usd', amount, reason: 'test', user }, BY)
  await adjust(5, 'anna')
  // What an event loop charges for one who has no cells.
  const charges = [{ budgetId: budget.id, windowStartMs: 0, nano: 40, tokens: 0 }]
  await store.addSpend([{ journal: 'one', sequence: 1, charges }], [])
  await adjust(-30, 'ben')
  t.match(await rejectionOf(adjust(-11, 'ben')), { code: 'invalid_request', message: /more than what was spent/ })
  await node.close()
  // libsql holds the lock of a file until its thread ends.
  copyFileSync(join(folder, 'accounts.db'), join(folder, 'copy.db'))
  const again = (await open('copy.db')).store
  t.match(await again.getBudget('each'), { spent: 15, users: 1 })
  t.match(await again.getBudget('each', 'anna'), { spent: 5 })
})
