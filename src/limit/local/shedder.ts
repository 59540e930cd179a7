// Sheds load that this event loop cannot keep up with. A turn of the loop serves everything that has arrived by then, so the
// length of a turn is how long a new request waits before it is read; and the more requests one turn admits, the longer the next
// one takes. So the number of new requests per turn is limited, by measurement: turns that remain too long lower the limit in
// proportion, shorter ones raise it while requests are rejected. This keeps the loop at its limit: always busy, never far behind.
// Running exchanges are not limited. Rejecting a fraction of new requests would not work: it bounds no turn, and oscillates.
// (Acting on the standing delay, not on the load, is the idea of CoDel, RFC 8289.)
//
// Pure except for its own state: measurements and the end of a turn are passed in.
import { GatewayError } from '../../errors.js'

/** The shortest turn in this window is the standing one, so a burst or a garbage collection does not count. */
const WINDOW_MS = 500
/** A single sample, however long, may be a peak until another confirms it. */
const MIN_SAMPLES = 2
/** Shedding starts only when turns exceed the target by this factor: a burst that is served within a second or two is not overload. */
const ONSET_FACTOR = 8
/** The window of a loop that is already shedding, shorter to control it closely. */
const SHEDDING_WINDOW_MS = 150
/** A loop that is ever idle keeps up; if it is late, other processes have the CPU. */
const BUSY_SHARE = 0.95
/** Largest increase of the limit per window; the next window shows its effect. */
const MOST_FACTOR = 1.5
/** Turns that shrink by this factor are recovering: the backlog is being served or rejected, and the limit is left alone. */
const FALLING_FACTOR = 0.9
/** Largest decrease of an existing limit: turns may also be long because of refusals or running exchanges. */
const LEAST_FACTOR = 0.5
/** A loop that is idle while requests are rejected has far too low a limit. */
const IDLE_FACTOR = 4
/** One request in ten turns: even if running streams alone are too much, a few are admitted, to detect the end of the overload. */
const LEAST_PER_TURN = 0.1
/** After this time without a refusal the limit is removed. */
const FORGOTTEN_AFTER_MS = 1000
/** The limit settles within a second; an earlier retry would meet the same overload. */
const REFUSAL = GatewayError.shared('overloaded', {
  message: 'The gateway is at capacity: its response times are too long.',
  retryAfterMs: 1000,
})

/** What an event loop did since the previous sample, excluding time in which other processes had the CPU. */
export type LoopSample = {
  readonly spanMs: number
  /** Average length of its turns, excluding idle time. */
  readonly turnMs: number
  /** The fraction of the time in which it was not idle, 0 to 1. */
  readonly utilization: number
}

/** A sample, with the average number of new requests admitted per turn. */
type Seen = LoopSample & { readonly perTurn: number }

/** The shedder of one event loop. */
export class Shedder {
  readonly #afterTurn: (callback: () => void) => void
  readonly #endTurn: () => void
  #window: Seen[] = []
  #perTurn = Number.POSITIVE_INFINITY
  /** How many more requests may be admitted in this turn; fractions accumulate. */
  #credit = 0
  #isInTurn = false
  /** Since the last sample: turns with new requests, and the number admitted. */
  #turns = 0
  #admitted = 0
  /** In this window. */
  #hasRefused = false
  #quietMs = 0
  /** Of the sample before. */
  #turnMs = 0

  /** `afterTurn`: calls back once, after the loop has read everything that has arrived by now. */
  constructor(afterTurn: (callback: () => void) => void) {
    this.#afterTurn = afterTurn
    this.#endTurn = () => {
      this.#isInTurn = false
    }
  }

  /** New requests that one turn of the loop may admit; infinite while it keeps up. */
  get perTurn(): number {
    return this.#perTurn
  }

  /** Evaluates a sample; `targetMs` is the target length of a turn, null sheds nothing. */
  sample(sample: LoopSample, targetMs: number | null): void {
    if (targetMs === null) {
      this.#perTurn = Number.POSITIVE_INFINITY
      return
    }
    this.#window.push({ ...sample, perTurn: this.#admitted / Math.max(1, this.#turns) })
    this.#turns = 0
    this.#admitted = 0
    if (!this.#isShedding) this.#forgetOldest()
    const windowMs = sumOf(this.#window, spanOf)
    const isFalling = sample.turnMs < FALLING_FACTOR * this.#turnMs
    this.#turnMs = sample.turnMs
    if (windowMs < (this.#isShedding ? SHEDDING_WINDOW_MS : WINDOW_MS)) return
    if (!this.#isShedding && this.#window.length < MIN_SAMPLES) return
    const turnMs = Math.min(...this.#window.map((each) => each.turnMs))
    const isBusy = sumOf(this.#window, activeOf) >= BUSY_SHARE * windowMs
    this.#quietMs = this.#hasRefused || !this.#isShedding ? 0 : this.#quietMs + windowMs
    if (isBusy && turnMs > (this.#isShedding ? targetMs : ONSET_FACTOR * targetMs)) {
      if (!isFalling) this.#lower(targetMs)
    } else if (this.#quietMs >= FORGOTTEN_AFTER_MS) this.#perTurn = Number.POSITIVE_INFINITY
    else if (this.#hasRefused) this.#perTurn *= isBusy ? Math.min(MOST_FACTOR, targetMs / turnMs) : IDLE_FACTOR
    this.#hasRefused = false
    // Only new samples show the effect of a new limit.
    if (this.#isShedding) this.#window = []
  }

  /** The error for a new request, or null to admit it, which counts it. */
  refusal(): GatewayError | null {
    if (!this.#isInTurn) this.#beginTurn()
    if (this.#credit < 1) {
      this.#hasRefused = true
      return REFUSAL
    }
    this.#credit -= 1
    this.#admitted += 1
    return null
  }

  get #isShedding(): boolean {
    return this.#perTurn < Number.POSITIVE_INFINITY
  }

  #forgetOldest(): void {
    const window = this.#window
    while (window.length > MIN_SAMPLES && sumOf(window.slice(1), spanOf) >= WINDOW_MS) window.shift()
  }

  #beginTurn(): void {
    this.#isInTurn = true
    this.#turns += 1
    this.#credit = Math.min(Math.max(1, this.#perTurn), this.#credit + this.#perTurn)
    this.#afterTurn(this.#endTurn)
  }

  /** The number of requests that fit the target at their measured cost: the largest of all samples, since a peak is too low. */
  #lower(targetMs: number): void {
    const fitting = Math.max(...this.#window.map(({ perTurn, turnMs }) => (perTurn * targetMs) / turnMs))
    const least = this.#isShedding ? Math.max(LEAST_PER_TURN, this.#perTurn * LEAST_FACTOR) : LEAST_PER_TURN
    // Without new requests there is nothing to limit.
    if (this.#isShedding || fitting > 0) this.#perTurn = Math.max(least, Math.min(this.#perTurn, fitting))
  }
}

function spanOf({ spanMs }: LoopSample): number {
  return spanMs
}

function activeOf({ utilization, spanMs }: LoopSample): number {
  return utilization * spanMs
}

function sumOf(samples: readonly LoopSample[], figureOf: (sample: LoopSample) => number): number {
  return samples.reduce((sum, sample) => sum + figureOf(sample), 0)
}
