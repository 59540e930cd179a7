// Token counts: the vendor counts cached input separately from input, the canonical usage includes it. Pure functions.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import {
  IMPLAUSIBLE,
  NO_PARTS,
  NO_USAGE,
  readCount,
  readTier,
  sumCounts,
  toParts,
  toUsage,
  type Usage,
  type UsageReport,
} from '../../model/usage.js'

/** The vendor's own counts so far. `output` is null until a frame other than `message_start` reports it. */
export type TokenCounts = {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  /** Part of cacheWrite that is kept for an hour. */
  readonly longCacheWrite: number
  readonly output: number | null
  readonly thinking: number
  /** As the vendor calls it; null for the usual one. */
  readonly serviceTier: string | null
  /** A value so far was not a valid count: none of them is used. */
  readonly isImplausible: boolean
}

const NO_COUNTS: TokenCounts = Object.freeze({
  ...{ input: 0, cacheRead: 0, cacheWrite: 0, longCacheWrite: 0, output: null, thinking: 0 },
  serviceTier: null,
  isImplausible: false,
})

/**
 * Reads a `usage` object over what was known before. Counts are cumulative, so they replace and never add up
 * (tensorzero#5481); a zero does not replace a count already reported (agentgateway#1108).
 */
export function readCounts(wire: JsonValue | undefined, before: TokenCounts | null): TokenCounts | null {
  if (!isJsonObject(wire)) return before
  const known = before ?? NO_COUNTS
  const details = isJsonObject(wire.output_tokens_details) ? wire.output_tokens_details : {}
  const input = readCount(wire.input_tokens)
  const cacheRead = readCount(wire.cache_read_input_tokens)
  const cacheWrite = readCount(wire.cache_creation_input_tokens)
  const creation = isJsonObject(wire.cache_creation) ? wire.cache_creation : {}
  const longCacheWrite = readCount(creation.ephemeral_1h_input_tokens)
  const output = readCount(wire.output_tokens)
  const thinking = readCount(details.thinking_tokens)
  const all = [input, cacheRead, cacheWrite, longCacheWrite, output, thinking]
  if (all.includes(IMPLAUSIBLE)) return { ...known, isImplausible: true }
  return {
    input: Number(input) || known.input,
    cacheRead: Number(cacheRead) || known.cacheRead,
    cacheWrite: Number(cacheWrite) || known.cacheWrite,
    longCacheWrite: Number(longCacheWrite) || known.longCacheWrite,
    output: output === null ? known.output : Math.max(Number(output), known.output ?? 0),
    thinking: Number(thinking) || known.thinking,
    serviceTier: readTier(wire.service_tier) ?? known.serviceTier,
    isImplausible: known.isImplausible,
  }
}

/** Reads `message_start.message.usage`: its output count is a placeholder (1 in the vendor's examples), not usage. */
export function readStartCounts(wire: JsonValue | undefined): TokenCounts | null {
  const counts = readCounts(wire, null)
  return counts === null ? null : { ...counts, output: null }
}

/** The canonical usage; output that is not yet reported counts as 0. */
export function usageOf(counts: TokenCounts): UsageReport {
  if (counts.isImplausible) return IMPLAUSIBLE
  const usage = toUsage({
    inputTokens: sumCounts(counts.input, counts.cacheRead, counts.cacheWrite),
    outputTokens: counts.output ?? 0,
    cachedInputTokens: counts.cacheRead,
    cacheWriteTokens: counts.cacheWrite,
    reasoningTokens: counts.thinking,
    parts: partsOf(counts),
  })
  return usage ?? NO_USAGE
}

function partsOf({ longCacheWrite, serviceTier }: TokenCounts): ReturnType<typeof toParts> {
  // Usage is read for each piece of a stream that a budget counts.
  const isPlain = longCacheWrite === 0 && serviceTier === null
  return isPlain ? NO_PARTS : toParts({ longCacheWriteTokens: longCacheWrite, serviceTier })
}

/** The vendor's `usage` object; with reasoning tokens only if they are known. */
export function encodeUsage(usage: Usage): JsonObject {
  const wire: JsonObject = {
    input_tokens: Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens),
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cachedInputTokens,
    output_tokens: usage.outputTokens,
  }
  const { longCacheWriteTokens: long } = usage.parts
  if (long > 0) {
    const short = Math.max(0, usage.cacheWriteTokens - long)
    wire.cache_creation = { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long }
  }
  if (usage.reasoningTokens > 0) wire.output_tokens_details = { thinking_tokens: usage.reasoningTokens }
  return wire
}
