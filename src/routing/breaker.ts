// The circuit breaker of one target: counts the results of its attempts and blocks requests while it fails. Pure: time is passed in.
//
//   closed --(failures in a row | error rate over the window)--> open --(openMs)--> half-open --(a probe answers)--> closed
//                                                                  '<---------(a probe fails)---'
//   resting (429 or 503 with Retry-After): open for exactly that time, whatever its state
import { type BreakerConfig } from '../config/types.js'
import { type ErrorData } from '../model/error.js'

/** The number of a state is its value in the metric: the higher the worse. */
export const BREAKER_STATES = Object.freeze(['closed', 'half-open', 'open'] as const)
export type BreakerState = (typeof BREAKER_STATES)[number]

/** What an attempt shows about its target. `none`: nothing, because its client left or its request was invalid. */
export type Verdict = 'ok' | 'failed' | 'none'

/** The permit to try a target: `FREE`, or for a probe the number of the half-open phase. */
export type Permit = number
export const FREE: Permit = 0
export const REFUSED: Permit = -1

/** The window moves by a tenth of its length. */
const SLICES = 10

/** Whether this error is a failure of the target. @see docs/concepts/routing.md, "Circuit breaker" */
export function verdictOf(error: ErrorData): Verdict {
  switch (error.code) {
    case 'upstream_unreachable':
    case 'upstream_timeout':
    case 'upstream_overloaded':
    case 'upstream_cut':
      return 'failed'
    // An answer that is too large is still well-formed.
    case 'upstream_malformed':
      return error.retryable ? 'failed' : 'none'
    case 'upstream_rejected':
      return error.status >= 500 ? 'failed' : 'none'
    default:
      return 'none'
  }
}

/** The pause that the upstream asked for, in ms; 0 for none. Only overload applies to the target as a whole. */
export function restMsOf({ code, retryAfterMs }: ErrorData): number {
  return code === 'rate_limited' || code === 'upstream_overloaded' ? (retryAfterMs ?? 0) : 0
}

/** The sum and difference of two moments may be this much off: no further millisecond. */
const ROUNDING_MS = 1e-6

export class Breaker {
  readonly #config: BreakerConfig
  readonly #ok = new Uint32Array(SLICES)
  readonly #failed = new Uint32Array(SLICES)
  readonly #sliceMs: number
  /** Number of the newest slice, counted from the clock's zero. */
  #slice = 0
  #failuresInRow = 0
  #isTripped = false
  #openUntilMs = 0
  #restUntilMs = 0
  /** Number of the half-open phase; results of probes from earlier phases are ignored. */
  #phase = 0
  #probes = 0

  constructor(config: BreakerConfig) {
    this.#config = config
    this.#sliceMs = config.windowMs / SLICES
  }

  state(nowMs: number): BreakerState {
    if (nowMs < this.#restUntilMs) return 'open'
    if (!this.#isTripped) return 'closed'
    return nowMs < this.#openUntilMs ? 'open' : 'half-open'
  }

  /** True if no failure of the target counts any more. */
  isCalm(nowMs: number): boolean {
    this.#turnTo(nowMs)
    return this.state(nowMs) === 'closed' && this.#failuresInRow === 0 && sum(this.#failed) === 0
  }

  /** Whether a request may use the target. A permit other than `FREE` is for a probe and must be returned by `record`. */
  admit(nowMs: number): Permit {
    switch (this.state(nowMs)) {
      case 'closed':
        return FREE
      case 'open':
        return REFUSED
      case 'half-open':
        if (this.#probes >= this.#config.probes) return REFUSED
        this.#probes += 1
        return this.#phase
    }
  }

  /** Time until requests are admitted again, in ms; null if that depends on a probe in progress. */
  waitMs(nowMs: number): number | null {
    const untilMs = Math.max(this.#restUntilMs, this.#isTripped ? this.#openUntilMs : 0)
    return untilMs > nowMs ? Math.max(1, Math.ceil(untilMs - nowMs - ROUNDING_MS)) : null
  }

  /** A probe got its first content. That closes the breaker, since its end may be minutes away. */
  probePassed(permit: Permit): void {
    if (this.#isProbe(permit)) this.#close()
  }

  /** An attempt has ended. Attempts from before the breaker opened are ignored. */
  record(verdict: Verdict, permit: Permit, nowMs: number): void {
    if (!this.#isTripped) this.#count(verdict, nowMs)
    else if (this.#isProbe(permit)) {
      if (verdict === 'failed') this.#trip(nowMs)
      else if (verdict === 'ok') this.#close()
      else this.#probes -= 1
    }
  }

  /** Blocks the target for this time; the longest pause that was asked for applies. */
  rest(ms: number, nowMs: number): void {
    this.#restUntilMs = Math.max(this.#restUntilMs, nowMs + ms)
  }

  #isProbe(permit: Permit): boolean {
    return this.#isTripped && permit !== FREE && permit === this.#phase
  }

  #count(verdict: Verdict, nowMs: number): void {
    if (verdict === 'none') return
    this.#turnTo(nowMs)
    const counts = verdict === 'ok' ? this.#ok : this.#failed
    const at = this.#slice % SLICES
    counts[at] = (counts[at] ?? 0) + 1
    if (verdict === 'ok') this.#failuresInRow = 0
    else {
      this.#failuresInRow += 1
      if (this.#isTooMuch()) this.#trip(nowMs)
    }
  }

  #isTooMuch(): boolean {
    const { consecutiveFailures, minRequests, errorRate } = this.#config
    if (this.#failuresInRow >= consecutiveFailures) return true
    const failed = sum(this.#failed)
    const total = failed + sum(this.#ok)
    return total >= minRequests && failed >= total * errorRate
  }

  #trip(nowMs: number): void {
    this.#isTripped = true
    this.#openUntilMs = nowMs + this.#config.openMs
    this.#phase += 1
    this.#probes = 0
  }

  #close(): void {
    this.#isTripped = false
    this.#failuresInRow = 0
    this.#ok.fill(0)
    this.#failed.fill(0)
  }

  /** Clears the slices that have expired; failures from a window ago are not consecutive with new ones. */
  #turnTo(nowMs: number): void {
    const slice = Math.floor(nowMs / this.#sliceMs)
    const passed = Math.min(slice - this.#slice, SLICES)
    for (let i = 1; i <= passed; i++) {
      this.#ok[(this.#slice + i) % SLICES] = 0
      this.#failed[(this.#slice + i) % SLICES] = 0
    }
    if (passed === SLICES) this.#failuresInRow = 0
    if (passed > 0) this.#slice = slice
  }
}

function sum(counts: Uint32Array): number {
  let total = 0
  for (const count of counts) total += count
  return total
}
