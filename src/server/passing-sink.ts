// A sink in front of another one, to which it passes everything. Those in front of a client's sink extend it, and say only what they
// do otherwise: so whatever a sink tells the pipeline is told through all of them.
import {
  type Answer,
  type Delivery,
  type QueuePlace,
  type Sink,
  type StreamFormat,
  type StreamHead,
} from '../pipeline/sink.js'
import { type FrameReader } from '../streams/reader.js'
import { type Transport } from '../telemetry/records.js'

export class PassingSink implements Sink {
  readonly #sink: Sink

  constructor(sink: Sink) {
    this.#sink = sink
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

  get isParked(): boolean {
    return this.#sink.isParked === true
  }

  get isShared(): boolean {
    return this.#sink.isShared === true
  }

  reply(answer: Answer): void {
    this.#sink.reply(answer)
  }

  begin(head: StreamHead, format: StreamFormat): void {
    this.#sink.begin(head, format)
  }

  keepalive(): void {
    this.#sink.keepalive()
  }

  /** Only the client that asked sees it; whoever comes later reads frames. */
  queued(place: QueuePlace): void {
    this.#sink.queued?.(place)
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.#sink.follow(attach, onDone)
  }
}
