// Token counts, read from parsed bodies and from bytes.
import { test } from 'tap'
import { IMPLAUSIBLE } from '../../../src/model/usage.js'
import { googleGemini } from '../../../src/protocols/google-gemini/index.js'
import { decodeUsage, decodeUsageTail, findUsage } from '../../../src/protocols/google-gemini/usage.js'
import { dialectOf, fixture } from '../../helpers/dialect.js'

const dialect = dialectOf(googleGemini)

test('thoughts count as output, tool use prompts as input, and nonsense is not believed', (t) => {
  const usage = decodeUsage({
    promptTokenCount: 5,
    toolUsePromptTokenCount: 7,
    candidatesTokenCount: 3,
    thoughtsTokenCount: 4,
  })
  t.match(usage, { inputTokens: 12, outputTokens: 7, reasoningTokens: 4, cachedInputTokens: 0 })
  t.match(decodeUsage({ promptTokenCount: 5, candidatesTokenCount: null }), { inputTokens: 5, outputTokens: 0 })
  t.equal(decodeUsage({ promptTokenCount: 'many' }), IMPLAUSIBLE)
  t.equal(decodeUsage({}), null)
  t.equal(decodeUsage(undefined), null)
  t.end()
})

test('usage of a whole answer is found in its bytes', (t) => {
  t.match(dialect.readUsage(fixture('google-gemini/responses/reasoning.json')), {
    inputTokens: 14,
    outputTokens: 62,
    reasoningTokens: 57,
  })
  t.equal(dialect.readUsage(Buffer.from('{"candidates":[]}')), null)
  t.equal(findUsage(Buffer.from('{}')), null)
  t.end()
})

test('the answer cannot pass words of its own off as usage', (t) => {
  const liar = { candidates: [{ content: { parts: [{ text: '"usageMetadata":{"promptTokenCount":9}' }] } }] }
  t.equal(dialect.readUsage(Buffer.from(JSON.stringify(liar))), null)
  const args = { usageMetadata: { promptTokenCount: 9 } }
  const calls = { candidates: [{ content: { parts: [{ functionCall: { name: 'f', args } }] } }] }
  const told = { ...calls, usageMetadata: { promptTokenCount: 2 } }
  t.match(dialect.readUsage(Buffer.from(JSON.stringify(told))), { inputTokens: 2 })
  t.equal(dialect.readUsage(Buffer.from(JSON.stringify(calls))), null)
  t.equal(decodeUsageTail(Buffer.from('"usageMetadata":')), null)
  t.end()
})
