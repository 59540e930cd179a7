// One event loop's view of which budgets there are.
import { test } from 'tap'
import { BudgetIndex, type Subjects } from '../../../src/accounts/budgets/budget-index.js'
import { RING } from '../../../src/accounts/budgets/memory.js'
import { matchesGlob } from '../../../src/routing/glob.js'
import { BudgetRig, budget } from '../../helpers/budget-rig.js'

const NOBODY: Subjects = { keyId: null, teamId: null, tags: [], model: 'fast' }

function namesOf(index: BudgetIndex, subjects: Partial<Subjects> = {}) {
  return index.find({ ...NOBODY, ...subjects })?.map(({ name }) => name) ?? null
}

test('catches up with each change when it is asked, and finds them in the order of their slots', async (t) => {
  const { writer, memory } = new BudgetRig()
  const index = new BudgetIndex(memory, matchesGlob)
  t.ok(index.isEmpty)
  t.equal(namesOf(index), null)
  writer.put(budget('b', 1, { kind: 'model', subject: 'f*' }))
  writer.put(budget('a', 1))
  writer.put(budget('key', 1, { kind: 'key', subject: 'key_1' }))
  t.same(namesOf(index), ['b', 'a'])
  t.same(namesOf(index, { keyId: 'key_1', model: 'slow' }), ['a', 'key'])
  writer.remove('budget_a')
  t.same(namesOf(index), ['b'])
  t.equal(namesOf(index, { model: 'slow' }), null)
  writer.remove('budget_b')
  writer.remove('budget_key')
  t.equal(namesOf(index), null)
})

test('a loop that has missed more changes than are recorded reads all of them again', async (t) => {
  const { writer, memory } = new BudgetRig()
  const index = new BudgetIndex(memory, matchesGlob)
  writer.put(budget('kept', 1))
  writer.put(budget('gone', 1))
  t.same(namesOf(index), ['kept', 'gone'])
  writer.remove('budget_gone')
  for (let i = 0; i < RING / 2 + 10; i++) {
    writer.put(budget('passing', 1, { kind: 'tag', subject: 'x' }))
    writer.remove('budget_passing')
  }
  writer.put(budget('last', 1))
  t.same(namesOf(index), ['kept', 'last'])
})

test('a tag that a key has twice counts once', async (t) => {
  const { writer, memory } = new BudgetRig()
  writer.put(budget('tag', 1, { kind: 'tag', subject: 'night' }))
  const index = new BudgetIndex(memory, matchesGlob)
  t.same(index.find({ ...NOBODY, tags: ['night', 'night'] })?.length, 1)
})

test('the budgets of a key are those of no other key, and none that it shares', async (t) => {
  const { writer, memory } = new BudgetRig()
  const index = new BudgetIndex(memory, matchesGlob)
  t.same(index.ofKey('key_1'), [])
  writer.put(budget('all', 1))
  writer.put(budget('any', 1, { kind: 'model', subject: '*' }))
  writer.put(budget('other', 1, { kind: 'key', subject: 'key_2' }))
  writer.put(budget('own', 1, { kind: 'key', subject: 'key_1' }))
  t.same(
    index.ofKey('key_1').map(({ name }) => name),
    ['own'],
  )
})
