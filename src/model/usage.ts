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
}

/** Replaces usage with a value that cannot be a count. Plain data, so that it can be sent to a worker. */
export const IMPLAUSIBLE = 'implausible'
/** Usage as reported by an upstream. */
export type UsageReport = Usage | typeof IMPLAUSIBLE

/** The start of every count: nothing used. */
export const NO_USAGE: Usage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
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
  readonly [Name in keyof Usage]?: number | null | typeof IMPLAUSIBLE
}

/** Usage from the counts read; null if neither input nor output is present, IMPLAUSIBLE if any count is. */
export function toUsage(read: CountsRead): UsageReport | null {
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = read
  const input = inputTokens ?? 0
  const output = outputTokens ?? 0
  const cached = cachedInputTokens ?? 0
  const written = cacheWriteTokens ?? 0
  const reasoning = reasoningTokens ?? 0
  if (input === IMPLAUSIBLE || output === IMPLAUSIBLE) return IMPLAUSIBLE
  if (cached === IMPLAUSIBLE || written === IMPLAUSIBLE || reasoning === IMPLAUSIBLE) return IMPLAUSIBLE
  if ((inputTokens ?? null) === null && (outputTokens ?? null) === null) return null
  return {
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    reasoningTokens: reasoning,
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
