// When tokens came: the first of an answer, and the time between one and the next. A few writes per chunk, nothing allocated.
import { type AttemptState } from '../attempt-state.js'
import { type PipelineParts } from '../parts.js'

export class Pace {
  readonly #parts: Pick<PipelineParts, 'clock' | 'metrics'>
  readonly #state: AttemptState
  #lastAtMs = 0
  #hasBegun = false

  constructor(parts: Pick<PipelineParts, 'clock' | 'metrics'>, state: AttemptState) {
    this.#parts = parts
    this.#state = state
  }

  /** Content came just now. */
  mark(): void {
    const nowMs = this.#parts.clock.nowMs()
    if (this.#hasBegun) {
      this.#parts.metrics.interToken(this.#state.metricsSlot, (nowMs - this.#lastAtMs) / 1000)
    } else {
      this.#hasBegun = true
      this.#state.firstTokenAtMs = nowMs
    }
    this.#lastAtMs = nowMs
  }
}
