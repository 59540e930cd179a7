// The cap of a request is lowered, and a budget for thinking with it.
import { test } from 'tap'
import { limitOutput } from '../../../../src/protocols/anthropic-messages/dialect/limit-output.js'
import { thrownBy } from '../../../helpers/thrown.js'

const THINKING = { type: 'enabled', budget_tokens: 8000 }

test('a cap is lowered, or left alone', (t) => {
  t.same([...limitOutput({ max_tokens: 900 }, 50)], [['max_tokens', 50]])
  t.same([...limitOutput({ max_tokens: 40, thinking: THINKING }, 50)], [])
  t.same([...limitOutput({ max_tokens: 900, thinking: { type: 'adaptive' } }, 50)], [['max_tokens', 50]])
  t.end()
})

test('a budget for thinking is cut below the cap', (t) => {
  const cut = (cap: number) => limitOutput({ max_tokens: 16_000, thinking: THINKING }, cap).get('thinking')
  t.same(cut(4000), { type: 'enabled', budget_tokens: 2000 })
  t.same(cut(1500), { type: 'enabled', budget_tokens: 1024 })
  t.equal(cut(9000), undefined, 'it fits')
  t.end()
})

test('a cap without room for the smallest budget is a budget with too little left', (t) => {
  t.match(
    thrownBy(() => limitOutput({ max_tokens: 16_000, thinking: THINKING }, 1024)),
    { code: 'budget_exceeded', status: 429 },
  )
  t.ok(limitOutput({ max_tokens: 16_000, thinking: THINKING }, 1025).has('thinking'))
  t.end()
})
