// What a node claims of one budget: how much it asks for, keeps and gives back.
import { test } from 'tap'
import { BudgetCells } from '../../../../src/accounts/budgets/cells.js'
import { createBudgetMemory } from '../../../../src/accounts/budgets/memory.js'
import { ClaimedBudget } from '../../../../src/accounts/budgets/shared/claimed-budget.js'
import { type Granted } from '../../../../src/accounts/budgets/shared/shared-set.js'
import { type ClaimAnswer } from '../../../../src/accounts/budgets/shared/spend-calls.js'
import { windowAt, windowStartMs } from '../../../../src/accounts/budgets/windows.js'
import { BudgetWriter } from '../../../../src/accounts/budgets/writer.js'
import { budget, NOON } from '../../../helpers/budget-rig.js'

const LIMIT = 1000
const DAY_MS = 86_400_000
const WINDOW = windowAt('day', NOON)

function setUp() {
  const memory = createBudgetMemory(1, 'node1')
  const writer = new BudgetWriter(memory, () => NOON)
  const stored = budget('day', LIMIT, { spent: 30, startMs: windowStartMs('day', WINDOW), plus: 7, minus: 5 })
  writer.put(stored)
  const place = writer.placeOf(stored.id)
  if (place === null) throw new Error('no place')
  const cells = new BudgetCells(memory)
  const claimed = new ClaimedBudget(cells, { slot: place.slot, epoch: place.facts.epoch, id: stored.id }, stored)
  const answers: Granted[] = []
  const ask = (amount: number) => claimed.ask(amount, (granted) => void answers.push(granted))
  const take = (amount: number) => cells.take(0, WINDOW, amount)
  /** Tells, and hears that so much is granted, beside what others claim. */
  const tell = (granted: number, over: Partial<ClaimAnswer> = {}, nowMs = NOON) => {
    const call = claimed.call(nowMs)
    const total = call.claimed + granted + 100
    const answer = {
      state: 'granted',
      granted,
      total,
      reserved: call.reserved + 40,
      unused: call.unused + granted + 10,
    }
    claimed.hear(call, { ...answer, debt: 0, ...over } as ClaimAnswer)
    return call
  }
  return { cells, writer, claimed, stored, answers, ask, take, tell }
}

test('requests that wait are asked for together; what is granted can be reserved, and nothing else', (t) => {
  const { answers, ask, take, tell, cells, writer } = setUp()
  t.equal(take(1), -1)
  ask(20)
  ask(30)
  const call = tell(50)
  t.match(call, { wanted: 50, ahead: 0, claimed: 0, limit: LIMIT, version: 1, plus: 7, minus: 5 })
  t.equal(call.windowStartMs, windowStartMs('day', WINDOW))
  t.same(answers, ['granted', 'granted'])
  t.equal(take(50), WINDOW)
  t.equal(take(1), -1)
  t.match(cells.ownUse(0, WINDOW), { claimed: 50, used: 50, reserved: 50 })
  t.match(writer.usage('budget_day'), { spent: 50, reserved: 90 }, 'with what others use')
  t.end()
})

test('while requests have to wait more is claimed in advance; it is given back when none has to', (t) => {
  const { claimed, ask, take, tell } = setUp()
  ask(20)
  t.match(tell(20), { ahead: 0 }, 'once is no habit')
  take(20)
  ask(20)
  t.match(tell(40), { wanted: 20, ahead: 20, claimed: 20 })
  take(20)
  t.equal(claimed.isStill, false)
  t.equal(claimed.beat(NOON), true, 'less is unused than it has told')
  t.match(tell(0), { claimed: 60, unused: 20, reserved: 40, wanted: 0, ahead: 0 })
  t.equal(claimed.beat(NOON), true)
  t.match(tell(0), { claimed: 50, unused: 10 }, 'half of what it had in advance')
  claimed.beat(NOON)
  t.match(tell(0), { claimed: 40, unused: 0 })
  t.equal(claimed.beat(NOON), false, 'nothing has changed')
  t.end()
})

