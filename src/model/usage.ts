// Token counts of one exchange. Input tokens INCLUDE cached ones and output tokens INCLUDE reasoning ones, as OpenAI
// counts; a dialect whose vendor counts apart (Anthropic: input excludes cache reads and writes) adds them up on decode.

/** Who says so: the provider in full, the provider up to a cut, or our own estimate. */
export type UsageSource = 'provider' | 'partial' | 'estimated'

export type Usage = {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Part of inputTokens read from the provider's prompt cache. */
  readonly cachedInputTokens: number
  /** Part of inputTokens written into the provider's prompt cache (Anthropic). */
  readonly cacheWriteTokens: number
  /** Part of outputTokens spent on reasoning; 0 where the vendor does not tell. */
  readonly reasoningTokens: number
}

/** The start of every count: nothing used. */
export const NO_USAGE: Usage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
})
