// When a failed request is worth another try before its first byte, where, and after which pause. Pure: chance is passed in.
//
//   failure -> cure:  elsewhere  another target at once       again  the same target too, after a pause
//                     larger     a model with more context     none   give up
import { type RetryConfig } from '../config/types.js'
import { type ErrorData } from '../model/error.js'

/** What may help. `again` includes `elsewhere`; `larger` is only a model with a larger context. */
export type Cure = 'again' | 'elsewhere' | 'larger' | 'none'

/** Refusals because of the gateway's account at this provider (key, credit, permission, model), not because of the request. */
const ELSEWHERE_STATUSES: ReadonlySet<number> = new Set([401, 402, 403, 404])
/** Below are redirects: the base URL is wrong, and a key is never forwarded. */
const FIRST_CLIENT_STATUS = 400
const FIRST_SERVER_STATUS = 500
/** Retries that an idle gateway may make before its fraction of requests counts. */
const RESERVE = 10

/** What may cure this failure. An invalid request, the client's own 400, is invalid everywhere. */
export function cureOf(error: ErrorData): Cure {
  switch (error.code) {
    case 'upstream_unreachable':
    case 'upstream_overloaded':
    case 'upstream_cut':
    case 'upstream_malformed':
      return error.retryable ? 'again' : 'none'
    case 'upstream_rejected':
      return cureOfStatus(error.status)
    case 'rate_limited':
      // A quota that is used up remains so, but only at this provider.
      return error.retryable ? 'again' : 'elsewhere'
    case 'context_length_exceeded':
      return 'larger'
    case 'upstream_auth':
    case 'upstream_timeout':
    case 'misconfigured':
    // A cheaper target may be paid.
    case 'budget_exceeded':
      return 'elsewhere'
    default:
      return error.retryable ? 'elsewhere' : 'none'
  }
}

function cureOfStatus(status: number): Cure {
  if (status >= FIRST_SERVER_STATUS) return 'again'
  return status < FIRST_CLIENT_STATUS || ELSEWHERE_STATUSES.has(status) ? 'elsewhere' : 'none'
}

export type PauseFacts = {
  /** Pauses made before this one. */
  readonly round: number
  /** What the upstream asked for; null if nothing. */
  readonly retryAfterMs: number | null
  /** Time spent in pauses so far. */
  readonly pausedMs: number
  /** 0 <= n < 1 */
  readonly random: number
}

/**
 * The pause before the next try in ms: exponential with full jitter, after the time the upstream asked for. Null when the
 * client would wait too long.
 * @see https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
export function pauseOf(config: RetryConfig, { round, retryAfterMs, pausedMs, random }: PauseFacts): number | null {
  const mostMs = Math.min(config.maxDelayMs, config.baseDelayMs * 2 ** round)
  // One more: timers may fire a millisecond early, and the breaker blocks to the millisecond.
  const pauseMs = Math.ceil(random * mostMs) + (retryAfterMs === null ? 0 : retryAfterMs + 1)
  return pausedMs + pauseMs > config.maxWaitMs ? null : pauseMs
}

/** The retries of one event loop: each request adds its share, each retry takes one. So retries cannot amplify an outage. */
export class RetryBudget {
  readonly #share: number
  readonly #reserve: number
  #left: number

  /** `share`: retries per request, 0 to 1. */
  constructor(share: number, reserve = RESERVE) {
    this.#share = share
    this.#reserve = reserve
    this.#left = share === 0 ? 0 : reserve
  }

  /** Adds the share of one request. */
  deposit(): void {
    if (this.#left < this.#reserve) this.#left += this.#share
  }

  /** Takes one retry; false if none is left. */
  take(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
