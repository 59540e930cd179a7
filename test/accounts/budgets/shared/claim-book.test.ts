// Which budgets a node knows, and end users of them: found by what event loops ask for.
import { test } from 'tap'
import { BudgetCells } from '../../../../src/accounts/budgets/cells.js'
import { createBudgetMemory } from '../../../../src/accounts/budgets/memory.js'
import { ClaimBook } from '../../../../src/accounts/budgets/shared/claim-book.js'
import { digestOfUser, UserSlots } from '../../../../src/accounts/budgets/user-slots.js'
import { BudgetWriter, type StoredBudget } from '../../../../src/accounts/budgets/writer.js'
import { budget, NOON } from '../../../helpers/budget-rig.js'

const DAY_MS = 86_400_000
const ANNA = digestOfUser('anna')

function setUp() {
  const memory = createBudgetMemory(1, 'node1', 2)
  const clock = { nowMs: NOON }
  const nowMs = () => clock.nowMs
  const writer = new BudgetWriter(memory, nowMs)
  const cells = new BudgetCells(memory)
  const dropped: string[] = []
  const book = new ClaimBook({
    ...{ cells, slots: new UserSlots(memory, cells, nowMs), nowMs, isBusy: () => false },
    onDrop: ({ id }) => void dropped.push(id),
  })
  const put = (stored: StoredBudget) => {
    writer.put(stored)
    const place = writer.placeOf(stored.id)
    if (place === null) throw new Error('no place')
    return { ...place, changed: book.put(place, stored) }
  }
  return { book, put, dropped, clock, writer }
}

test('a budget is found by its slot, and not when another one is there', (t) => {
  const { book, put, dropped } = setUp()
  const { slot, facts, changed } = put(budget('all', 10))
  t.same(changed, [])
  const all = book.find({ slot, epoch: facts.epoch, amount: 1 })
  t.equal(all?.id, 'budget_all')
  t.equal(book.get('budget_all'), all)
  t.same(put(budget('all', 20)).changed, [all], 'a change is one of the same')
  t.equal(book.find({ slot, epoch: facts.epoch + 1, amount: 1 }), undefined)
  book.remove('budget_all')
  t.same([book.get('budget_all'), dropped], [null, ['budget_all']])
  t.equal(book.find({ slot, epoch: facts.epoch, amount: 1 }), undefined)
  t.end()
})

test('an end user is found by the slot of its budget, is known from then on, and goes with the budget', (t) => {
  const { book, put, dropped } = setUp()
  const { slot, facts } = put(budget('each', 10, { kind: 'user' }))
  const want = { slot, epoch: facts.epoch, amount: 1, user: ANNA }
  t.equal(book.get(`budget_each/${ANNA}`), null)
  const anna = book.find(want)
  t.ok(anna && book.has(anna))
  t.equal(book.get(`budget_each/${ANNA}`), anna)
  t.same([...book.all()], [anna])
  t.equal(book.find({ ...want, epoch: facts.epoch + 1 }), undefined)
  t.same(put(budget('each', 20, { kind: 'user', version: 2 })).changed, [anna])
  book.remove('budget_each')
  t.same(dropped, [`budget_each/${ANNA}`])
  t.equal(book.find(want), undefined)
  t.end()
})

test('where there is no room, users whose windows are over make it', (t) => {
  const { book, put, dropped, clock } = setUp()
  const { slot, facts } = put(budget('each', 10, { kind: 'user' }))
  const find = (user: string) => book.find({ slot, epoch: facts.epoch, amount: 1, user: digestOfUser(user) })
  for (const user of ['anna', 'ben']) find(user)?.ask(1, () => undefined)
  t.equal(find('cleo'), null)
  for (const each of book.all()) each.refuse()
  clock.nowMs += DAY_MS
  book.sweepSome()
  t.equal(dropped.length, 2)
  t.equal(find('cleo')?.id, `budget_each/${digestOfUser('cleo')}`)
  t.end()
})
