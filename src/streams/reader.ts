// One consumer of a stream log at its own offset. It pulls; the log only notifies it that there is something to read.
import { type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'
import { type Usage, type UsageSource } from '../model/usage.js'

/** How an exchange ended, which every reader gets after the last frame. */
export type StreamEnd = {
  readonly outcome: Outcome
  /** Null if the outcome is complete, and for a whole stream that a budget has cut (`limit`). */
  readonly error: ErrorData | null
  readonly usage: Usage
  readonly usageSource: UsageSource
  /** What its attempts cost, in nano-dollars; absent or null if no cost is known. */
  readonly costNano?: number | null
  /** Of a kept stream that failed: the error frame, which all of its readers get alike. */
  readonly errorFrame?: string
}

/**
 * What a client's side needs of a reader, wherever the frames come from: the log of an exchange, a kept stream, another event loop.
 * An error is the frame with the number that follows the last one: a reader gets it by `end`, and the sink encodes it.
 */
export type FrameReader = {
  /** Number of the next frame or entry that it gets. */
  readonly offset: number
  /** True once frames that it has not read are gone: it must end as slow_reader. */
  readonly isCut: boolean
  /** True once it was cut because another node has the stream: its client comes back there. */
  readonly isMoved?: boolean
  /** The next whole frames; null if it has caught up, was cut or is detached. The bytes must not be changed. */
  read(): Uint8Array | null
  /** How the stream ended, once this reader has read every frame; null before that, and always null if it was cut. */
  end(): StreamEnd | null
  /** Leaves; it is not notified any more. Idempotent. */
  detach(): void
}

/** What a reader needs of its log. */
export type LogSource = {
  readFor(reader: LogReader): Uint8Array | null
  endFor(reader: LogReader): StreamEnd | null
  detach(reader: LogReader): void
}

/** Made by StreamLog.attach. What it reads belongs to the log and must not be changed. */
export class LogReader implements FrameReader {
  readonly #log: LogSource
  readonly #onReadable: () => void
  /** Sequence number of the next entry to read. */
  offset: number
  /** True once entries that this reader has not read are evicted: it must end as slow_reader. */
  isCut = false
  #isDetached = false

  /** `onReadable` is called at most once per tick while there is something new. */
  constructor(log: LogSource, offset: number, onReadable: () => void) {
    this.#log = log
    this.offset = offset
    this.#onReadable = onReadable
  }

  /** The next entry of whole frames; null if it has caught up, was cut or is detached. The bytes belong to the log: do not change them. */
  read(): Uint8Array | null {
    return this.#isDetached ? null : this.#log.readFor(this)
  }

  /** How the exchange ended, once this reader has read every frame; null before that, and always null if it was cut. */
  end(): StreamEnd | null {
    return this.#log.endFor(this)
  }

  /** Leaves the log; it is not notified any more. The last reader to leave an open log triggers `onAbandoned`. Idempotent. */
  detach(): void {
    this.#isDetached = true
    this.#log.detach(this)
  }

  /** Only for StreamLog. */
  notify(): void {
    if (!this.#isDetached) this.#onReadable()
  }
}
