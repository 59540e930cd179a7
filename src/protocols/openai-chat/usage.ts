// Token counts on this wire, both ways, and how to read them from the bytes of a whole answer without decoding the rest.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import {
  IMPLAUSIBLE,
  readCount,
  readTier,
  sumCounts,
  toParts,
  toUsage,
  type Usage,
  type UsageReport,
} from '../../model/usage.js'
import { scanMembers } from '../../wire/body/members.js'
import { objectEnd, valueBehind } from '../../wire/json-scan.js'
import { type WireUsage } from './wire.js'

const USAGE_KEY = Buffer.from('"usage"')
const TIER_KEY = Buffer.from('"service_tier"')
const TIER = /^\s*:\s*"(\w{1,32})"/
const MAX_TIER_BYTES = 64
const BRACE_OPEN = 0x7b
/** Vendors send usage once or twice; an answer that has it a thousand times is not searched to its beginning. */
const MAX_TRIES = 8

/** Null for anything with neither input nor output tokens. `serviceTier`: the member of that name beside it. */
export function decodeUsage(value: JsonValue | undefined, serviceTier?: JsonValue): UsageReport | null {
  if (!isJsonObject(value)) return null
  const inputDetails = isJsonObject(value.prompt_tokens_details) ? value.prompt_tokens_details : {}
  const outputDetails = isJsonObject(value.completion_tokens_details) ? value.completion_tokens_details : {}
  // DeepSeek has cache hits at the top level (api-docs.deepseek.com, context caching), and so does Moonshot.
  const cached = inputDetails.cached_tokens ?? value.prompt_cache_hit_tokens ?? value.cached_tokens
  const usage = toUsage({
    inputTokens: readCount(value.prompt_tokens),
    outputTokens: readCount(value.completion_tokens),
    cachedInputTokens: readCount(cached),
    cacheWriteTokens: readCount(inputDetails.cache_write_tokens),
    reasoningTokens: readCount(outputDetails.reasoning_tokens),
    parts: toParts({
      audioInputTokens: inputDetails.audio_tokens,
      imageInputTokens: inputDetails.image_tokens,
      audioOutputTokens: outputDetails.audio_tokens,
      imageOutputTokens: outputDetails.image_tokens,
      serviceTier,
    }),
  })
  return usage === null || usage === IMPLAUSIBLE ? usage : withReasoningApart(usage, value)
}

/** xAI counts reasoning separately from completion_tokens; its total shows that (docs.x.ai, reasoning). */
function withReasoningApart(usage: Usage, wire: JsonObject): UsageReport | null {
  const { inputTokens, outputTokens, reasoningTokens } = usage
  if (reasoningTokens === 0 || wire.total_tokens !== inputTokens + outputTokens + reasoningTokens) return usage
  return toUsage({ ...usage, outputTokens: sumCounts(outputTokens, reasoningTokens) })
}

/** Usage in OpenAI's form. */
export function encodeUsage(usage: Usage): WireUsage {
  const details: WireUsage['prompt_tokens_details'] = { cached_tokens: usage.cachedInputTokens }
  const { audioInputTokens, imageInputTokens, audioOutputTokens, imageOutputTokens } = usage.parts
  if (usage.cacheWriteTokens > 0) details.cache_write_tokens = usage.cacheWriteTokens
  if (audioInputTokens > 0) details.audio_tokens = audioInputTokens
  if (imageInputTokens > 0) details.image_tokens = imageInputTokens
  const outputDetails: WireUsage['completion_tokens_details'] = { reasoning_tokens: usage.reasoningTokens }
  if (audioOutputTokens > 0) outputDetails.audio_tokens = audioOutputTokens
  if (imageOutputTokens > 0) outputDetails.image_tokens = imageOutputTokens
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: details,
    completion_tokens_details: outputDetails,
  }
}

/** Usage of one stream chunk: in `usage`, at Groq also in `x_groq`, at Moonshot in the choice. */
export function usageOfChunk(chunk: JsonObject): UsageReport | null {
  const own = decodeUsage(chunk.usage, chunk.service_tier)
  if (own !== null) return own
  if (isJsonObject(chunk.x_groq)) return decodeUsage(chunk.x_groq.usage)
  const choice = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined
  return isJsonObject(choice) ? decodeUsage(choice.usage) : null
}

/** The last usage object of a whole answer; null if there is no readable one. */
export function readUsage(body: Buffer): UsageReport | null {
  let at = body.lastIndexOf(USAGE_KEY)
  for (let tries = 0; at >= 0 && tries < MAX_TRIES; tries++) {
    const start = valueBehind(body, at + USAGE_KEY.length)
    if (start >= 0 && body[start] === BRACE_OPEN) {
      const usage = parseUsage(body.toString('utf8', start, objectEnd(body, start)), tierIn(body))
      if (usage !== null) return usage
    }
    at = at === 0 ? -1 : body.lastIndexOf(USAGE_KEY, at - 1)
  }
  return null
}

/**
 * The member of a whole answer. Few have another one than the usual, and of those the members are read, since an answer may repeat names that
 * its client has chosen (`metadata`).
 */
function tierIn(body: Buffer): string | null {
  const at = body.lastIndexOf(TIER_KEY)
  if (at < 0 || readTier(tierBehind(body, at + TIER_KEY.length)) === null) return null
  const member = scanMembers(body)?.find(({ key }) => key === 'service_tier')
  return member === undefined ? null : readTier(body.toString('utf8', member.valueStart + 1, member.valueEnd - 1))
}

function tierBehind(body: Buffer, at: number): string | undefined {
  return TIER.exec(body.toString('latin1', at, at + MAX_TIER_BYTES))?.[1]
}

function parseUsage(text: string, serviceTier: JsonValue): UsageReport | null {
  try {
    return decodeUsage(JSON.parse(text) as JsonValue, serviceTier)
  } catch {
    return null
  }
}
