// Spans that wait for their collector. Bounded: what finds no room is dropped and counted, so a collector that is slow or gone costs
// memory up to the bound and never a request's time. One batch is under way at a time.
//
//   add --> [ queue ] --after delayMs, or when a batch is full--> send --> taken | dropped

export type SpanQueueOptions<Span> = {
  readonly maxQueued: number
  readonly maxBatch: number
  readonly delayMs: number
  /** Resolves with null when the batch was taken, else with the reason. Never rejects. */
  readonly send: (batch: readonly Span[]) => Promise<Error | null>
  /** A batch was taken, or was not. */
  readonly onSent: (count: number, failure: Error | null) => void
  /** There was no room. */
  readonly onDropped: (count: number) => void
}

/** Refused requests may fill no more than this part of the room: a flood of them leaves the rest to those that ran. */
const MINOR_SHARE = 0.5

export class SpanQueue<Span> {
  readonly #options: SpanQueueOptions<Span>
  #queue: Span[] = []
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> | null = null

  constructor(options: SpanQueueOptions<Span>) {
    this.#options = options
  }

  /** All of them, or none. `isMinor`: of a request that was refused. */
  add(spans: readonly Span[], isMinor: boolean): void {
    const { maxQueued, onDropped } = this.#options
    const room = isMinor ? maxQueued * MINOR_SHARE : maxQueued
    if (this.#queue.length + spans.length > room) {
      onDropped(spans.length)
      return
    }
    this.#queue.push(...spans)
    this.#sendSoon()
  }

  /** Sends all that waits. Resolves when that is done, or after `limitMs`: the rest is then dropped. */
  async close(limitMs: number): Promise<void> {
    let isLate = false
    let timer: NodeJS.Timeout | null = null
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        isLate = true
        resolve()
      }, limitMs)
    })
    while (!isLate && (this.#queue.length > 0 || this.#sending !== null)) {
      this.#sendNext()
      await Promise.race([this.#sending, late])
    }
    if (timer !== null) clearTimeout(timer)
    if (this.#queue.length > 0) this.#options.onDropped(this.#queue.length)
    this.#queue = []
    this.#stopTimer()
  }

  #sendSoon(): void {
    const { maxBatch, delayMs } = this.#options
    if (this.#queue.length >= maxBatch) this.#sendNext()
    else if (this.#timer === null && this.#queue.length > 0) {
      this.#timer = setTimeout(() => this.#sendNext(), delayMs)
      this.#timer.unref()
    }
  }

  #sendNext(): void {
    this.#stopTimer()
    if (this.#sending !== null || this.#queue.length === 0) return
    const { maxBatch, send, onSent } = this.#options
    const batch = this.#queue.splice(0, maxBatch)
    this.#sending = send(batch).then((failure) => {
      this.#sending = null
      onSent(batch.length, failure)
      this.#sendSoon()
    })
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
