// The records of budgets in shared memory.
import { test } from 'tap'
import {
  type BudgetFacts,
  createBudgetMemory,
  decodeFacts,
  encodeFacts,
  MAX_SUBJECT,
  RECORD_BYTES,
  SUBJECT_KINDS,
} from '../../../src/accounts/budgets/memory.js'
import { BUDGET_PERIODS } from '../../../src/accounts/types.js'

const FACTS: BudgetFacts = {
  ...{ id: 'budget_0123456789abcdefghij', name: 'key:app1:month', kind: 'key', subject: 'key_0123456789abcdefghij' },
  ...{ per: 'month', unit: 'usd', epoch: 7 },
}

test('a record is read as it was written, whatever kind of budget it is', async (t) => {
  for (const kind of SUBJECT_KINDS) {
    for (const per of BUDGET_PERIODS) {
      for (const unit of ['usd', 'tokens'] as const) {
        const facts = { ...FACTS, kind, per, unit }
        t.same(decodeFacts(encodeFacts(facts)), facts)
      }
    }
  }
})

test('the longest record fits into its place', async (t) => {
  const facts = { ...FACTS, name: `team:${'n'.repeat(64)}:month:tokens`, subject: '\u0001'.repeat(MAX_SUBJECT) }
  t.ok(encodeFacts(facts).length <= RECORD_BYTES)
})

test('there is room for several budgets of each key', async (t) => {
  const memory = createBudgetMemory(1000)
  t.ok(memory.maxBudgets > 2000)
  t.equal(memory.records.byteLength, memory.maxBudgets * RECORD_BYTES)
})
