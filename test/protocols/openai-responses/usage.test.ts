// Token counts both ways.
import { test } from 'tap'
import { IMPLAUSIBLE, NO_PARTS } from '../../../src/model/usage.js'
import { readUsage } from '../../../src/protocols/openai-responses/response.js'
import { decodeUsage, encodeUsage } from '../../../src/protocols/openai-responses/usage.js'

const USAGE = {
  inputTokens: 9,
  outputTokens: 7,
  cachedInputTokens: 4,
  cacheWriteTokens: 2,
  reasoningTokens: 3,
  parts: NO_PARTS,
}

test('usage goes both ways without a loss; input includes what was cached', async (t) => {
  const wire = encodeUsage(USAGE)
  t.same(wire, {
    input_tokens: 9,
    input_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
    output_tokens: 7,
    output_tokens_details: { reasoning_tokens: 3 },
    total_tokens: 16,
  })
  t.same(decodeUsage(wire), USAGE)
})

test('details may be absent, and usage may be none or no count', async (t) => {
  t.match(decodeUsage({ input_tokens: 1, output_tokens: 2 }), { inputTokens: 1, cachedInputTokens: 0 })
  t.equal(decodeUsage(null), null)
  t.equal(decodeUsage({}), null)
  t.equal(decodeUsage({ input_tokens: 1, output_tokens: -1 }), IMPLAUSIBLE)
})

test('tokens of audio and the class of service are parts', (t) => {
  const usage = { input_tokens: 9, output_tokens: 7, input_tokens_details: { audio_tokens: 4 } }
  t.match(decodeUsage(usage, 'flex'), { parts: { audioInputTokens: 4, serviceTier: 'flex' } })
  const body = { id: 'r', metadata: { service_tier: 'priority' }, service_tier: 'flex', usage }
  t.match(readUsage(Buffer.from(JSON.stringify(body))), { parts: { serviceTier: 'flex' } })
  t.end()
})

test('tokens that are no text are told to clients as well', (t) => {
  const usage = {
    ...{ inputTokens: 9, outputTokens: 8, cachedInputTokens: 1, cacheWriteTokens: 1, reasoningTokens: 1 },
    parts: { ...NO_PARTS, audioInputTokens: 4, imageInputTokens: 2, audioOutputTokens: 3, imageOutputTokens: 1 },
  }
  t.strictSame(decodeUsage(encodeUsage(usage)), usage)
  t.end()
})
