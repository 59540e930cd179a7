// A client's end that writes down what it is told. It takes everything at once unless it is paused.
import { type JsonObject } from '../../src/model/json.js'
import { type ExchangeHandle } from '../../src/pipeline/client.js'
import {
  type Answer,
  type Delivery,
  type QueuePlace,
  type Sink,
  type StreamFormat,
  type StreamHead,
} from '../../src/pipeline/sink.js'
import { type FrameReader } from '../../src/streams/reader.js'
import { type Transport } from '../../src/telemetry/records.js'

/** A client's end. It takes everything at once unless it is paused. */
export class FakeSink implements Sink {
  readonly answers: Answer[] = []
  readonly heads: StreamHead[] = []
  readonly deliveries: Delivery[] = []
  /** What was called after the exchange had settled; must stay empty. */
  readonly late: string[] = []
  readonly chunks: Uint8Array[] = []
  keepalives = 0
  readonly places: QueuePlace[] = []
  isPaused = false
  /** Throw where the next call of that name comes. */
  breaksAt: 'reply' | 'begin' | 'follow' | 'keepalive' | 'queued' | null = null
  /** The client is found gone when the stream begins to be followed. */
  isGoneAtFollow = false
  isSettled: () => boolean = () => false
  handle: ExchangeHandle | null = null
  readonly #kind: Transport
  #face: StreamFormat | null = null
  #reader: FrameReader | null = null
  #onDone: ((delivery: Delivery) => void) | null = null

  /** `sse`: as over HTTP, where the transport is `json` until a stream begins. */
  constructor(kind: Transport = 'sse') {
    this.#kind = kind
  }

  get transport(): Transport {
    return this.#kind === 'sse' && this.heads.length === 0 ? 'json' : this.#kind
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  /** The only answer, read as JSON. */
  get json(): JsonObject {
    return JSON.parse(Buffer.from(this.answers[0]?.body ?? '').toString()) as JsonObject
  }

  get isFollowing(): boolean {
    return this.#onDone !== null
  }

  reply(answer: Answer): void {
    this.#note('reply')
    this.answers.push(answer)
  }

  begin(head: StreamHead, face: StreamFormat): void {
    this.#note('begin')
    this.heads.push(head)
    this.#face = face
  }

  keepalive(): void {
    this.#note('keepalive')
    this.keepalives += 1
    this.chunks.push(Buffer.from(this.#face?.keepaliveFrame ?? ''))
  }

  queued(place: QueuePlace): void {
    this.#note('queued')
    this.places.push(place)
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.#note('follow')
    this.#onDone = onDone
    this.#reader = attach(() => this.pump())
    if (this.isGoneAtFollow) this.leave()
  }

  /** Takes what the log has, and the end. */
  pump(): void {
    const reader = this.#reader
    if (this.isPaused || reader === null) return
    for (let entry = reader.read(); entry !== null; entry = reader.read()) this.chunks.push(entry)
    const end = reader.end()
    if (end === null) return
    if (end.error !== null) this.chunks.push(Buffer.from(this.#face?.encodeErrorFrame(end.error) ?? ''))
    this.#finish('delivered')
  }

  resume(): void {
    this.isPaused = false
    this.pump()
  }

  /** The client goes, as a transport tells it. */
  leave(result: 'client_gone' | 'slow_reader' = 'client_gone'): void {
    if (this.#onDone === null) this.handle?.cancel()
    else this.#finish(result)
  }

  #finish(result: Delivery['result']): void {
    const reader = this.#reader
    if (reader === null) return
    this.#reader = null
    reader.detach()
    const delivery = { result, bytes: this.text.length }
    this.deliveries.push(delivery)
    this.#onDone?.(delivery)
  }

  #note(call: string): void {
    if (this.isSettled()) this.late.push(call)
    if (this.breaksAt !== call) return
    this.breaksAt = null
    throw new Error(`the sink broke at ${call}`)
  }
}
