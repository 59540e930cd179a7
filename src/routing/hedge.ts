// When a first token counts as late: after a set time, or later than most of the model's recent ones. Pure; one per model and
// event loop, with the budget of its second requests.
import { type HedgeConfig } from '../config/types.js'
import { RetryBudget } from './retry.js'

/** Recent first tokens that are remembered. */
const MAX_TIMES = 128
/** With fewer, a percentile means nothing. */
const MIN_TIMES = 20

export class Hedge {
  /** With one request in reserve, since a fraction of few requests would be zero for a long time. */
  readonly budget: RetryBudget
  readonly #afterMs: number | null
  readonly #percentile: number | null
  readonly #times: number[] = []
  #next = 0

  constructor({ afterMs, percentile, maxExtra }: HedgeConfig) {
    this.budget = new RetryBudget(maxExtra, 1)
    this.#afterMs = afterMs
    this.#percentile = percentile
  }

  /** Time from sending until a second target is tried, in ms; null for never. */
  afterMs(): number | null {
    if (this.#percentile === null || this.#times.length < MIN_TIMES) return this.#afterMs
    const sorted = [...this.#times].sort((a, b) => a - b)
    const at = Math.ceil((sorted.length * this.#percentile) / 100) - 1
    return Math.max(1, Math.ceil(sorted[Math.max(0, at)] ?? 0))
  }

  /** Records the time to the first token of a stream's first target; for a loser, the time until it lost. */
  observe(ms: number): void {
    if (this.#percentile === null) return
    this.#times[this.#next] = ms
    this.#next = (this.#next + 1) % MAX_TIMES
  }
}
