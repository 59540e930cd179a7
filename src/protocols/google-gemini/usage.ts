// usageMetadata <-> Usage. The vendor counts thoughts separately from the answer, and cached tokens as part of the prompt.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readCount, sumCounts, toUsage, type Usage, type UsageReport } from '../../model/usage.js'

/** Reads `usageMetadata`, which is cumulative in every chunk of a stream; null if it has no counts. */
export function decodeUsage(value: JsonValue | undefined): UsageReport | null {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return null
  return toUsage({
    inputTokens: sumCounts(value.promptTokenCount, value.toolUsePromptTokenCount) ?? 0,
    outputTokens: sumCounts(value.candidatesTokenCount, value.thoughtsTokenCount),
    cachedInputTokens: readCount(value.cachedContentTokenCount),
    reasoningTokens: readCount(value.thoughtsTokenCount),
  })
}

const USAGE_KEY = Buffer.from('"usageMetadata":')

/**
 * The bytes from `"usageMetadata":` to the end of a payload, or null. A view: copy it to keep it.
 * Prefixed with `{`, the tail is a JSON object, because the member is at the top level and comes after the answer.
 */
export function findUsage(payload: Buffer): Buffer | null {
  const at = payload.lastIndexOf(USAGE_KEY)
  return at < 0 ? null : payload.subarray(at)
}

/** Decodes the result of findUsage; null if it cannot be read. */
export function decodeUsageTail(tail: Buffer): UsageReport | null {
  try {
    const value: unknown = JSON.parse(`{${tail.toString('utf8')}`)
    return isJsonObject(value) ? decodeUsage(value.usageMetadata) : null
  } catch {
    return null
  }
}

/** Usage -> `usageMetadata`. */
export function encodeUsage(usage: Usage): JsonObject {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage
  const thoughts = Math.min(reasoningTokens, outputTokens)
  return {
    promptTokenCount: inputTokens,
    ...(cachedInputTokens > 0 ? { cachedContentTokenCount: cachedInputTokens } : {}),
    candidatesTokenCount: outputTokens - thoughts,
    ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
    totalTokenCount: inputTokens + outputTokens,
  }
}
