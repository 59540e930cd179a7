// The body of a streamed answer over as many connections as it takes. Only whole frames are passed on; when the connection is lost,
// or silent for too long, the next one asks for those after the last. Nothing is read that the caller has not asked for.
//
//   caller <-- pull -- ResumedBody <-- FrameCutter <-- connection 1 (the POST) | connection 2 (GET, after 17) | ...
//                           '-- stopped by the caller: DELETE
import { type FrameCutter } from './frame-cutter.js'
import { type Patience, sleep, UNKNOWN_ATTEMPTS } from './patience.js'
import { type LossReason, StreamLostError } from './stream-lost-error.js'

export type BodyOptions = {
  readonly response: Response
  /** The gateway's id of the stream. */
  readonly stream: string
  readonly cutter: FrameCutter
  readonly patience: Patience
  /** A connection that has brought nothing for so long is lost. */
  readonly idleMs: number
  /** The caller's: aborted when it wants no more of the answer. */
  readonly signal: AbortSignal | null
  /** Asks for the frames after a number, -1 for all. */
  readonly resume: (after: number, signal: AbortSignal) => Promise<Response>
  /** Ends the stream at the gateway. */
  readonly cancel: () => Promise<Response>
  readonly onResume: (event: { readonly stream: string; readonly after: number }) => void
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

const EMPTY = new Uint8Array(0)
/** The gateway ends the stream by itself when it hears of no reader for its grace, so a few attempts do. */
const CANCEL_ATTEMPTS = 3
const CANCEL_PAUSE_MS = 500

/** Whether a later attempt may succeed: RFC 9110, and the answers of proxies while a gateway restarts. */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/** What `Retry-After` asks for, in ms; 0 without one in seconds. */
export function retryAfterMs(response: Response): number {
  return Number(/^\d{1,6}$/.exec(response.headers.get('retry-after') ?? '')?.[0] ?? 0) * 1000
}

/** Reads the whole stream for one caller. */
export class ResumedBody {
  readonly #options: BodyOptions
  readonly #onAbort = (): void => this.#abort()
  #reader: Reader | null
  /** Of the request under way. */
  #request: AbortController | null = null
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #isOver = false

  constructor(options: BodyOptions) {
    this.#options = options
    this.#reader = readerOf(options.response)
  }

  /** What the caller reads. To be called once. */
  open(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
          const { signal } = this.#options
          signal?.addEventListener('abort', this.#onAbort)
          if (signal?.aborted === true) this.#abort()
        },
        pull: (controller) => this.#pull(controller),
        cancel: () => this.#stop(),
      },
      { highWaterMark: 0 },
    )
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      let bytes: Uint8Array | null = EMPTY
      while (bytes !== null && bytes.length === 0 && !this.#isOver) bytes = await this.#next()
      if (this.#isOver) return
      if (bytes !== null) {
        controller.enqueue(bytes)
        return
      }
      this.#settle()
      controller.close()
    } catch (error) {
      if (this.#isOver) return
      this.#settle()
      controller.error(error)
    }
  }

  /** The next bytes for the caller, null at the end. */
  async #next(): Promise<Uint8Array | null> {
    const { cutter, patience } = this.#options
    if (cutter.isTorn) throw this.#lost('gap')
    const read = await this.#read()
    if (read instanceof Uint8Array) {
      patience.reset()
      return cutter.push(read)
    }
    if (cutter.isEnded) return null
    return this.#resume(read)
  }

  /** What the connection brings: bytes, its orderly end, or its loss. */
  async #read(): Promise<Uint8Array | 'end' | { readonly cause: unknown }> {
    const reader = this.#reader
    if (reader === null) return { cause: undefined }
    // The end of a reader that is cancelled looks like an orderly one.
    let isSilent = false
    const timer = setTimeout(() => {
      isSilent = true
      void reader.cancel().catch(ignore)
    }, this.#options.idleMs)
    try {
      const { done, value } = await reader.read()
      if (isSilent) return { cause: new Error('The connection was silent for too long.') }
      return done ? 'end' : value
    } catch (cause) {
      return { cause }
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * Opens the next connection. Null: there is nothing left to read. An orderly end without an end marker is none: a proxy may end in
   * good order what was cut behind it, and Node's fetch takes a cut connection for an end where it was to be closed anyway. Nor is
   * a gateway that has nothing more to say, which a stream that was stopped has neither.
   */
  async #resume(loss: 'end' | { readonly cause: unknown }): Promise<Uint8Array | null> {
    const { cutter, patience, stream, signal, onResume } = this.#options
    cutter.drop()
    this.#reader = null
    let cause = loss === 'end' ? undefined : loss.cause
    let leastMs = 0
    let unknown = 0
    while (await patience.pause(signal, leastMs)) {
      if (this.#isOver) return null
      const answer = await this.#ask(cutter.last).catch((error: unknown) => {
        cause = error
        return null
      })
      if (answer === null || this.#isOver) continue
      const { status } = answer
      if (status === 200) {
        this.#reader = readerOf(answer)
        onResume({ stream, after: cutter.last })
        return EMPTY
      }
      void answer.body?.cancel().catch(ignore)
      if (status === 204 && cutter.isFinished) return null
      if (status === 204) throw this.#lost('ended', status)
      if (status === 404) unknown += 1
      const isGone = status === 404 ? unknown >= UNKNOWN_ATTEMPTS : !isPassing(status)
      if (isGone) throw this.#lost(status === 404 || status === 410 ? 'gone' : 'refused', status)
      leastMs = retryAfterMs(answer)
      cause = new Error(`The gateway answered with status ${status}.`)
    }
    throw this.#lost('unreachable', null, cause)
  }

  async #ask(after: number): Promise<Response> {
    const request = new AbortController()
    this.#request = request
    const timer = setTimeout(() => request.abort(), this.#options.idleMs)
    try {
      return await this.#options.resume(after, request.signal)
    } finally {
      clearTimeout(timer)
    }
  }

  #lost(reason: LossReason, status: number | null = null, cause?: unknown): StreamLostError {
    const { stream, cutter } = this.#options
    return new StreamLostError({ reason, stream, after: cutter.last, status, cause })
  }

  #abort(): void {
    if (this.#isOver) return
    this.#controller?.error(this.#options.signal?.reason)
    this.#stop()
  }

  /** The caller wants no more: that is told to the gateway, which would keep a stream that was merely lost. */
  #stop(): void {
    if (this.#isOver) return
    this.#settle()
    if (!this.#options.cutter.isEnded) void this.#cancel()
  }

  async #cancel(): Promise<void> {
    for (let i = 0; i < CANCEL_ATTEMPTS; i++) {
      if (i > 0) await sleep(CANCEL_PAUSE_MS)
      const answer = await this.#options.cancel().catch(() => null)
      void answer?.body?.cancel().catch(ignore)
      if (answer !== null && !isPassing(answer.status)) return
    }
  }

  /** Nothing is read any more. */
  #settle(): void {
    this.#isOver = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#request?.abort()
    void this.#reader?.cancel().catch(ignore)
    this.#reader = null
  }
}

function readerOf(response: Response): Reader | null {
  return (response.body as ReadableStream<Uint8Array> | null)?.getReader() ?? null
}

function ignore(): void {}
