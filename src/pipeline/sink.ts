// Where an answer goes: the one interface between the pipeline and the client transports in server/. The pipeline calls
// either `reply` once, or `begin` once and then leaves the rest to the sink, which follows the log as a reader.
import { type QueuePlace } from '../limit/limiter.js'
import { type ErrorData } from '../model/error.js'
import { type FrameReader } from '../streams/reader.js'
import { type Transport } from '../telemetry/records.js'

/** Header names are lower-case; values hold no CR, LF or NUL (the writer drops such a header). */
export type HeaderList = readonly (readonly [name: string, value: string])[]

/** A whole answer, JSON, known at once: a result or an error. */
export type Answer = {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Uint8Array
  readonly error: ErrorData | null
  /** A budget has cut it short: it is no answer to anyone else. */
  readonly isCut?: true
}

export type StreamHead = {
  readonly headers: HeaderList
  readonly contentType: string
  /** The transport under which the stream is counted, if the sink supports several. */
  readonly transport: Transport
  /** The id of the hidden stream whose frames these are, all of them; absent or null if they are nobody else's. */
  readonly origin?: string | null
  /** The traceparent of the request; absent where it is not traced. */
  readonly trace?: string
}

export type { QueuePlace }

/** How a sink renders what is not a frame of the log. */
export type StreamFormat = {
  /** A keepalive in the surface's own form. */
  readonly keepaliveFrame: string
  /** The in-band error frame for an end that is not complete. */
  encodeErrorFrame(error: ErrorData): string
}

export type Sink = {
  readonly transport: Transport
  /** The id of the kept stream that bears the answer, as logs show it; absent or null if it is not kept. */
  readonly streamId?: string | null
  /** The same id whole, for the store of answers alone. */
  readonly keptId?: string | null
  /** It is kept, goes on, and nobody reads it at present. */
  readonly isParked?: boolean
  /** Its clients get the answer from other nodes, so a drain may leave it to its end. */
  readonly isShared?: boolean
  /** The whole answer at once. Never after `begin`. `costNano`: of its attempts, in nano-dollars; null where none has a price. */
  reply(answer: Answer, costNano?: number | null): void
  /** Commits a stream: status 200 and headers go out with the first frame or keepalive. Again only where a sink around it began late. */
  begin(head: StreamHead, face: StreamFormat): void
  /** Writes one keepalive, after `begin`. */
  keepalive(): void
  /** Shows the place in the queue for a slot, after `begin`; absent where no client could see it. */
  queued?(place: QueuePlace): void
  /**
   * Follows the log from here on: writes its frames, waits on backpressure, ends as `reader.end()` says (an error frame
   * first unless complete) and then calls `onDone`. A reader that is cut, or takes nothing for readerStallMs, ends as slow_reader;
   * one that is moved loses its connection in mid-answer, without an end.
   */
  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void
}

/**
 * The outcome on the client's side; `upstream_cut`: a frame could not be sent in this framing, so the client got an end that the log
 * does not know; `moved`: the client was sent to another node, which only happens to readers of kept streams. `bytes`: handed to the
 * socket, framing included.
 */
export type Delivery = {
  readonly result: 'delivered' | 'client_gone' | 'slow_reader' | 'upstream_cut' | 'moved'
  readonly bytes: number
}
