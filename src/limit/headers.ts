// The `x-ratelimit-*` headers of an answer, as the users of OpenAI-compatible gateways read them.
import { type BucketState, type LimitSnapshot } from './limiter.js'

const MS_PER_SEC = 1000
const MS_PER_MINUTE = 60_000
const MS_PER_HOUR = 3_600_000

export type LimitHeaders = readonly (readonly [name: string, value: string])[]

/** Headers for the limits that are set; an empty list when none is. */
export function limitHeaders(snapshot: LimitSnapshot): LimitHeaders {
  return [...headersOf('requests', snapshot.requests), ...headersOf('tokens', snapshot.tokens)]
}

function headersOf(kind: 'requests' | 'tokens', state: BucketState | null): LimitHeaders {
  if (state === null) return []
  return [
    [`x-ratelimit-limit-${kind}`, String(state.limit)],
    [`x-ratelimit-remaining-${kind}`, String(state.remaining)],
    [`x-ratelimit-reset-${kind}`, formatDuration(state.resetMs)],
  ]
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
