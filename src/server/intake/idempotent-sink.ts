// In front of the sink of a request with an Idempotency-Key: stores the whole answer before the client gets it, so that a repetition
// gets the same. An answer that is not kept (an error, a stream, a client that left, too large) frees the key.
import { type DirectRequest, type JobApi, type Lease, type StoredCaps } from '../../jobs/store.js'
import { type Answer, type HeaderList, type Sink, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { PassingSink } from '../passing-sink.js'

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
export class IdempotentSink extends PassingSink {
  readonly #options: OnceOptions
  #isSettled = false
  /** A stream that is kept: the key stays taken until its end. */
  holdsStream = false

  constructor(sink: Sink, options: OnceOptions) {
    super(sink)
    this.#options = options
  }

  override reply(answer: Answer): void {
    const isTooLarge = answer.body.byteLength > this.#options.maxAnswerBytes
    if (answer.error !== null || isTooLarge) {
      if (answer.error === null && !this.#isSettled) this.#options.onNotKept('size')
      this.letGo()
      super.reply(answer)
    } else void this.#keep(answer).finally(() => super.reply(answer))
  }

  override begin(head: StreamHead, face: StreamFormat): void {
    if (!this.holdsStream) this.letGo()
    super.begin(head, face)
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
