// Token counts both ways.
import { test } from 'tap'
import { IMPLAUSIBLE } from '../../../src/model/usage.js'
import { decodeUsage, encodeUsage } from '../../../src/protocols/openai-responses/usage.js'

const USAGE = { inputTokens: 9, outputTokens: 7, cachedInputTokens: 4, cacheWriteTokens: 2, reasoningTokens: 3 }

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
