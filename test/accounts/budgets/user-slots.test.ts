// Who has which cells of a budget that holds for each end user apart.
import { test } from 'tap'
import { BudgetCells } from '../../../src/accounts/budgets/cells.js'
import { createBudgetMemory } from '../../../src/accounts/budgets/memory.js'
import { digestOfUser, partsOfBudgetId, UserSlots, userBudgetId } from '../../../src/accounts/budgets/user-slots.js'
import { windowAt } from '../../../src/accounts/budgets/windows.js'
import { NOON } from '../../helpers/budget-rig.js'

const DAY_MS = 86_400_000
const [ANNA, BEN, CLEO, DORA] = ['anna', 'ben', 'cleo', 'dora'].map(digestOfUser) as [string, string, string, string]

/** Memory for so many users, and a budget of 100 in slot 0. */
function setUp(room = 16, maxUsers = 100) {
  const clock = { nowMs: NOON }
  const memory = createBudgetMemory(10, null, room)
  const cells = new BudgetCells(memory)
  const budget = { slot: 0, epoch: 7, per: 'day' } as const
  const window = () => windowAt('day', clock.nowMs)
  cells.open(0, { epoch: 7, limit: 100, window: window(), spent: 0 })
  const loop = () => new UserSlots(memory, cells, () => clock.nowMs, maxUsers)
  return { clock, memory, cells, budget, window, loop, users: loop() }
}

test('each user has cells of its own, the same on every loop, with the limit of the budget', (t) => {
  const { cells, budget, window, users, loop, memory } = setUp()
  const anna = users.of(budget, ANNA)
  const ben = users.of(budget, BEN)
  t.ok(anna !== null && ben !== null && anna.slot >= memory.maxBudgets)
  if (anna === null || ben === null) return t.end()
  t.same(loop().of(budget, ANNA), anna)
  t.not(ben.slot, anna.slot)
  t.ok(cells.hold(anna.slot, anna.epoch))
  t.ok(cells.take(anna.slot, window(), 100) >= 0)
  t.equal(cells.take(anna.slot, window(), 1), -1)
  t.ok(cells.take(ben.slot, window(), 60) >= 0, 'what one has used leaves the others theirs')
  cells.setLimit(0, 50)
  t.equal(cells.left(ben.slot, window()), -10, 'a change of the budget holds for all of them')
  t.same([...users.placesOf(budget)].sort(), [anna.slot, ben.slot].sort())
  t.same(users.peek(budget, BEN), ben)
  t.equal(users.peek(budget, CLEO), null)
  t.equal(users.of({ ...budget, epoch: 8 }, ANNA)?.slot === anna.slot, false, 'of another budget')
  t.end()
})

test('further users than a budget tells apart have none; in the next window others are the first', (t) => {
  const { clock, budget, users } = setUp(16, 2)
  const [anna] = [users.of(budget, ANNA), users.of(budget, BEN)]
  t.equal(users.of(budget, CLEO), null)
  t.same(users.of(budget, ANNA), anna, 'those who were there stay')
  clock.nowMs += DAY_MS
  t.ok(users.of(budget, CLEO))
  t.equal(users.peek(budget, ANNA), null)
  t.same(users.of(budget, ANNA), anna)
  t.equal(users.of(budget, BEN), null)
  t.end()
})

test('cells of a window that is over go to others when there are no new ones, unless something is held in them', (t) => {
  const { clock, cells, budget, users, window } = setUp(2)
  const [anna, ben] = [users.of(budget, ANNA), users.of(budget, BEN)]
  if (anna === null || ben === null) throw new Error('no room')
  t.equal(users.of(budget, CLEO), null, 'no room at present')
  cells.hold(ben.slot, ben.epoch)
  cells.take(ben.slot, window(), 5)
  clock.nowMs += DAY_MS
  const cleo = users.of(budget, CLEO)
  t.equal(cleo?.slot, anna.slot)
  t.equal(cells.hold(anna.slot, anna.epoch), false, 'they are no longer those of the first')
  t.equal(users.of(budget, DORA), null)
  t.same(users.of(budget, BEN), ben, 'what is held keeps its cells')
  t.equal(cells.left(ben.slot, window()), 100)
  cells.release(ben.slot)
  clock.nowMs += DAY_MS
  t.ok(users.of(budget, DORA))
  t.ok(users.of(budget, ANNA), 'and what was freed is found again')
  t.end()
})

test('the cells of users of a budget that was deleted go to others', (t) => {
  const { cells, budget, users } = setUp(1)
  const anna = users.of(budget, ANNA)
  cells.close(0)
  cells.open(0, { epoch: 9, limit: 5, window: 0, spent: 0 })
  const next = users.of({ ...budget, epoch: 9 }, ANNA)
  t.equal(next?.slot, anna?.slot)
  t.not(next?.epoch, anna?.epoch)
  t.end()
})

test('a chain stays whole, whichever of its users go', (t) => {
  const { clock, budget, users, cells } = setUp(4)
  // All in one chain: the first word of a digest decides.
  const digestOf = (n: number): string => Buffer.from(Int32Array.of(4, n, 0, 0).buffer).toString('base64url')
  const slots = [0, 1, 2, 3].map((n) => users.of(budget, digestOf(n)))
  for (const n of [0, 2]) cells.hold(slots[n]?.slot ?? 0, slots[n]?.epoch ?? 0)
  clock.nowMs += DAY_MS
  t.ok(users.of(budget, digestOf(4)))
  t.ok(users.of(budget, digestOf(5)))
  t.equal(users.of(budget, digestOf(6)), null)
  for (const n of [0, 2]) t.same(users.of(budget, digestOf(n)), slots[n])
  t.end()
})

test('what the database knows of a user stands in its cells from the beginning', (t) => {
  const { cells, budget, users, window } = setUp(2, 1)
  t.ok(users.seed(budget, ANNA, 40))
  t.equal(users.seed(budget, BEN, 30), false)
  t.equal(cells.left(users.of(budget, ANNA)?.slot ?? 0, window()), 60)
  t.end()
})

test('the id of a part of a budget names the budget and the user, and no name of a user', (t) => {
  t.match(ANNA, /^[\w-]{22}$/)
  t.same(partsOfBudgetId(userBudgetId('budget_x', ANNA)), { budgetId: 'budget_x', digest: ANNA })
  t.same(partsOfBudgetId('budget_x'), { budgetId: 'budget_x', digest: null })
  t.end()
})
