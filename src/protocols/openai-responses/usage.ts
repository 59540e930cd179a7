// Token counts on this wire, both ways. Input includes cached tokens and output includes reasoning, as in the canonical usage.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readCount, toParts, toUsage, type Usage, type UsageReport } from '../../model/usage.js'

/** Null for anything with neither input nor output tokens. `serviceTier`: the member of that name beside it. */
export function decodeUsage(value: JsonValue | undefined, serviceTier?: JsonValue): UsageReport | null {
  if (!isJsonObject(value)) return null
  const input = isJsonObject(value.input_tokens_details) ? value.input_tokens_details : {}
  const output = isJsonObject(value.output_tokens_details) ? value.output_tokens_details : {}
  return toUsage({
    inputTokens: readCount(value.input_tokens),
    outputTokens: readCount(value.output_tokens),
    cachedInputTokens: readCount(input.cached_tokens),
    cacheWriteTokens: readCount(input.cache_write_tokens),
    reasoningTokens: readCount(output.reasoning_tokens),
    parts: toParts({
      audioInputTokens: input.audio_tokens,
      imageInputTokens: input.image_tokens,
      audioOutputTokens: output.audio_tokens,
      imageOutputTokens: output.image_tokens,
      serviceTier,
    }),
  })
}

/** Usage in the vendor's form. */
export function encodeUsage(usage: Usage): JsonObject {
  const { audioInputTokens, imageInputTokens, audioOutputTokens, imageOutputTokens } = usage.parts
  const input: JsonObject = { cached_tokens: usage.cachedInputTokens, cache_write_tokens: usage.cacheWriteTokens }
  const output: JsonObject = { reasoning_tokens: usage.reasoningTokens }
  if (audioInputTokens > 0) input.audio_tokens = audioInputTokens
  if (imageInputTokens > 0) input.image_tokens = imageInputTokens
  if (audioOutputTokens > 0) output.audio_tokens = audioOutputTokens
  if (imageOutputTokens > 0) output.image_tokens = imageOutputTokens
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: input,
    output_tokens: usage.outputTokens,
    output_tokens_details: output,
    total_tokens: usage.inputTokens + usage.outputTokens,
  }
}
