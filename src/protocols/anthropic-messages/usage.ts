// Token counts: the vendor counts cached input apart from input, the canonical usage counts it in. Pure functions.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type Usage } from '../../model/usage.js'

/** The vendor's own counts so far. `output` is null until a frame other than `message_start` has told it. */
export type TokenCounts = {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number | null
  readonly thinking: number
}

/**
 * Reads a `usage` object over what was known before. Counts are cumulative, so they replace and never add up
 * (tensorzero#5481); a zero does not erase a count already told (agentgateway#1108).
 */
export function readCounts(wire: JsonValue | undefined, before: TokenCounts | null): TokenCounts | null {
  if (!isJsonObject(wire)) return before
  const details = wire.output_tokens_details
  return {
    input: count(wire.input_tokens) || (before?.input ?? 0),
    cacheRead: count(wire.cache_read_input_tokens) || (before?.cacheRead ?? 0),
    cacheWrite: count(wire.cache_creation_input_tokens) || (before?.cacheWrite ?? 0),
    output:
      typeof wire.output_tokens === 'number'
        ? Math.max(wire.output_tokens, before?.output ?? 0)
        : (before?.output ?? null),
    thinking: (isJsonObject(details) ? count(details.thinking_tokens) : 0) || (before?.thinking ?? 0),
  }
}

/** Reads `message_start.message.usage`: its output count is a placeholder (1 in the vendor's examples), not usage. */
export function readStartCounts(wire: JsonValue | undefined): TokenCounts | null {
  const counts = readCounts(wire, null)
  return counts === null ? null : { ...counts, output: null }
}

function count(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0
}

/** The canonical usage; output not told yet counts as 0. */
export function usageOf(counts: TokenCounts): Usage {
  return {
    inputTokens: counts.input + counts.cacheRead + counts.cacheWrite,
    outputTokens: counts.output ?? 0,
    cachedInputTokens: counts.cacheRead,
    cacheWriteTokens: counts.cacheWrite,
    reasoningTokens: counts.thinking,
  }
}

/** The vendor's `usage` object; reasoning tokens only where they are known. */
export function encodeUsage(usage: Usage): JsonObject {
  const wire: JsonObject = {
    input_tokens: Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens),
    cache_creation_input_tokens: usage.cacheWriteTokens,
    cache_read_input_tokens: usage.cachedInputTokens,
    output_tokens: usage.outputTokens,
  }
  if (usage.reasoningTokens > 0) wire.output_tokens_details = { thinking_tokens: usage.reasoningTokens }
  return wire
}
