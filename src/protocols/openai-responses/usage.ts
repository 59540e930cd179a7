// Token counts on this wire, both ways. Input includes cached tokens and output includes reasoning, as in the canonical usage.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readCount, toUsage, type Usage, type UsageReport } from '../../model/usage.js'

/** Null for anything with neither input nor output tokens. */
export function decodeUsage(value: JsonValue | undefined): UsageReport | null {
  if (!isJsonObject(value)) return null
  const input = isJsonObject(value.input_tokens_details) ? value.input_tokens_details : {}
  const output = isJsonObject(value.output_tokens_details) ? value.output_tokens_details : {}
  return toUsage({
    inputTokens: readCount(value.input_tokens),
    outputTokens: readCount(value.output_tokens),
    cachedInputTokens: readCount(input.cached_tokens),
    cacheWriteTokens: readCount(input.cache_write_tokens),
    reasoningTokens: readCount(output.reasoning_tokens),
  })
}

/** Usage in the vendor's form. */
export function encodeUsage(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedInputTokens, cache_write_tokens: usage.cacheWriteTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  }
}
