// The `x-ratelimit-*` headers of an answer, as in OpenAI-compatible APIs.
import { type BucketState, type LimitSnapshot } from './limiter.js'

const MS_PER_SEC = 1000
const MS_PER_MINUTE = 60_000
const MS_PER_HOUR = 3_600_000

export type LimitHeaders = (readonly [name: string, value: string])[]

/** Headers for the limits that are set, in a new list; empty if none is set. */
export function limitHeaders({ requests, tokens }: LimitSnapshot): LimitHeaders {
  const headers: LimitHeaders = []
  if (requests !== null) pushHeaders(headers, REQUESTS, requests)
  if (tokens !== null) pushHeaders(headers, TOKENS, tokens)
  return headers
}

const REQUESTS = namesOf('requests')
const TOKENS = namesOf('tokens')

function namesOf(kind: 'requests' | 'tokens') {
  return Object.freeze({
    limit: `x-ratelimit-limit-${kind}`,
    remaining: `x-ratelimit-remaining-${kind}`,
    reset: `x-ratelimit-reset-${kind}`,
  })
}

function pushHeaders(headers: LimitHeaders, names: typeof REQUESTS, state: BucketState): void {
  headers.push(
    [names.limit, String(state.limit)],
    [names.remaining, String(state.remaining)],
    [names.reset, formatDuration(state.resetMs)],
  )
}

/**
 * A duration as OpenAI writes it in its reset headers: `12ms`, `1s`, `1.5s`, `6m0s`, `1h0m0s`.
 * @see https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 */
export function formatDuration(ms: number): string {
  if (ms < MS_PER_SEC) return `${Math.ceil(ms)}ms`
  const whole = Math.ceil(ms)
  const seconds = `${(whole % MS_PER_MINUTE) / MS_PER_SEC}s`
  if (whole < MS_PER_MINUTE) return seconds
  const minutes = Math.floor((whole % MS_PER_HOUR) / MS_PER_MINUTE)
  return whole < MS_PER_HOUR ? `${minutes}m${seconds}` : `${Math.floor(whole / MS_PER_HOUR)}h${minutes}m${seconds}`
}
