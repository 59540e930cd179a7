// The way of spans out of one event loop, for its whole life: a bounded queue before the exporter, which is loaded when the loop starts.
// What is lost is counted; a collector that cannot be reached is logged once, and once when it is back.
import { type SpanResult } from '../records.js'
import { type BatchHead, SpanBatch } from './encoding/span-batch.js'
import { type SpanSender } from './otlp.js'
import { SpanQueue, type Unwritten } from './span-queue.js'

export type SpanExportOptions = {
  readonly maxQueued: number
  readonly maxBatch: number
  readonly delayMs: number
  readonly head: BatchHead
  /** Loads the exporter. */
  readonly load: () => Promise<SpanSender>
  readonly count: (result: SpanResult, spans: number) => void
  /** The collector takes no spans any more, for this reason; null: it takes them again. */
  readonly onState: (failure: Error | null) => void
}

/** Of a batch, before one has shown how large they get. */
const FIRST_BATCH_BYTES = 4096

export class SpanExport {
  readonly #options: SpanExportOptions
  readonly #queue: SpanQueue<SpanBatch>
  #sender: Promise<SpanSender> | null = null
  #isFailing = false
  #batchBytes = FIRST_BATCH_BYTES

  constructor(options: SpanExportOptions) {
    const { maxQueued, maxBatch, delayMs, head, count } = options
    this.#options = options
    this.#queue = new SpanQueue({
      ...{ maxQueued, maxBatch, delayMs },
      createBatch: () => new SpanBatch(head, this.#batchBytes),
      send: (batch) => this.#send(batch),
      onSent: (spans, failure) => this.#sent(spans, failure),
      onDropped: (spans) => count('dropped', spans),
    })
  }

  /** Loads the exporter, so that no request has to wait for the event loop meanwhile. Idempotent; never rejects. */
  async start(): Promise<void> {
    this.#sender ??= this.#options.load()
    await this.#sender.catch(() => undefined)
  }

  /** They are written later; dropped where there is no room. `isMinor`: the request was refused. */
  put(request: Unwritten<SpanBatch>, isMinor: boolean): void {
    this.#queue.put(request, isMinor)
  }

  /** Sends what waits, for at most so long. */
  close(limitMs: number): Promise<void> {
    return this.#queue.close(limitMs)
  }

  async #send(batch: SpanBatch): Promise<Error | null> {
    this.#batchBytes = Math.max(batch.size, FIRST_BATCH_BYTES)
    try {
      await this.start()
      return (await this.#sender?.then((sender) => sender.send(batch))) ?? null
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown))
    }
  }

  #sent(spans: number, failure: Error | null): void {
    this.#options.count(failure === null ? 'exported' : 'dropped', spans)
    const isFailing = failure !== null
    if (isFailing !== this.#isFailing) this.#options.onState(failure)
    this.#isFailing = isFailing
  }
}
