// Token counts, read from the bytes of a whole answer.
import { test } from 'tap'
import { IMPLAUSIBLE } from '../../../src/model/usage.js'
import { ollamaChat } from '../../../src/protocols/ollama-chat/index.js'
import { dialectOf, fixture } from '../../helpers/dialect.js'

const dialect = dialectOf(ollamaChat)
const read = (body: object) => dialect.readUsage(Buffer.from(JSON.stringify(body, null, 1)))

test('usage of a whole answer is found in its bytes', (t) => {
  t.match(dialect.readUsage(fixture('ollama-chat/responses/text.json')), { inputTokens: 26, outputTokens: 282 })
  t.match(dialect.readUsage(fixture('ollama-chat/responses/no-done-reason.json')), {
    inputTokens: 0,
    outputTokens: 282,
  })
  t.match(read({ prompt_eval_count: 7 }), { inputTokens: 7, outputTokens: 0 })
  t.equal(dialect.readUsage(fixture('ollama-chat/responses/load-only.json')), null)
  t.equal(read({ eval_count: 'many' }), IMPLAUSIBLE)
  t.equal(dialect.readUsage(Buffer.from('{"eval_count": null}')), null)
  t.equal(dialect.readUsage(Buffer.from('{"eval_count":')), null)
  t.equal(dialect.readUsage(Buffer.from('{"eval_count": 0x10}')), IMPLAUSIBLE, 'no number of JSON')
  t.end()
})

test('the answer cannot pass words of its own off as usage', (t) => {
  t.equal(read({ message: { content: '"eval_count":9' } }), null)
  const message = { tool_calls: [{ function: { name: 'f', arguments: { eval_count: 9 } } }] }
  t.match(read({ message, eval_count: 2 }), { outputTokens: 2 })
  t.end()
})
