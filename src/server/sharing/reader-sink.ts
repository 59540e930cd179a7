// The sink of a request that is answered from another one's frames: counts its reader, and where that is the kept stream of the request
// that it repeats, gives the client the id and the numbers of that stream.
import { type Delivery, type Sink, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { type LinkTokens } from '../../streams/access/link-token.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { shownStreamId } from '../../streams/kept/stream-id.js'
import { type FrameReader } from '../../streams/reader.js'
import { NumberedReader, numberedFormat, settledFormat } from '../kept/numbered-reader.js'
import { streamHeaders } from '../kept/stream-headers.js'
import { PassingSink } from '../passing-sink.js'

export type ReaderSinkOptions = {
  /** The stream that it reads; null for a replay. */
  readonly source: ReadableLog | null
  /** It is the stream of the request that it repeats, so it has that one's id; a follower or a replay has its own or none. */
  readonly isRepeat: boolean
  /** It reads a hidden stream, as its follower. */
  readonly isFollower: boolean
  /** For the headers of that stream; null without a link. */
  readonly links: LinkTokens | null
  /** The client wants the number of each frame in it. */
  readonly hasIds: boolean
  readonly onReader: (result: Delivery['result']) => void
}

export class ReaderSink extends PassingSink {
  readonly #options: ReaderSinkOptions
  readonly #isNumbered: boolean

  constructor(sink: Sink, options: ReaderSinkOptions) {
    super(sink)
    this.#options = options
    this.#isNumbered = options.isRepeat && options.hasIds && options.source?.facts.framing === 'sse'
  }

  override get streamId(): string | null {
    const { keptId } = this
    return keptId === null ? null : shownStreamId(keptId)
  }

  override get keptId(): string | null {
    const { source, isRepeat } = this.#options
    return isRepeat && source !== null ? source.facts.id : super.keptId
  }

  override begin(head: StreamHead, format: StreamFormat): void {
    const { source, isRepeat, isFollower, links } = this.#options
    if (source === null) {
      super.begin(head, format)
      return
    }
    const shown = settledFormat(format, source)
    const headers = isRepeat ? [...head.headers, ...streamHeaders(source.facts, links)] : head.headers
    const origin = isFollower ? source.facts.id : null
    super.begin({ ...head, headers, origin }, this.#isNumbered ? numberedFormat(shown, source) : shown)
  }

  override follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    const attachNumbered = (onReadable: () => void): FrameReader => new NumberedReader(attach(onReadable))
    super.follow(this.#isNumbered ? attachNumbered : attach, (delivery) => {
      this.#options.onReader(delivery.result)
      onDone(delivery)
    })
  }
}
