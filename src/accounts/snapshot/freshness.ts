// How long ago the database confirmed what the directory has. Event loops hear of it by one word in shared memory.
import { type Standing } from '../directory/standing.js'

export type FreshnessOptions = {
  readonly standing: Standing
  /** Keys may be used for so long after the database has confirmed them. */
  readonly maxStaleMs: number
  /** Of a clock that nobody sets. */
  readonly nowMs: () => number
  /** They may no longer be used: for the log. */
  readonly onStale: () => void
}

export class Freshness {
  readonly #options: FreshnessOptions
  #seenMs: number
  #isAway = false
  #isStale = false
  #isWithoutSpend = false

  constructor(options: FreshnessOptions) {
    this.#options = options
    this.#seenMs = options.nowMs()
  }

  /** The database has answered, and the directory has what it says. */
  seen(): void {
    this.#seenMs = this.#options.nowMs()
    if (!this.#isAway) return
    this.#isAway = false
    this.#isStale = false
    this.#isWithoutSpend = false
    this.#options.standing.prove()
  }

  /** It has not answered. */
  missed(): void {
    this.#isAway = true
    this.check()
  }

  /** The directory has what was known `ageMs` ago, and nothing of what is spent. */
  restored(ageMs: number): void {
    this.#seenMs = this.#options.nowMs() - ageMs
    this.#isWithoutSpend = true
    this.missed()
  }

  /** To be called once a second: time passes also while an answer is waited for. */
  check(): void {
    const { standing, maxStaleMs, nowMs, onStale } = this.#options
    const wasStale = this.#isStale
    this.#isStale = this.#isAway && nowMs() - this.#seenMs >= maxStaleMs
    if (this.#isAway) standing.doubt({ isStale: this.#isStale, isWithoutSpend: this.#isWithoutSpend })
    if (this.#isStale && !wasStale) onStale()
  }
}
