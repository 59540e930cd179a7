// Times of tokens: the first of an answer, and the gaps between them. A few writes per chunk, nothing allocated.
import { type AttemptState } from '../attempt-state.js'
import { type PipelineContext } from '../context.js'

export class TokenTiming {
  readonly #context: Pick<PipelineContext, 'clock' | 'metrics'>
  readonly #state: AttemptState
  #lastAtMs = 0
  #hasBegun = false

  constructor(context: Pick<PipelineContext, 'clock' | 'metrics'>, state: AttemptState) {
    this.#context = context
    this.#state = state
  }

  /** Content has just arrived. */
  mark(): void {
    const nowMs = this.#context.clock.nowMs()
    if (this.#hasBegun) {
      this.#context.metrics.interToken(this.#state.metricsSlot, (nowMs - this.#lastAtMs) / 1000)
    } else {
      this.#hasBegun = true
      this.#state.firstTokenAtMs = nowMs
    }
    this.#lastAtMs = nowMs
  }
}
