// The circuit breaker of one target: counts how its attempts end, and keeps requests away while it is ill. Pure: time is passed in.
//
//   closed --(failures in a row | error rate over the window)--> open --(openMs)--> half-open --(a probe answers)--> closed
//                                                                  '<---------(a probe fails)---'
//   resting (429 or 503 with a time to wait): shut for exactly that time, whatever else it is
import { type BreakerConfig } from '../config/types.js'
import { type ErrorData } from '../model/error.js'

/** The number of a state is its value in the metric: the higher the worse. */
export const BREAKER_STATES = Object.freeze(['closed', 'half-open', 'open'] as const)
export type BreakerState = (typeof BREAKER_STATES)[number]

/** What an attempt says of its target. `none`: nothing, such as one whose client left, or whose request was wrong. */
export type Verdict = 'ok' | 'failed' | 'none'

/** The right to try a target: `FREE`, or the number of the half-open phase that this try probes for. */
export type Permit = number
export const FREE: Permit = 0
export const REFUSED: Permit = -1

/** The window moves on by a tenth of its length. */
const SLICES = 10

/** What of this error a target is to be blamed for. @see docs/concepts/routing.md, "Circuit breaker" */
export function verdictOf(error: ErrorData): Verdict {
  switch (error.code) {
    case 'upstream_unreachable':
    case 'upstream_timeout':
    case 'upstream_overloaded':
    case 'upstream_cut':
      return 'failed'
    // An answer larger than we take is read perfectly well.
    case 'upstream_malformed':
      return error.retryable ? 'failed' : 'none'
    case 'upstream_rejected':
      return error.status >= 500 ? 'failed' : 'none'
    default:
      return 'none'
  }
}

/** How long the upstream asked to be left alone, in ms; 0 if it did not. Only "too much now" speaks of the target as a whole. */
export function restMsOf({ code, retryAfterMs }: ErrorData): number {
  return code === 'rate_limited' || code === 'upstream_overloaded' ? (retryAfterMs ?? 0) : 0
}

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
  /** Number of the half-open phase; what a probe of an earlier one says counts no more. */
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

  /** Nothing is held against the target any more. */
  isCalm(nowMs: number): boolean {
    this.#turnTo(nowMs)
    return this.state(nowMs) === 'closed' && this.#failuresInRow === 0 && sum(this.#failed) === 0
  }

  /** May a request go there? A permit other than `FREE` is a probe's and must come back by `record`. */
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

  /** Time until requests may go there again, in ms; null if that hangs on a probe that is under way. */
  waitMs(nowMs: number): number | null {
    const untilMs = Math.max(this.#restUntilMs, this.#isTripped ? this.#openUntilMs : 0)
    return untilMs > nowMs ? Math.ceil(untilMs - nowMs) : null
  }

  /** A probe has got a beginning of an answer: that is enough to open the gates, its end may be minutes away. */
  probePassed(permit: Permit): void {
    if (this.#isProbe(permit)) this.#close()
  }

  /** An attempt has ended. Those that began before the breaker opened say nothing about now. */
  record(verdict: Verdict, permit: Permit, nowMs: number): void {
    if (!this.#isTripped) this.#count(verdict, nowMs)
    else if (this.#isProbe(permit)) {
      if (verdict === 'failed') this.#trip(nowMs)
      else if (verdict === 'ok') this.#close()
      else this.#probes -= 1
    }
  }

  /** Nothing goes there for so long; the longest that was asked for counts. */
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

  /** Empties the slices that time has passed over; failures of a window ago are in no row with those of now. */
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
