// The slots of budgets: whose they are, and when another budget may have one.
import { test } from 'tap'
import { createBudgetMemory } from '../../../src/accounts/budgets/memory.js'
import { type BudgetSet } from '../../../src/accounts/budgets/types.js'
import { digestOfUser, MAX_BUDGET_USERS, userBudgetId } from '../../../src/accounts/budgets/user-slots.js'
import { BudgetWriter } from '../../../src/accounts/budgets/writer.js'
import { amount, BudgetRig, budget, NOON, reserved } from '../../helpers/budget-rig.js'

/** Room for so few that slots are used again. */
function narrow(maxBudgets: number) {
  const rig = new BudgetRig()
  const memory = { ...rig.memory, maxBudgets }
  return Object.assign(rig, { writer: new BudgetWriter(memory, () => rig.nowMs) })
}

test('a slot goes to another budget only when nothing of the former one is held', async (t) => {
  const rig = narrow(2)
  rig.writer.put(budget('a', 100))
  rig.writer.put(budget('b', 100))
  t.throws(() => rig.writer.put(budget('c', 100)), { message: /no more fit/ })
  const loop = rig.loop()
  const held = reserved(rig.setOf(loop), amount(10), amount(10))
  rig.writer.remove('budget_a')
  t.throws(() => rig.writer.put(budget('c', 100)), { message: /try again shortly/ })
  held.settle(amount(10))
  rig.writer.put(budget('c', 50))
  t.same(rig.usage('c'), { spent: 0, reserved: 0 })
  t.same(rig.usage('b'), { spent: 10, reserved: 0 })
  t.same(reserved(rig.setOf(loop), amount(1), amount(80)).held, amount(50), 'loops know the new owner')
})

test('begins with what the database knows as spent, and keeps what loops have spent since when a limit changes', async (t) => {
  const rig = new BudgetRig()
  rig.writer.put(budget('a', 100, { spent: 40 }))
  t.same(rig.usage('a'), { spent: 40, reserved: 0 })
  reserved(rig.setOf(rig.loop()), amount(10), amount(10)).settle(amount(10))
  rig.writer.put(budget('a', 200, { spent: 40 }))
  t.same(rig.usage('a'), { spent: 50, reserved: 0 })
  rig.writer.adjust({ id: 'budget_a', amount: -20 })
  t.same(rig.usage('a'), { spent: 30, reserved: 0 })
  rig.nowMs = NOON + 86_400_000
  t.same(rig.usage('a'), { spent: 0, reserved: 0 }, 'the next day')
})

test('knows its budgets by their ids and subjects', async (t) => {
  const { writer } = new BudgetRig()
  writer.put(budget('a', 1, { kind: 'key', subject: 'key_1' }))
  writer.put(budget('b', 1, { kind: 'team', subject: 'team_1' }))
  t.same(writer.ids, ['budget_a', 'budget_b'])
  t.same(writer.idsOf(new Set(['team_1', 'key_2'])), ['budget_b'])
  t.ok(writer.has('budget_a'))
  writer.remove('budget_a')
  writer.remove('budget_a')
  writer.adjust({ id: 'budget_a', amount: 5 })
  t.equal(writer.usage('budget_a'), null)
  t.same(writer.ids, ['budget_b'])
})

test('what a further end user is charged or refunded counts with what all further ones share', (t) => {
  const rig = new BudgetRig()
  const { writer } = rig
  writer.put(budget('each', 100, { kind: 'user', per: 'total', spent: 40 }))
  const idOf = (user: string): string => userBudgetId('budget_each', digestOfUser(user))
  for (let n = 0; n < MAX_BUDGET_USERS; n++) writer.chargedId(idOf(`user ${n}`))
  t.equal(writer.chargedId(idOf('user 7')), idOf('user 7'))
  t.equal(writer.chargedId(idOf('late')), 'budget_each')
  t.equal(writer.chargedId('budget_each'), 'budget_each')
  t.equal(writer.chargedId('budget_gone/x'), 'budget_gone/x')
  t.match(writer.usage(idOf('late')), { spent: 40 })
  t.match(writer.usage(idOf('user 7')), { spent: 0 })
  const held = reserved(rig.loop().budgetsOf(spenderOf('late')) as BudgetSet, amount(50), amount(50))
  t.match(writer.usage(idOf('late')), { spent: 40, reserved: 50 })
  writer.adjust({ id: writer.chargedId(idOf('late')), amount: -30 })
  held.settle(amount(20))
  t.match(writer.usage(idOf('late')), { spent: 30, reserved: 0 })
  t.match(writer.usage('budget_each'), { spent: 30, reserved: 0, users: MAX_BUDGET_USERS })
  t.end()
})

function spenderOf(user: string) {
  return { owner: null, accountIndex: -1, model: 'fast', user }
}

test('says in advance what does not fit', async (t) => {
  const writer = new BudgetWriter({ ...createBudgetMemory(1), maxBudgets: 3 }, () => NOON)
  writer.put(budget('a', 1))
  writer.check(2)
  t.throws(() => writer.check(3), { message: /accounts.maxKeys decides/ })
})
