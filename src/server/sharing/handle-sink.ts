// Around the sink of a request whose own stream is kept: tells its run what came of it, so that a retry of it, or a repetition with its
// Idempotency-Key, gets the same. A whole answer is handed to the run as it is sent.
import { type Answer, type Delivery, type Sink, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'
import { type Transport } from '../../telemetry/records.js'
import { type KeptSink } from '../kept/kept-sink.js'

export type HandleEvents = {
  /** Its stream is kept from now on under this id; null: there was no room, so it is not. */
  onBegin(streamId: string | null): void
  /** Before it is sent. */
  onAnswer(answer: Answer): void
  /** A client has read it, or is gone. */
  onReader(result: Delivery['result']): void
  onEnd(end: StreamEnd | null): void
}

export class HandleSink implements Sink {
  readonly #kept: KeptSink
  readonly #events: HandleEvents
  /** Its stream is read to its end, which `onEnd` tells. */
  isFollowed = false

  constructor(kept: KeptSink, events: HandleEvents) {
    this.#kept = kept
    this.#events = events
    kept.onReaderDone = (result) => events.onReader(result)
  }

  get transport(): Transport {
    return this.#kept.transport
  }

  get streamId(): string | null {
    return this.#kept.streamId
  }

  get isShared(): boolean {
    return this.#kept.isShared
  }

  reply(answer: Answer): void {
    this.#events.onAnswer(answer)
    this.#kept.reply(answer)
  }

  begin(head: StreamHead, format: StreamFormat): void {
    this.#kept.begin(head, format)
    this.#events.onBegin(this.#kept.stream?.facts.id ?? null)
  }

  keepalive(): void {
    this.#kept.keepalive()
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.isFollowed = true
    this.#kept.follow(attach, (delivery) => {
      this.#events.onEnd(this.#kept.stream?.streamEnd ?? null)
      onDone(delivery)
    })
  }
}
