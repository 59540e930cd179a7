// When a failed request is worth another try before its first byte, where, and after which pause. Pure: chance is passed in.
//
//   failure -> cure:  elsewhere  another target at once       again  the same target too, after a pause
//                     larger     a model with more context     none   give up
import { type RetryConfig } from '../config/types.js'
import { type ErrorData } from '../model/error.js'

/** What may help. `again` includes `elsewhere`; `larger` is a model that takes more, and nothing else. */
export type Cure = 'again' | 'elsewhere' | 'larger' | 'none'

/** Refusals that are about the gateway's standing with this provider and not about the request: key, credit, right, model. */
const ELSEWHERE_STATUSES: ReadonlySet<number> = new Set([401, 402, 403, 404])
/** A redirect: the address is wrong, and a key is never sent along. */
const FIRST_CLIENT_STATUS = 400
const FIRST_SERVER_STATUS = 500
/** Repeats that a quiet gateway may make before its share of requests counts. */
const RESERVE = 10

/** What may cure this failure. A request that is wrong itself, the client's own 400, is wrong everywhere. */
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
      // A quota that is used up stays so, but only there.
      return error.retryable ? 'again' : 'elsewhere'
    case 'context_length_exceeded':
      return 'larger'
    case 'upstream_auth':
    case 'upstream_timeout':
    case 'misconfigured':
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
  // One more: timers may fire a millisecond early, and the breaker keeps the upstream's word to the millisecond.
  const pauseMs = Math.ceil(random * mostMs) + (retryAfterMs === null ? 0 : retryAfterMs + 1)
  return pausedMs + pauseMs > config.maxWaitMs ? null : pauseMs
}

/** Repeats of one event loop: each request adds its share, each repeat takes one. So an outage is not made worse by them. */
export class RetryBudget {
  readonly #share: number
  readonly #reserve: number
  #left: number

  /** `share`: repeats for each request, 0 to 1. */
  constructor(share: number, reserve = RESERVE) {
    this.#share = share
    this.#reserve = reserve
    this.#left = share === 0 ? 0 : reserve
  }

  /** A request has come. */
  deposit(): void {
    if (this.#left < this.#reserve) this.#left += this.#share
  }

  /** False when there is nothing left. */
  take(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
