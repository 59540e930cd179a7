// Tokens of whole answers.
import { test } from 'tap'
import { decodeUsage, readUsage } from '../../../src/protocols/openai-endpoints/usage.js'

test('tokens have the names of chats or of newer endpoints; a lone total is input', (t) => {
  t.match(decodeUsage({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }), { inputTokens: 1, outputTokens: 2 })
  t.match(decodeUsage({ input_tokens: 1, output_tokens: 2, total_tokens: 3 }), { inputTokens: 1, outputTokens: 2 })
  t.match(decodeUsage({ total_tokens: 3 }), { inputTokens: 3, outputTokens: 0 })
  t.match(decodeUsage({ prompt_tokens: 3, total_tokens: 3 }), { inputTokens: 3, outputTokens: 0 })
  t.equal(decodeUsage({ type: 'duration', seconds: 9 }), null)
  t.equal(decodeUsage({ total_tokens: 1e300 }), 'implausible')
  t.equal(decodeUsage(undefined), null)
  t.end()
})

test('the last usage of an answer counts, wherever else the word is', (t) => {
  const read = (text: string) => readUsage(Buffer.from(text))
  t.match(read('{"usage":{"total_tokens":1},"a":{"usage":{"total_tokens":2}},"b":"usage"}'), { inputTokens: 2 })
  t.match(
    read('{"usage":{"total_tokens":4},"x":{"usage":{"total_tokens":'),
    { inputTokens: 4 },
    'not the one that is cut',
  )
  t.equal(read('{"usage":null}'), null)
  t.equal(read(`{"usage":{"total_tokens":1}${',"usage":1'.repeat(9)}}`), null, 'no further than a few')
  t.equal(read('{}'), null)
  t.end()
})
