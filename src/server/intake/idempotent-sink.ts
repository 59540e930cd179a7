// In front of the sink of a request with an Idempotency-Key: stores the whole answer before the client gets it, so that a repetition
// gets the same. An answer that is not kept (an error, a stream, a client that left, too large) frees the key.
import { type DirectRequest, type JobApi, type Lease, type StoredCaps } from '../../jobs/store.js'
import {
  type Answer,
  type Delivery,
  type HeaderList,
  type QueuePlace,
  type Sink,
  type StreamFormat,
  type StreamHead,
} from '../../pipeline/sink.js'
import { type FrameReader } from '../../streams/reader.js'
import { type Transport } from '../../telemetry/records.js'

export type OnceOptions = {
  readonly desk: Pick<JobApi, 'storeAnswer' | 'forget'>
  readonly request: DirectRequest
  readonly lease: Lease
  readonly caps: StoredCaps
  /** A larger answer is not kept, and frees the key. */
  readonly maxAnswerBytes: number
  readonly onNotKept: (reason: NotKeptReason) => void
}

/** `size`: above `maxAnswerBytes`; `store`: without room, or the store is unavailable. */
export type NotKeptReason = 'size' | 'store'

/** Headers of the moment, not of the answer. */
const FLEETING = /^x-ratelimit-|^retry-after/

/** Passes everything on; only a whole answer waits for its commit. */
export class IdempotentSink implements Sink {
  readonly #sink: Sink
  readonly #options: OnceOptions
  #isSettled = false
  /** A stream that is kept: the key stays taken until its end. */
  holdsStream = false

  constructor(sink: Sink, options: OnceOptions) {
    this.#sink = sink
    this.#options = options
  }

  get transport(): Transport {
    return this.#sink.transport
  }

  get streamId(): string | null {
    return this.#sink.streamId ?? null
  }

  get keptId(): string | null {
    return this.#sink.keptId ?? null
  }

  get isShared(): boolean {
    return this.#sink.isShared === true
  }

  reply(answer: Answer): void {
    const isTooLarge = answer.body.byteLength > this.#options.maxAnswerBytes
    if (answer.error !== null || isTooLarge) {
      if (answer.error === null && !this.#isSettled) this.#options.onNotKept('size')
      this.letGo()
      this.#sink.reply(answer)
    } else void this.#keep(answer).finally(() => this.#sink.reply(answer))
  }

  begin(head: StreamHead, face: StreamFormat): void {
    if (!this.holdsStream) this.letGo()
    this.#sink.begin(head, face)
  }

  keepalive(): void {
    this.#sink.keepalive()
  }

  queued(place: QueuePlace): void {
    this.#sink.queued?.(place)
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.#sink.follow(attach, onDone)
  }

  /** No answer will be kept. An unavailable store notices when the lease expires. */
  letGo(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    const { desk, request, lease } = this.#options
    void desk.forget(request, lease).catch(() => false)
  }

  /** Never rejects: an answer that cannot be kept is sent all the same. */
  async #keep({ status, headers, body }: Answer): Promise<void> {
    if (this.#isSettled) return
    this.#isSettled = true
    const { desk, request, lease, caps, onNotKept } = this.#options
    const lasting: HeaderList = headers.filter(([name]) => !FLEETING.test(name))
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
    const stored = { status, headers: lasting, body: text }
    if (!(await desk.storeAnswer(request, lease, stored, caps).catch(() => false))) onNotKept('store')
  }
}
