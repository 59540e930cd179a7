// Around the sink of a request whose own stream is kept: tells its run what came of it, so that a retry of it, or a repetition with its
// Idempotency-Key, gets the same. A whole answer is handed to the run as it is sent.
import { type Answer, type Delivery, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'
import { type KeptSink } from '../kept/kept-sink.js'
import { PassingSink } from '../passing-sink.js'

export type HandleEvents = {
  /** Its stream is kept from now on under this id; null: there was no room, so it is not. */
  onBegin(streamId: string | null): void
  /** Before it is sent. */
  onAnswer(answer: Answer): void
  /** A client has read it, or is gone. */
  onReader(result: Delivery['result']): void
  onEnd(end: StreamEnd | null): void
}

export class HandleSink extends PassingSink {
  readonly #kept: KeptSink
  readonly #events: HandleEvents
  /** Its stream is read to its end, which `onEnd` tells. */
  isFollowed = false

  constructor(kept: KeptSink, events: HandleEvents) {
    super(kept)
    this.#kept = kept
    this.#events = events
    kept.onReaderDone = (result) => events.onReader(result)
  }

  override reply(answer: Answer): void {
    this.#events.onAnswer(answer)
    super.reply(answer)
  }

  override begin(head: StreamHead, format: StreamFormat): void {
    super.begin(head, format)
    this.#events.onBegin(this.#kept.stream?.facts.id ?? null)
  }

  override follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.isFollowed = true
    super.follow(attach, (delivery) => {
      this.#events.onEnd(this.#kept.stream?.streamEnd ?? null)
      onDone(delivery)
    })
  }
}
