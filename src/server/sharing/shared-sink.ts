// In front of the sink of a request whose answer other requests get too: equal ones while it runs, or later ones from the cache. Its
// stream is a kept one of its own, which no client can name: it goes on as long as anyone reads it, whoever asked first.
//
//   exchange log --SharedSink--> hidden stream --> the client's own sink, which may keep a stream under its own id
//                                              --> followers' sinks, each with its own id
import { type ExchangeHandle, type KeyIdentity } from '../../pipeline/client.js'
import { type Answer, type Delivery, type Sink, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { type KeptStream } from '../../streams/kept/kept-stream.js'
import { type KeptStreams } from '../../streams/kept/registry.js'
import { type FrameReader } from '../../streams/reader.js'
import { type KeepPolicy, KeptSink } from '../kept/kept-sink.js'
import { PassingSink } from '../passing-sink.js'

export type SharedEvents = {
  /** Null: there was no room, so the stream is not shared. */
  onBegin(stream: KeptStream | null): void
  /** Before it is sent. */
  onAnswer(answer: Answer): void
  /** The stream has ended; null if there was none. */
  onEnd(stream: KeptStream | null): void
}

export type SharedSinkOptions = {
  readonly streams: KeptStreams
  readonly policy: KeepPolicy
  readonly key: KeyIdentity
  readonly surfaceId: string
  readonly requestId: string
  readonly events: SharedEvents
}

/**
 * How long a shared stream goes on with no reader: the time between the decision of a follower to join and its first read. The bound
 * for an abort is a second.
 */
const SEAM_MS = 100

export class SharedSink extends PassingSink {
  readonly #sink: Sink
  readonly #kept: KeptSink
  readonly #streams: KeptStreams
  readonly #events: SharedEvents

  constructor(sink: Sink, { streams, policy, key, surfaceId, requestId, events }: SharedSinkOptions) {
    const kept = new KeptSink(sink, {
      asking: { key, surfaceId, requestId, hasIds: false, onKept: () => undefined },
      streams,
      policy: { ...policy, graceMs: SEAM_MS, keepMs: 0, isPrivate: true },
    })
    super(kept)
    this.#sink = sink
    this.#kept = kept
    this.#streams = streams
    this.#events = events
  }

  /** The client's own, if it keeps one. */
  override get streamId(): string | null {
    return this.#sink.streamId ?? null
  }

  override get keptId(): string | null {
    return this.#sink.keptId ?? null
  }

  /** Other nodes serve at least one of those who read it: the others stay with it. */
  override get isShared(): boolean {
    return this.#sink.isShared === true || this.#kept.stream?.hasReturningReader === true
  }

  /** The exchange, to be cancelled if the stream is left before its first content. */
  hold(handle: ExchangeHandle): void {
    this.#kept.hold(handle)
  }

  override reply(answer: Answer): void {
    this.#events.onAnswer(answer)
    super.reply(answer)
  }

  override begin(head: StreamHead, format: StreamFormat): void {
    super.begin(head, format)
    this.#events.onBegin(this.#kept.stream)
  }

  override follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    super.follow(attach, (delivery) => {
      const { stream } = this.#kept
      this.#events.onEnd(stream)
      // Its readers go on; there is none to come.
      if (stream !== null) this.#streams.forget(stream)
      onDone(delivery)
    })
  }
}
