// The cap of a request is lowered as far as the vendor accepts, and never raised.
import { test } from 'tap'
import { limitOutput } from '../../../../src/protocols/openai-responses/dialect/limit-output.js'
import { thrownBy } from '../../../helpers/thrown.js'

test('a cap is lowered, added or left alone', (t) => {
  t.same([...limitOutput({ max_output_tokens: 900 }, 16)], [['max_output_tokens', 16]])
  t.same([...limitOutput({}, 50)], [['max_output_tokens', 50]])
  t.same([...limitOutput({ max_output_tokens: 40 }, 50)], [])
  t.end()
})

test('one that the vendor would reject is a budget with too little left', (t) => {
  t.match(
    thrownBy(() => limitOutput({ max_output_tokens: 900 }, 15)),
    { code: 'budget_exceeded', status: 429 },
  )
  t.end()
})
