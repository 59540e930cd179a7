// What a node claims of a budget for each of its end users: whom it knows, by which terms, and until when.
import { test } from 'tap'
import { BudgetCells } from '../../../../src/accounts/budgets/cells.js'
import { createBudgetMemory } from '../../../../src/accounts/budgets/memory.js'
import { ClaimedUsers } from '../../../../src/accounts/budgets/shared/claimed-users.js'
import { digestOfUser, UserSlots } from '../../../../src/accounts/budgets/user-slots.js'
import { windowAt, windowStartMs } from '../../../../src/accounts/budgets/windows.js'
import { BudgetWriter, type StoredBudget } from '../../../../src/accounts/budgets/writer.js'
import { budget, NOON } from '../../../helpers/budget-rig.js'

const LIMIT = 1000
const DAY_MS = 86_400_000
const [ANNA, BEN, CLEO] = ['anna', 'ben', 'cleo'].map(digestOfUser) as [string, string, string]

function setUp(over: Partial<StoredBudget> = {}) {
  const memory = createBudgetMemory(1, 'node1', 2)
  const clock = { nowMs: NOON }
  const nowMs = () => clock.nowMs
  const writer = new BudgetWriter(memory, nowMs)
  const startMs = windowStartMs('day', windowAt('day', NOON))
  const stored = budget('each', LIMIT, { kind: 'user', startMs, ...over })
  writer.put(stored)
  const place = writer.placeOf(stored.id)
  if (place === null) throw new Error('no place')
  const cells = new BudgetCells(memory)
  const users = new ClaimedUsers({ cells, slots: new UserSlots(memory, cells, nowMs), nowMs }, place, stored)
  return { cells, users, stored, clock, sweep: () => [...users.sweep(() => false)].filter((each) => each !== null) }
}

test('each user has cells of its own, which nobody else gets as long as it is known', (t) => {
  const { users, cells } = setUp()
  const [anna, ben] = [users.of(ANNA), users.of(BEN)]
  t.equal(users.of(ANNA), anna)
  t.equal(anna?.id, `budget_each/${ANNA}`)
  t.not(anna?.slot, ben?.slot)
  t.equal(cells.isIdle(anna?.slot ?? 0), false)
  t.equal(users.of(CLEO), null, 'there is no room')
  t.same(users.removeAll(), [anna, ben])
  t.ok(cells.isIdle(anna?.slot ?? 0))
  t.end()
})

test('what was adjusted of a user is told with its claim, and of nobody else', (t) => {
  const { users, stored, clock } = setUp({ users: [{ digest: ANNA, spent: 30, plus: 7 }] })
  t.match(users.of(ANNA)?.call(NOON), { plus: 7, minus: 0, limit: LIMIT })
  const changed = users.change({
    ...stored,
    users: [
      { digest: ANNA, spent: 0, plus: 7 },
      { digest: BEN, spent: 0, minus: 5 },
    ],
  })
  t.same(
    changed.map(({ id }) => id),
    [`budget_each/${BEN}`],
    'who was not known is now, and who was told before is not told again',
  )
  t.match(users.of(BEN)?.call(NOON), { plus: 0, minus: 5 })
  t.match(users.of(ANNA)?.call(NOON), { plus: 7, minus: 0 })
  t.equal(users.change({ ...stored, limit: 50, version: 9, users: [] }).length, 2, 'another limit is that of all')
  t.match(users.of(ANNA)?.call(NOON), { limit: 50, version: 9 })
  clock.nowMs += DAY_MS
  t.match(users.of(ANNA)?.call(clock.nowMs), { plus: 0, minus: 0 }, 'of that window alone')
  t.end()
})

test('users are known until their window is over, unless somebody waits for them', (t) => {
  const { users, clock, sweep } = setUp()
  const [anna, ben] = [users.of(ANNA), users.of(BEN)]
  for (const each of [anna, ben]) {
    each?.ask(10, () => undefined)
    const call = each?.call(NOON)
    if (call !== undefined)
      each?.hear(call, { state: 'granted', granted: 10, total: 10, reserved: 0, unused: 10, debt: 0 })
  }
  t.same(sweep(), [], 'something is claimed')
  clock.nowMs += DAY_MS
  anna?.ask(1, () => undefined)
  t.equal(ben?.beat(clock.nowMs), false, 'it enters no window in which it is not asked for')
  t.same(sweep(), [ben])
  t.equal(users.of(ANNA), anna)
  t.not(users.of(BEN), ben)
  t.end()
})

test('a user of whom nothing is claimed need not be known', (t) => {
  const { users, sweep } = setUp()
  const anna = users.of(ANNA)
  t.same([...users.sweep(() => true)], [null], 'unless it is about to be told')
  t.same(sweep(), [anna])
  t.end()
})
