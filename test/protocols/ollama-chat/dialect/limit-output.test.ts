// The cap of a request is lowered among its options; a negative one is none.
import { test } from 'tap'
import { limitOutput } from '../../../../src/protocols/ollama-chat/dialect/limit-output.js'

test('a cap is lowered, added or left alone', (t) => {
  t.same(
    [...limitOutput({ options: { num_predict: 900, top_k: 3 } }, 50)],
    [['options', { num_predict: 50, top_k: 3 }]],
  )
  t.same([...limitOutput({ options: { num_predict: -1 } }, 50)], [['options', { num_predict: 50 }]])
  t.same([...limitOutput({}, 50)], [['options', { num_predict: 50 }]])
  t.same([...limitOutput({ options: { num_predict: 40 } }, 50)], [])
  t.end()
})
