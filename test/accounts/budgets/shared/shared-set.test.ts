// A request's budgets where several nodes spend from them: what is here is reserved at once, the rest is asked for.
import { test } from 'tap'
import { type Granted, SharedBudgetSet, type Want } from '../../../../src/accounts/budgets/shared/shared-set.js'
import { type Reserved } from '../../../../src/accounts/budgets/types.js'
import { digestOfUser } from '../../../../src/accounts/budgets/user-slots.js'
import { amount, BudgetRig, budget } from '../../../helpers/budget-rig.js'

/** One node with 100 of two budgets; `answers` are those of Redis, which grants 50 of each with `granted`. */
function setUp(answers: readonly Granted[]) {
  const rig = new BudgetRig()
  rig.writer.put(budget('day', 100))
  rig.writer.put(budget('words', 100, { unit: 'tokens' }))
  const local = rig.loop().budgetsOf({ owner: null, accountIndex: -1, model: 'fast', user: null })
  const asked: (readonly Want[])[] = []
  const left = [...answers]
  const set = new SharedBudgetSet(
    local as unknown as ConstructorParameters<typeof SharedBudgetSet>[0],
    async (wants) => {
      asked.push(wants)
      const answer = left.shift() ?? 'granted'
      if (answer === 'granted') {
        const limit = 100 + 50 * asked.length
        rig.writer.put(budget('day', limit))
        rig.writer.put(budget('words', limit, { unit: 'tokens' }))
      }
      return answer
    },
  )
  return { rig, set, asked }
}

function held(reserved: Reserved) {
  if (reserved.refused) throw new Error(`refused by ${reserved.budget}`)
  return reserved
}

test('what is here is reserved without a promise, and all that is wanted is asked for', async (t) => {
  const { set, asked, rig } = setUp([])
  const first = set.reserve(amount(1, 1), amount(70, 20))
  if (first instanceof Promise) throw new Error('asks')
  t.same(held(first).held, amount(70, 20))
  t.equal(set.countsMoney, true)
  t.same(asked, [])
  const second = set.reserve(amount(1, 1), amount(60, 10.5))
  t.ok(second instanceof Promise)
  t.same(held(await second).held, amount(60, 11), 'all of it, after the answer')
  t.match(asked, [
    [
      { slot: 0, amount: 60 },
      { slot: 1, amount: 11 },
    ],
  ])
  t.same(rig.refusals, [], 'nothing of it counts as a refusal')
})

test('where nobody has more, what there is is reserved, or it is refused once', async (t) => {
  const { set, rig } = setUp(['less', 'less'])
  t.same(held(await set.reserve(amount(1, 1), amount(700, 20))).held, amount(100, 20))
  t.match(await set.reserve(amount(1, 1), amount(7, 20)), { refused: true, budget: 'day', isUnavailable: false })
  t.same(rig.refusals, ['gateway'])
})

test('where other requests are faster it asks again, and not for ever', async (t) => {
  const { set, asked } = setUp([])
  t.same(held(await set.reserve(amount(1, 1), amount(270, 1))).held, amount(270, 1))
  t.equal(asked.length, 4)
  t.same(held(await set.reserve(amount(1, 1), amount(1_000_000, 1))).held, amount(530, 1))
  t.equal(asked.length, 14)
})

test('where nobody can tell what is left, the budget is unavailable', async (t) => {
  const { set, rig } = setUp(['away'])
  t.match(await set.reserve(amount(1, 1), amount(101, 1)), { refused: true, isUnavailable: true, budget: 'day' })
  t.same(rig.refusals, [])
})

test('a reservation is extended here, or by what others have left; not once it is settled', async (t) => {
  const { set, asked, rig } = setUp(['granted', 'less', 'less', 'granted'])
  const stream = held(await set.reserve(amount(1, 1), amount(60, 1)))
  t.equal(stream.extend(amount(20)), true)
  t.equal(await stream.extend(amount(60)), true)
  t.equal(await stream.extend(amount(60)), true, 'by less')
  t.same(stream.held, amount(150, 1))
  t.equal(await stream.extend(amount(60)), false)
  t.equal(asked.length, 3)
  const asking = stream.extend(amount(60))
  stream.settle(amount(90, 1))
  t.equal(await asking, false)
  t.same(rig.usage('day'), { spent: 90, reserved: 0 })
})

test('an end user for whom there is no room is refused, with the name of that budget', async (t) => {
  const rig = new BudgetRig()
  rig.writer.put(budget('day', 100))
  rig.writer.put(budget('each', 0, { kind: 'user' }))
  const local = rig.loop().budgetsOf({ owner: null, accountIndex: -1, model: 'fast', user: 'anna' })
  const asked: (readonly Want[])[] = []
  const set = new SharedBudgetSet(
    local as unknown as ConstructorParameters<typeof SharedBudgetSet>[0],
    async (wants) => {
      asked.push(wants)
      return 'crowded'
    },
  )
  t.match(await set.reserve(amount(1), amount(7)), { refused: true, budget: 'each', isCrowded: true })
  t.match(asked, [[{ slot: 0 }, { slot: 1, user: digestOfUser('anna') }]])
  rig.writer.put(budget('day', 0))
  const refusal = await set.reserve(amount(1), amount(7))
  t.match(refusal, { refused: true, budget: 'day' })
  t.notOk('isCrowded' in refusal, 'of the day there is nothing left')
})
