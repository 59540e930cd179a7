// The cap of a request is lowered under the name that it has, and never raised.
import { test } from 'tap'
import { limitOutput } from '../../../../src/protocols/openai-chat/dialect/limit-output.js'
import { fakeTarget } from '../../../helpers/fake-protocol.js'

const TARGET = fakeTarget('openai-chat')
const NEWER = { ...TARGET, quirks: { ...TARGET.quirks, maxTokensField: 'max_completion_tokens' as const } }
const OLDER = { ...TARGET, quirks: { ...TARGET.quirks, maxTokensField: 'max_tokens' as const } }

test('a cap is lowered, added or left alone', (t) => {
  t.same([...limitOutput({ max_tokens: 900 }, 50, NEWER)], [['max_tokens', 50]])
  t.same([...limitOutput({ max_completion_tokens: 900 }, 50, OLDER)], [['max_completion_tokens', 50]])
  t.same([...limitOutput({ max_tokens: 40 }, 50, NEWER)], [], 'never raised')
  t.same([...limitOutput({}, 50, NEWER)], [['max_completion_tokens', 50]])
  t.same([...limitOutput({ max_tokens: null }, 50, OLDER)], [['max_tokens', 50]])
  const both = limitOutput({ max_tokens: 900, max_completion_tokens: 20 }, 50, NEWER)
  t.same([...both], [['max_tokens', 50]], 'whichever of the two the vendor reads')
  t.end()
})

test('a budget for thinking stays below the cap', (t) => {
  const edits = limitOutput({ max_tokens: 900, reasoning: { max_tokens: 800, exclude: true } }, 100, OLDER)
  t.same(edits.get('reasoning'), { max_tokens: 50, exclude: true })
  t.notOk(limitOutput({ max_tokens: 900, reasoning: { max_tokens: 60 } }, 100, OLDER).has('reasoning'))
  t.notOk(limitOutput({ reasoning: { effort: 'high' } }, 100, OLDER).has('reasoning'))
  t.end()
})
