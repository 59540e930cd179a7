// Token counts: added up on decode, taken apart on encode, replaced and never summed in a stream.
import { test } from 'tap'
import { believable, NO_PARTS, NO_USAGE } from '../../../src/model/usage.js'
import { encodeUsage, readCounts, readStartCounts, usageOf } from '../../../src/protocols/anthropic-messages/usage.js'

const WIRE = {
  input_tokens: 50,
  cache_creation_input_tokens: 248,
  cache_read_input_tokens: 1800,
  output_tokens: 7,
  output_tokens_details: { thinking_tokens: 3 },
}

test('counts cached input into the input', async (t) => {
  const counts = readCounts(WIRE, null)
  t.strictSame(counts && usageOf(counts), {
    inputTokens: 2098,
    outputTokens: 7,
    cachedInputTokens: 1800,
    cacheWriteTokens: 248,
    reasoningTokens: 3,
    parts: NO_PARTS,
  })
})

test('encodes what it has decoded', async (t) => {
  const counts = readCounts(WIRE, null)
  t.strictSame(encodeUsage(believable(counts && usageOf(counts)) ?? NO_USAGE), WIRE)
  t.strictSame(encodeUsage({ ...NO_USAGE, inputTokens: 1, cachedInputTokens: 2 }).input_tokens, 0)
})

test('replaces cumulative counts, and a zero or an absence erases none', async (t) => {
  const start = readStartCounts({ input_tokens: 120, cache_read_input_tokens: 30, output_tokens: 1 })
  t.equal(start?.output, null)
  t.match(start && usageOf(start), { outputTokens: 0 })
  const first = readCounts({ input_tokens: 0, cache_read_input_tokens: null, output_tokens: 3 }, start)
  const second = readCounts({ output_tokens: 6 }, first)
  t.strictSame(second, {
    ...{ input: 120, cacheRead: 30, cacheWrite: 0, longCacheWrite: 0, output: 6, thinking: 0 },
    ...{ serviceTier: null, isImplausible: false },
  })
  t.strictSame(readCounts({ output_tokens: 0 }, second), second)
  t.strictSame(readCounts({}, second), second)
  t.equal(readCounts({ input_tokens: 500 }, second)?.input, 500)
})

test('no usage object reports nothing', async (t) => {
  t.equal(readStartCounts(undefined), null)
  t.equal(readCounts(null, null), null)
  t.equal(readCounts({}, null)?.output, null)
})

test('what is cached for an hour and the class of service are parts that have prices of their own', async (t) => {
  const cache_creation = { ephemeral_5m_input_tokens: 48, ephemeral_1h_input_tokens: 200 }
  const start = readStartCounts({ ...WIRE, cache_creation, service_tier: 'priority' })
  const counts = readCounts({ output_tokens: 7 }, start)
  t.match(counts && usageOf(counts), {
    cacheWriteTokens: 248,
    parts: { longCacheWriteTokens: 200, serviceTier: 'priority' },
  })
  const usual = readCounts({ ...WIRE, service_tier: 'standard' }, null)
  t.match(usual && usageOf(usual), { parts: NO_PARTS })
  const absurd = readCounts({ ...WIRE, cache_creation: { ephemeral_1h_input_tokens: -1 } }, null)
  t.equal(absurd && usageOf(absurd), 'implausible')
})

test('what is cached for an hour is told to clients as well', async (t) => {
  const usage = { ...NO_USAGE, inputTokens: 9, cacheWriteTokens: 5, parts: { ...NO_PARTS, longCacheWriteTokens: 4 } }
  const counts = readCounts(encodeUsage(usage), null)
  t.match(encodeUsage(usage), { cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 4 } })
  t.strictSame(counts && usageOf(counts), usage)
})
