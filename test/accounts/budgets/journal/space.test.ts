// What the journals of all event loops take together.
import { test } from 'tap'
import { JournalSpace } from '../../../../src/accounts/budgets/journal/space.js'
import { createBudgetMemory } from '../../../../src/accounts/budgets/memory.js'

test('pages of all loops are added up, and given back', (t) => {
  const memory = createBudgetMemory(1)
  const [one, two] = [new JournalSpace(memory, 3 * 4096), new JournalSpace(memory, 3 * 4096)]
  one.change(0, 1)
  one.change(1, 4096)
  t.equal(two.bytes, 4096)
  two.change(0, 4097)
  t.equal(one.bytes, 3 * 4096)
  t.ok(one.isFull)
  t.ok(two.isFull)
  two.change(4097, 0)
  t.notOk(one.isFull)
  t.equal(two.bytes, 4096)
  t.end()
})
