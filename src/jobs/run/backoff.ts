// When a failed run is retried. Pure: randomness is passed in.

/** First step of the doubling; a provider's hiccup is over by then. */
const BASE_MS = 1000
const MAX_MS = 60_000
/** Upper bound of a provider's Retry-After: its window may have moved by then. */
export const MAX_RETRY_AFTER_MS = 10 * 60_000

export type BackoffOptions = {
  /** 0 <= n < 1 */
  readonly random: () => number
  /** The upstream's Retry-After, if any. */
  readonly retryAfterMs: number | null
}

/**
 * Milliseconds to wait after the n-th failed attempt, from 1: exponential with full jitter, so that jobs that failed together
 * do not come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter). Never less than the
 * upstream asked for.
 */
export function backoffMs(attempt: number, { random, retryAfterMs }: BackoffOptions): number {
  const jittered = random() * Math.min(MAX_MS, BASE_MS * 2 ** (attempt - 1))
  return Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) + jittered
}
