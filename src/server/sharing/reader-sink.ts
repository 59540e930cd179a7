// The sink of a request that is answered from another one's frames: counts its reader, and where that is the kept stream of the request
// that it repeats, gives the client the id and the numbers of that stream.
import { type Answer, type Delivery, type Sink, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { type LinkTokens } from '../../streams/access/link-token.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { shownStreamId } from '../../streams/kept/stream-id.js'
import { type FrameReader } from '../../streams/reader.js'
import { type Transport } from '../../telemetry/records.js'
import { NumberedReader, numberedFormat } from '../kept/numbered-reader.js'
import { streamHeaders } from '../kept/stream-headers.js'

export type ReaderSinkOptions = {
  /** The stream that it repeats; null for a follower or a replay, which has its own or none. */
  readonly repeated: ReadableLog | null
  /** For the headers of that stream; null without a link. */
  readonly links: LinkTokens | null
  /** The client wants the number of each frame in it. */
  readonly hasIds: boolean
  readonly onReader: (result: Delivery['result']) => void
}

export class ReaderSink implements Sink {
  readonly #sink: Sink
  readonly #options: ReaderSinkOptions
  readonly #isNumbered: boolean

  constructor(sink: Sink, options: ReaderSinkOptions) {
    this.#sink = sink
    this.#options = options
    this.#isNumbered = options.hasIds && options.repeated?.facts.framing === 'sse'
  }

  get transport(): Transport {
    return this.#sink.transport
  }

  get streamId(): string | null {
    const { repeated } = this.#options
    return repeated === null ? (this.#sink.streamId ?? null) : shownStreamId(repeated.facts.id)
  }

  reply(answer: Answer): void {
    this.#sink.reply(answer)
  }

  begin(head: StreamHead, format: StreamFormat): void {
    const { repeated, links } = this.#options
    if (repeated === null) {
      this.#sink.begin(head, format)
      return
    }
    const headers = [...head.headers, ...streamHeaders(repeated.facts, links)]
    this.#sink.begin({ ...head, headers }, this.#isNumbered ? numberedFormat(format, repeated) : format)
  }

  keepalive(): void {
    this.#sink.keepalive()
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    const attachNumbered = (onReadable: () => void): FrameReader => new NumberedReader(attach(onReadable))
    this.#sink.follow(this.#isNumbered ? attachNumbered : attach, (delivery) => {
      this.#options.onReader(delivery.result)
      onDone(delivery)
    })
  }
}
