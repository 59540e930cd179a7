// Spans that wait for their collector. Bounded: what finds no room is dropped and counted before it is encoded, so a collector that is slow
// or gone costs memory up to the bound and never a request's time. One batch is under way at a time.
//
//   put --> [ unwritten ] --some requests at once--> [ batch ] --after delayMs, or when it is full--> [ full batches ] --> send --> taken | dropped
//
// Encoding is code and tables that no other part of a request touches: for one request by itself they are cold, which costs more than the work.

/** What the queue sees of a batch. */
export type Batch = {
  /** Spans in it. */
  readonly spans: number
}

/** The spans of one request, which are sent together. */
export type Unwritten<Kind> = { readonly spans: number; readonly write: (batch: Kind) => void }

export type SpanQueueOptions<Kind extends Batch> = {
  readonly maxQueued: number
  readonly maxBatch: number
  readonly delayMs: number
  readonly createBatch: () => Kind
  /** Resolves with null when the batch was taken, else with the reason. Never rejects. */
  readonly send: (batch: Kind) => Promise<Error | null>
  /** A batch was taken, or was not. */
  readonly onSent: (count: number, failure: Error | null) => void
  /** There was no room. */
  readonly onDropped: (count: number) => void
}

/** Refused requests may fill no more than this part of the room: a flood of them leaves the rest to those that ran. */
const MINOR_SHARE = 0.5
/** Requests: enough that most find warm code, and few enough that they are young when they go, and that a turn is no longer for it. */
export const WRITTEN_AT_ONCE = 32

export class SpanQueue<Kind extends Batch> {
  readonly #options: SpanQueueOptions<Kind>
  #unwritten: Unwritten<Kind>[] = []
  /** In `#unwritten`. */
  #unwrittenSpans = 0
  #batch: Kind | null = null
  #full: Kind[] = []
  /** In `#full`. */
  #fullSpans = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> | null = null

  constructor(options: SpanQueueOptions<Kind>) {
    this.#options = options
  }

  /** They are written later; dropped where there is no room for all of them. `isMinor`: the request was refused. */
  put(request: Unwritten<Kind>, isMinor: boolean): void {
    const { maxQueued, maxBatch, onDropped } = this.#options
    const { spans } = request
    if (this.#waiting + spans > (isMinor ? maxQueued * MINOR_SHARE : maxQueued)) {
      onDropped(spans)
      return
    }
    this.#unwrittenSpans += spans
    const isEnough = this.#unwritten.push(request) >= WRITTEN_AT_ONCE
    if (isEnough || this.#unwrittenSpans + (this.#batch?.spans ?? 0) >= maxBatch) this.#writeAll()
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
    while (!isLate && (this.#waiting > 0 || this.#sending !== null)) {
      this.#sendNext()
      await Promise.race([this.#sending, late])
    }
    if (timer !== null) clearTimeout(timer)
    if (this.#waiting > 0) this.#options.onDropped(this.#waiting)
    this.#unwritten = []
    this.#unwrittenSpans = 0
    this.#batch = null
    this.#full = []
    this.#fullSpans = 0
    this.#stopTimer()
  }

  get #waiting(): number {
    return this.#fullSpans + (this.#batch?.spans ?? 0) + this.#unwrittenSpans
  }

  #writeAll(): void {
    const { maxBatch, createBatch } = this.#options
    for (const { spans, write } of this.#unwritten) {
      const open = this.#batch?.spans ?? 0
      if (open > 0 && open + spans > maxBatch) this.#closeBatch()
      this.#batch ??= createBatch()
      write(this.#batch)
    }
    this.#unwritten = []
    this.#unwrittenSpans = 0
  }

  #closeBatch(): void {
    if (this.#batch === null) return
    this.#full.push(this.#batch)
    this.#fullSpans += this.#batch.spans
    this.#batch = null
  }

  #sendSoon(): void {
    const { maxBatch, delayMs } = this.#options
    if (this.#full.length > 0 || (this.#batch?.spans ?? 0) >= maxBatch) this.#sendNext()
    else if (this.#timer === null && this.#waiting > 0) {
      this.#timer = setTimeout(() => this.#sendNext(), delayMs)
      this.#timer.unref()
    }
  }

  #sendNext(): void {
    this.#stopTimer()
    if (this.#sending !== null || this.#waiting === 0) return
    this.#writeAll()
    if (this.#full.length === 0) this.#closeBatch()
    const batch = this.#full.shift()
    if (batch === undefined) return
    this.#fullSpans -= batch.spans
    const { send, onSent } = this.#options
    this.#sending = send(batch).then((failure) => {
      this.#sending = null
      onSent(batch.spans, failure)
      this.#sendSoon()
    })
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
