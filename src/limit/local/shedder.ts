// Sheds load that this event loop cannot keep up with. One turn of a loop serves whatever has come by then, so how long turns
// take is how long a new request waits before anybody looks at it; and the more come in during one turn, the longer the next
// one takes. So the new requests of a turn are limited, by what has just been seen: turns that stay too long lower the limit in
// proportion, shorter ones raise it while somebody is refused. That holds a loop at its edge: always busy, never far behind.
// Exchanges that run keep all they need. A share of the new ones to be refused would not do: it bounds no turn, and swings.
// (That it is the delay that stands which counts, and not the load, is CoDel's, RFC 8289.)
//
// Pure but for its own state: what is measured, and when a turn ends, is passed in.
import { GatewayError } from '../../errors.js'

/** The shortest turn of so long a time is the one that stands: a burst, or a collection, is forgiven. */
const WINDOW_MS = 500
/** However long a sample took, it is a peak until another says the same. */
const MIN_SAMPLES = 2
/** It begins only when turns are so many targets long: a burst that is served within a second or two is no overload. */
const ONSET_FACTOR = 8
/** Of a loop that sheds already less is believed, so that it is held closely. */
const SHEDDING_WINDOW_MS = 150
/** A loop that waits for something to do keeps up, however late it is: then others have the processor. */
const BUSY_SHARE = 0.95
/** What one window changes at most upwards: the next shows what became of it. */
const MOST_FACTOR = 1.5
/** A turn so much shorter than the one before is on the way down: what waited is being served or refused, and nothing is to do. */
const FALLING_FACTOR = 0.9
/** And downwards, of a limit that there is: turns may be long for the refusals in them, or for what runs, as well. */
const LEAST_FACTOR = 0.5
/** A loop that idles although requests are refused has far too low a limit. */
const IDLE_FACTOR = 4
/** One in ten turns: where running streams alone are too much, a few still get in, and show when it is over. */
const LEAST_PER_TURN = 0.1
/** Without a refusal for so long the limit is none. */
const FORGOTTEN_AFTER_MS = 1000
/** The limit finds its place within a second; coming back earlier only meets the same. */
const REFUSAL = GatewayError.shared('overloaded', {
  message: 'The gateway is at capacity: its response times are too long.',
  retryAfterMs: 1000,
})

/** What an event loop did since the sample before, without the time in which others had the processor. */
export type LoopSample = {
  readonly spanMs: number
  /** How long its turns took on average, without waiting. */
  readonly turnMs: number
  /** The share of the time in which it did not wait for something to do, 0 to 1. */
  readonly utilization: number
}

/** A sample, and the new requests that came in during one of its turns, on average. */
type Seen = LoopSample & { readonly perTurn: number }

/** One event loop's. */
export class Shedder {
  readonly #afterTurn: (callback: () => void) => void
  readonly #endTurn: () => void
  #window: Seen[] = []
  #perTurn = Number.POSITIVE_INFINITY
  /** How many more may come in during this turn; what is left of a fraction counts on. */
  #credit = 0
  #isInTurn = false
  /** Since the last sample: turns in which somebody came, and how many came in. */
  #turns = 0
  #admitted = 0
  /** In this window. */
  #hasRefused = false
  #quietMs = 0
  /** Of the sample before. */
  #turnMs = 0

  /** `afterTurn`: calls back once, when the loop has looked at all that has come by now. */
  constructor(afterTurn: (callback: () => void) => void) {
    this.#afterTurn = afterTurn
    this.#endTurn = () => {
      this.#isInTurn = false
    }
  }

  /** New requests that may come in during one turn of the loop; infinite while it keeps up. */
  get perTurn(): number {
    return this.#perTurn
  }

  /** Takes a sample; `targetMs`: what a turn may take, null sheds nothing. */
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
    // What a new limit does is seen in new samples alone.
    if (this.#isShedding) this.#window = []
  }

  /** Why a new request is turned away, or null: then it counts as one that comes in. */
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

  /** As many as the target has room for, at what they have cost: the most that any sample says, as a peak says too little. */
  #lower(targetMs: number): void {
    const fitting = Math.max(...this.#window.map(({ perTurn, turnMs }) => (perTurn * targetMs) / turnMs))
    const least = this.#isShedding ? Math.max(LEAST_PER_TURN, this.#perTurn * LEAST_FACTOR) : LEAST_PER_TURN
    // With nobody coming in there is nothing to hold back.
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
