// Charges add up by budget and window.
import { test } from 'tap'
import { ChargeSums } from '../../../src/accounts/budgets/charge.js'

test('charges of one budget and window become one', async (t) => {
  const sums = new ChargeSums()
  sums.add({ budgetId: 'a', windowStartMs: 0, nano: 5, tokens: 0 })
  sums.add({ budgetId: 'a', windowStartMs: 1, nano: 1, tokens: 0 })
  sums.add({ budgetId: 'b', windowStartMs: 0, nano: 0, tokens: 3 })
  sums.add({ budgetId: 'a', windowStartMs: 0, nano: 7, tokens: 2 })
  t.same(sums.all, [
    { budgetId: 'a', windowStartMs: 0, nano: 12, tokens: 2 },
    { budgetId: 'a', windowStartMs: 1, nano: 1, tokens: 0 },
    { budgetId: 'b', windowStartMs: 0, nano: 0, tokens: 3 },
  ])
})
