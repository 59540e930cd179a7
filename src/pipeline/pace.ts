// When tokens came: the first of an answer, and the time between one and the next. A few writes per chunk, nothing allocated.
import { type Exchange } from './exchange.js'

export class Pace {
  readonly #exchange: Exchange
  #lastAtMs = 0
  #hasBegun = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** Content came just now. */
  mark(): void {
    const exchange = this.#exchange
    const nowMs = exchange.parts.clock.nowMs()
    if (this.#hasBegun) {
      exchange.parts.metrics.interToken(exchange.metricsSlot, (nowMs - this.#lastAtMs) / 1000)
    } else {
      this.#hasBegun = true
      exchange.firstTokenAtMs = nowMs
    }
    this.#lastAtMs = nowMs
  }
}
