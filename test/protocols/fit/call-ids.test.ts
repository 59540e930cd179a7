// Ids of calls and results that have none.
import { test } from 'tap'
import { CallIds } from '../../../src/protocols/fit/call-ids.js'

test('a result belongs to the oldest call of its tool that has none yet', async (t) => {
  const ids = new CallIds([])
  t.same([ids.called('f', null), ids.called('g', null), ids.called('f', null)], ['call_0', 'call_1', 'call_2'])
  t.same([ids.answered('f', null), ids.answered('f', null), ids.answered('g', null)], ['call_0', 'call_2', 'call_1'])
  t.equal(ids.answered('f', null), 'call_3', 'a result of no call has an id of its own')
})

test('ids that are there are kept, and never made again', async (t) => {
  const ids = new CallIds(['call_0', 'x'])
  t.same([ids.called('f', 'x'), ids.called('f', null)], ['x', 'call_1'])
  t.equal(ids.answered('f', 'x'), 'x')
  t.equal(ids.answered('f', null), 'call_1', 'the one with an id has its result')
  t.equal(ids.answered('f', 'y'), 'y')
})

test('a result that names no tool belongs to the oldest call', async (t) => {
  const ids = new CallIds([])
  ids.called('f', null)
  ids.called('g', null)
  t.same([ids.answered(null, null), ids.answered(null, null)], ['call_0', 'call_1'])
})
