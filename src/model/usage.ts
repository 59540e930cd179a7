// Token counts of one exchange. Input tokens INCLUDE cached ones and output tokens INCLUDE reasoning ones, as OpenAI
// counts; a dialect whose vendor counts separately (Anthropic: input excludes cache reads and writes) adds them up on decode.
// Counts come from upstreams, so one place reads them for all dialects. Implausible counts are discarded, because one absurd
// number would put a rate limit into debt, or a metric at infinity.
import { type JsonValue } from './json.js'

/** The source of usage: the provider's final count, its count up to a cut, or our own estimate. */
export type UsageSource = 'provider' | 'partial' | 'estimated'

export type Usage = {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Part of inputTokens read from the provider's prompt cache. */
  readonly cachedInputTokens: number
  /** Part of inputTokens written into the provider's prompt cache (Anthropic). */
  readonly cacheWriteTokens: number
  /** Part of outputTokens spent on reasoning; 0 if the vendor does not report it. */
  readonly reasoningTokens: number
  /** What else may have a price of its own; NO_PARTS for nothing. */
  readonly parts: UsageParts
}

/** Counts of what has a price of its own at some vendors; 0 if the vendor does not report it. */
export type UsageParts = {
  /** Part of cacheWriteTokens that is kept for an hour. */
  readonly longCacheWriteTokens: number
  /** Parts of inputTokens. */
  readonly audioInputTokens: number
  readonly imageInputTokens: number
  readonly videoInputTokens: number
  /** Parts of cachedInputTokens, and of those above. */
  readonly cachedAudioTokens: number
  readonly cachedImageTokens: number
  /** Parts of outputTokens. */
  readonly audioOutputTokens: number
  readonly imageOutputTokens: number
  readonly videoOutputTokens: number
  /** Images that were made. */
  readonly images: number
  /** Of audio that was heard or spoken, rounded up. */
  readonly audioSeconds: number
  /** The class of service that the provider has served it with, in its own word; null for the usual one. */
  readonly serviceTier: string | null
}

/** Replaces usage with a value that cannot be a count. Plain data, so that it can be sent to a worker. */
export const IMPLAUSIBLE = 'implausible'
/** Usage as reported by an upstream. */
export type UsageReport = Usage | typeof IMPLAUSIBLE

export const NO_PARTS: UsageParts = Object.freeze({
  longCacheWriteTokens: 0,
  audioInputTokens: 0,
  imageInputTokens: 0,
  videoInputTokens: 0,
  cachedAudioTokens: 0,
  cachedImageTokens: 0,
  audioOutputTokens: 0,
  imageOutputTokens: 0,
  videoOutputTokens: 0,
  images: 0,
  audioSeconds: 0,
  serviceTier: null,
})

/** The start of every count: nothing used. */
export const NO_USAGE: Usage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  parts: NO_PARTS,
})

/** Several times the largest context window on offer; no single answer has cost as much. */
export const MAX_TOKENS = 10_000_000

/**
 * One count as an upstream wrote it: null where it wrote none (a few vendors write `null` for that), else a whole number
 * from 0 to MAX_TOKENS, or IMPLAUSIBLE for anything else, numbers as text included.
 */
export function readCount(value: JsonValue | undefined): number | null | typeof IMPLAUSIBLE {
  if (value === undefined || value === null) return null
  return Number.isSafeInteger(value) && isCount(value as number) ? (value as number) : IMPLAUSIBLE
}

/** The sum of counts; null if there are none, IMPLAUSIBLE if one is or the sum would be. */
export function sumCounts(...values: readonly (JsonValue | undefined)[]): number | null | typeof IMPLAUSIBLE {
  let sum: number | null = null
  for (const value of values) {
    const count = readCount(value)
    if (count === IMPLAUSIBLE) return IMPLAUSIBLE
    if (count !== null) sum = (sum ?? 0) + count
  }
  return sum === null || isCount(sum) ? sum : IMPLAUSIBLE
}

