// usageMetadata <-> Usage. The vendor counts thoughts separately from the answer, and cached tokens as part of the prompt.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { readCount, sumCounts, toParts, toUsage, type Usage, type UsageReport } from '../../model/usage.js'

/** Reads `usageMetadata`, which is cumulative in every chunk of a stream; null if it has no counts. */
export function decodeUsage(value: JsonValue | undefined): UsageReport | null {
  if (!isJsonObject(value) || Object.keys(value).length === 0) return null
  return toUsage({
    inputTokens: sumCounts(value.promptTokenCount, value.toolUsePromptTokenCount) ?? 0,
    outputTokens: sumCounts(value.candidatesTokenCount, value.thoughtsTokenCount),
    cachedInputTokens: readCount(value.cachedContentTokenCount),
    reasoningTokens: readCount(value.thoughtsTokenCount),
    parts: partsOf(value),
  })
}

/** Counts by kind of content: `[{ "modality": "AUDIO", "tokenCount": 5 }, ...]`. Most answers have those of text alone. */
function partsOf(value: JsonObject): ReturnType<typeof toParts> {
  const { promptTokensDetails: input, cacheTokensDetails: cached, candidatesTokensDetails: output } = value
  return toParts({
    audioInputTokens: countOf(input, 'AUDIO'),
    imageInputTokens: countOf(input, 'IMAGE'),
    videoInputTokens: countOf(input, 'VIDEO'),
    cachedAudioTokens: countOf(cached, 'AUDIO'),
    cachedImageTokens: countOf(cached, 'IMAGE'),
    audioOutputTokens: countOf(output, 'AUDIO'),
    imageOutputTokens: countOf(output, 'IMAGE'),
    videoOutputTokens: countOf(output, 'VIDEO'),
    serviceTier: value.serviceTier ?? tierOf(value.trafficType),
  })
}

/** `ON_DEMAND`, `ON_DEMAND_FLEX`, `ON_DEMAND_PRIORITY`, `PROVISIONED_THROUGHPUT` */
function tierOf(traffic: JsonValue | undefined): JsonValue | undefined {
  return typeof traffic === 'string' ? traffic.replace(/^ON_DEMAND_?/, '') : undefined
}

function countOf(details: JsonValue | undefined, modality: string): JsonValue | undefined {
  if (!isJsonArray(details)) return undefined
  const found = details.find((each) => isJsonObject(each) && each.modality === modality)
  return isJsonObject(found) ? found.tokenCount : undefined
}

/** Members of the counts, with their quotes: they differ from chunk to chunk of a stream. */
export const COUNT_NAMES: readonly Buffer[] = Object.freeze(
  [
    ...['promptTokenCount', 'candidatesTokenCount', 'totalTokenCount', 'thoughtsTokenCount', 'tokenCount'],
    ...['cachedContentTokenCount', 'toolUsePromptTokenCount'],
  ].map((name) => Buffer.from(`"${name}"`)),
)

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
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens, parts } = usage
  const thoughts = Math.min(reasoningTokens, outputTokens)
  const said = outputTokens - thoughts
  return {
    promptTokenCount: inputTokens,
    ...detailsOf('promptTokensDetails', inputTokens, [
      ['AUDIO', parts.audioInputTokens],
      ['IMAGE', parts.imageInputTokens],
      ['VIDEO', parts.videoInputTokens],
    ]),
    ...(cachedInputTokens > 0 ? { cachedContentTokenCount: cachedInputTokens } : {}),
    ...detailsOf('cacheTokensDetails', cachedInputTokens, [
      ['AUDIO', parts.cachedAudioTokens],
      ['IMAGE', parts.cachedImageTokens],
    ]),
    candidatesTokenCount: said,
    ...detailsOf('candidatesTokensDetails', said, [
      ['AUDIO', parts.audioOutputTokens],
      ['IMAGE', parts.imageOutputTokens],
      ['VIDEO', parts.videoOutputTokens],
    ]),
    ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
    totalTokenCount: inputTokens + outputTokens,
  }
}

/** Left out where all of it is text. */
function detailsOf(name: string, whole: number, counts: readonly (readonly [string, number])[]): JsonObject {
  const apart = counts.filter(([, count]) => count > 0)
  if (apart.length === 0) return {}
  const text = whole - apart.reduce((sum, [, count]) => sum + count, 0)
  const all = text > 0 ? [['TEXT', text] as const, ...apart] : apart
  return { [name]: all.map(([modality, tokenCount]) => ({ modality, tokenCount })) }
}