test('with all of it claimed nothing is kept in advance', (t) => {
  const { claimed, ask, tell, answers } = setUp()
  for (const _ of [1, 2]) {
    ask(20)
    tell(40)
  }
  ask(500)
  tell(30, { total: LIMIT })
  t.equal(answers.at(-1), 'less')
  t.equal(claimed.isScarce, true)
  claimed.beat(NOON)
  t.match(tell(0), { unused: 110, claimed: 110 }, 'the request that was answered may be about to take it')
  claimed.beat(NOON)
  t.match(tell(0), { unused: 0, claimed: 0 })
  t.end()
})

test('what nobody here can use is given back, however often it is asked for', (t) => {
  const { claimed, ask, tell, cells } = setUp()
  for (let i = 0; i < 3; i++) {
    ask(500)
    tell(30, { total: LIMIT })
    claimed.beat(NOON)
    ask(500)
    tell(0, { total: LIMIT })
    claimed.beat(NOON)
    t.match(cells.ownUse(0, WINDOW), { claimed: 0, used: 0 })
  }
  t.end()
})

test('what a request was told of is there for it until the second beat, and a look at it changes nothing', (t) => {
  const { claimed, ask, take, tell, answers } = setUp()
  ask(500)
  tell(300, { total: LIMIT })
  t.same(answers, ['less'])
  claimed.beat(NOON)
  t.equal(take(300), WINDOW)
  ask(500)
  tell(0, { total: LIMIT })
  claimed.beat(NOON)
  ask(0)
  tell(20, { total: LIMIT })
  claimed.beat(NOON)
  t.equal(take(20), -1, 'given back')
  t.end()
})

test('a window that is not known, or not open yet, keeps requests waiting', (t) => {
  const { ask, take, tell, answers, claimed } = setUp()
  ask(20)
  tell(0, { state: 'unknown' })
  t.equal(claimed.isWaiting, true)
  t.match(tell(0, { state: 'closed' }), { wanted: 20 })
  t.same(answers, [])
  tell(20)
  t.same(answers, ['granted'])
  t.equal(take(20), WINDOW)
  t.end()
})

test('without Redis it has what was left when it last heard, or nothing', (t) => {
  const { claimed, ask, take, tell, answers } = setUp()
  ask(20)
  tell(20)
  take(20)
  ask(5)
  claimed.refuse()
  t.same(answers, ['granted', 'away'])
  ask(880)
  ask(881)
  claimed.grantAlone(NOON)
  t.same(answers.slice(2), ['granted', 'less'])
  t.equal(take(881), -1)
  t.equal(take(880), WINDOW)
  claimed.giveBack(NOON)
  t.equal(take(1), -1)
  t.end()
})

test('before it has heard anything, what the database knows is spent', (t) => {
  const { claimed, ask, take } = setUp()
  ask(1)
  claimed.grantAlone(NOON)
  t.equal(take(971), -1)
  t.equal(take(970), WINDOW)
  t.end()
})

test('a changed budget is asked for by its new terms; the next window begins with nothing', (t) => {
  const { claimed, stored, ask, tell, cells } = setUp()
  ask(20)
  tell(20)
  claimed.change({ ...stored, limit: 50, version: 9 }, NOON)
  t.match(tell(0), { claimed: 0, limit: 50, version: 9 })
  ask(20)
  tell(20)
  const next = tell(0, {}, NOON + DAY_MS)
  t.match(next, { claimed: 0, unused: 0, plus: 0, minus: 0, windowStartMs: windowStartMs('day', WINDOW + 1) })
  t.equal(cells.take(0, WINDOW + 1, 1), -1)
  t.equal(claimed.placeAt(NOON + DAY_MS).forgetMs, windowStartMs('day', WINDOW + 2) + 3_600_000)
  t.end()
})
