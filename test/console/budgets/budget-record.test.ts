// Budgets in their units, and how full they are.
import { test } from 'tap'
import {
  amountBody,
  amountOf,
  type BudgetRecord,
  fillOf,
  limitOf,
  readScope,
  scopeOf,
  sharesOf,
  unitOf,
  usedText,
} from '../../../src/console/budgets/budget-record.js'

const BUDGET: BudgetRecord = {
  ...{
    name: 'b',
    scope: 'gateway',
    per: 'day',
    usd: 10,
    spent: 4,
    reserved: 1,
    left: 5,
    resetsAt: null,
    createdAt: '2026-11-01T00:00:00.000Z',
  },
}
const { usd: _, ...REST } = BUDGET
const TOKENS: BudgetRecord = { ...REST, tokens: 10_000, spent: 9000, reserved: 5000, left: 0 }

test('amounts are dollars or tokens', async (t) => {
  t.same([amountOf(BUDGET, 4), limitOf(BUDGET)], ['$4.00', 10])
  t.same([amountOf(TOKENS, 9000), limitOf(TOKENS)], ['9,000 tok', 10_000])
})

test('the bar never has more than it can hold', async (t) => {
  t.same(sharesOf(BUDGET), { spent: 0.4, reserved: 0.1 })
  const { spent, reserved } = sharesOf(TOKENS)
  t.equal(spent + reserved, 1)
  t.same(sharesOf({ ...BUDGET, spent: 12, reserved: 3 }), { spent: 1, reserved: 0 })
  t.same(sharesOf({ ...BUDGET, spent: -1, reserved: 0 }), { spent: 0, reserved: 0 })
})

test('what is reserved is said beside what is used, which may be nothing', async (t) => {
  t.equal(usedText(BUDGET), '40.0 % + 10.0 %')
  t.equal(usedText({ ...BUDGET, spent: 0, reserved: 4, left: 6 }), '0.0 % + 40.0 %')
  t.equal(usedText({ ...BUDGET, reserved: 0, left: 6 }), '40.0 %')
  t.equal(usedText({ ...BUDGET, left: null }), '–')
})

test('it stands out before it is used up', async (t) => {
  t.equal(fillOf(BUDGET), 'fine')
  t.equal(fillOf({ ...BUDGET, spent: 7, reserved: 1.5, left: 1.5 }), 'noted')
  t.equal(fillOf(TOKENS), 'bad')
})

test('whose a budget is and its amount are written as the API takes them', async (t) => {
  t.equal(scopeOf('gateway', 'left over'), 'gateway')
  t.equal(scopeOf('key', ' app '), 'key:app')
  t.same(readScope('model:openai/a:*'), { kind: 'model', name: 'openai/a:*' })
  for (const scope of ['', 'gateway']) t.same(readScope(scope), { kind: 'gateway', name: '' })
  t.same([unitOf(BUDGET), unitOf(TOKENS)], ['usd', 'tokens'])
  t.same([amountBody('usd', 1.5), amountBody('tokens', -3)], [{ usd: 1.5 }, { tokens: -3 }])
})