/** The counts of a usage object as a dialect has read them; null: the upstream sent none. */
export type CountsRead = {
  readonly [Name in Exclude<keyof Usage, 'parts'>]?: number | null | typeof IMPLAUSIBLE
} & { readonly parts?: UsageParts | typeof IMPLAUSIBLE }

/** The parts of a usage object as a dialect has read them; absent or null: the upstream sent none. */
export type PartsRead = {
  readonly [Name in Exclude<keyof UsageParts, 'serviceTier'>]?: JsonValue | undefined
} & { readonly serviceTier?: JsonValue | undefined }

/** How vendors call the usual class of service. */
const USUAL_TIERS: ReadonlySet<string> = new Set(['', 'auto', 'default', 'standard', 'on_demand', 'unspecified'])
/** Longer words are no class of service. */
const MAX_TIER_CHARS = 32

/** A class of service in lower case; null for the usual one. */
export function readTier(value: JsonValue | undefined): string | null {
  if (typeof value !== 'string' || value.length > MAX_TIER_CHARS) return null
  const tier = value.toLowerCase()
  return USUAL_TIERS.has(tier) ? null : tier
}

/** The parts read; NO_PARTS itself if there are none, IMPLAUSIBLE if one cannot be a count. */
export function toParts(read: PartsRead): UsageParts | typeof IMPLAUSIBLE {
  const serviceTier = readTier(read.serviceTier)
  let found: Partial<Record<keyof UsageParts, number>> | null = null
  for (const name of PART_NAMES) {
    const count = readCount(read[name])
    if (count === IMPLAUSIBLE) return IMPLAUSIBLE
    if (count === null || count === 0) continue
    found ??= {}
    found[name] = count
  }
  return found === null && serviceTier === null ? NO_PARTS : ({ ...NO_PARTS, ...found, serviceTier } as UsageParts)
}

const PART_NAMES = (Object.keys(NO_PARTS) as (keyof UsageParts)[]).filter(isCounted)

function isCounted(name: keyof UsageParts): name is Exclude<keyof UsageParts, 'serviceTier'> {
  return name !== 'serviceTier'
}

/** Usage from the counts read; null if neither input nor output is present, IMPLAUSIBLE if any count is. */
export function toUsage(read: CountsRead): UsageReport | null {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens, parts = NO_PARTS } = read
  const input = inputTokens ?? 0
  const output = outputTokens ?? 0
  const cached = cachedInputTokens ?? 0
  const written = cacheWriteTokens ?? 0
  const reasoning = reasoningTokens ?? 0
  if (input === IMPLAUSIBLE || output === IMPLAUSIBLE) return IMPLAUSIBLE
  if (cached === IMPLAUSIBLE || written === IMPLAUSIBLE || reasoning === IMPLAUSIBLE) return IMPLAUSIBLE
  if (parts === IMPLAUSIBLE) return IMPLAUSIBLE
  const isUnit = parts.images > 0 || parts.audioSeconds > 0
  if ((inputTokens ?? null) === null && (outputTokens ?? null) === null && !isUnit) return null
  return {
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    reasoningTokens: reasoning,
    parts,
  }
}

/** The usage to show or count; null if there is none or it is implausible. */
export function believable(report: UsageReport | null): Usage | null {
  return report === IMPLAUSIBLE ? null : report
}

/** The most that an answer can have cost: the model's context and the cap that was sent; null if unknown. */
export type UsageCaps = { readonly input: number | null; readonly output: number | null }

/**
 * Usage above a cap is implausible. Reasoning is not counted as output here, since some vendors count it outside the cap; MAX_TOKENS
 * limits it all the same.
 */
export function withinCaps(report: UsageReport | null, { input, output }: UsageCaps): UsageReport | null {
  if (report === null || report === IMPLAUSIBLE) return report
  if (input !== null && report.inputTokens > input) return IMPLAUSIBLE
  return output !== null && report.outputTokens - report.reasoningTokens > output ? IMPLAUSIBLE : report
}

function isCount(value: number): boolean {
  return value >= 0 && value <= MAX_TOKENS
}
