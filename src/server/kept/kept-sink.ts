// The sink of an exchange whose stream is kept. It takes the exchange's log as it comes and puts it into a kept stream, which the sink
// of the client reads like every later one. So the exchange settles once: when the upstream has ended, or when nobody came back in time.
//
//   exchange log --KeptSink--> kept stream --NumberedReader--> sink of the first client
//                                          --...-------------> sinks of those who come later
import { errorData } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { NO_USAGE } from '../../model/usage.js'
import { type ExchangeHandle, type KeyIdentity } from '../../pipeline/client.js'
import { type Delivery, type HeaderList, type Sink, type StreamFormat, type StreamHead } from '../../pipeline/sink.js'
import { type LinkTokens } from '../../streams/access/link-token.js'
import { type KeptStream } from '../../streams/kept/kept-stream.js'
import { ownerOf } from '../../streams/kept/readable-log.js'
import { type KeptStreams, type OpenOptions } from '../../streams/kept/registry.js'
import { shownStreamId } from '../../streams/kept/stream-id.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'
import { type HoldingSink, type KeepAsking, type Keeping } from '../context.js'
import { PassingSink } from '../passing-sink.js'
import { NumberedReader, numberedFormat, settledFormat } from './numbered-reader.js'
import { streamHeaders } from './stream-headers.js'

/** How streams are kept, by one configuration. */
export type KeepPolicy = Omit<OpenOptions, 'budget' | 'onAbandoned'> & {
  /** `always`: also those that did not ask. */
  readonly resume: 'ask' | 'always'
  /** An empty reservation on the account of a key. */
  readonly reserve: (key: KeyIdentity) => OpenOptions['budget']
  readonly links: LinkTokens
}

export type KeptSinkOptions = {
  readonly asking: KeepAsking
  readonly streams: Pick<KeptStreams, 'open' | 'copies' | 'isShared' | 'counters'>
  readonly policy: KeepPolicy
}

const NO_HEADERS: HeaderList = Object.freeze([])
/** State of a limit at the moment of the answer, which a later one must not repeat. */
const FLEETING = /^x-ratelimit-|^retry-after/
const ABANDONED: StreamEnd = Object.freeze({
  outcome: 'client_gone',
  error: errorData('client_gone', { message: 'The stream was stopped because no client was reading it.' }),
  usage: NO_USAGE,
  usageSource: 'estimated',
})
const BROKEN: StreamEnd = Object.freeze({ ...ABANDONED, outcome: 'upstream_cut', error: errorData('upstream_cut') })

/** In front of a client's sink. Whole answers, errors before the stream, and streams for which there is no room pass through. */
export class KeptSink extends PassingSink implements HoldingSink {
  readonly #options: KeptSinkOptions
  #stream: KeptStream | null = null
  #hasBegun = false
  #format: StreamFormat | null = null
  /** Of the exchange's log, whose only reader it is. */
  #reader: FrameReader | null = null
  #onDone: ((delivery: Delivery) => void) | null = null
  #handle: ExchangeHandle | null = null
  #bytes = 0
  #abandoned = ABANDONED
  /** Lets go of a stream that goes on to its end, whoever reads it. */
  #release: (() => void) | null = null
  /** The client's sink has read the stream, or has left it. */
  onReaderDone: ((result: Delivery['result']) => void) | null = null

  constructor(sink: Sink, options: KeptSinkOptions) {
    super(sink)
    this.#options = options
  }

  override get streamId(): string | null {
    return this.#stream === null ? null : shownStreamId(this.#stream.facts.id)
  }

  override get keptId(): string | null {
    return this.#stream?.facts.id ?? null
  }

  /** Once it has begun; null if it is not kept. */
  get stream(): KeptStream | null {
    return this.#stream
  }

  override get isParked(): boolean {
    return this.#stream !== null && this.#stream.readerCount === 0
  }

  override get isShared(): boolean {
    return this.#stream !== null && this.#options.streams.isShared(this.#stream)
  }

  /** The exchange, to be cancelled if the stream is abandoned before its first content. */
  hold(handle: ExchangeHandle): void {
    this.#handle = handle
  }

  stop(error: ErrorData | null = null): void {
    if (error !== null) this.#abandoned = { ...ABANDONED, error }
    this.#stream?.cancel()
  }

  /** The client's sink follows the kept stream from here on: even before the first content, a client that leaves may come back. */
  override begin(head: StreamHead, format: StreamFormat): void {
    // While the request waited, before another sink was put around this one.
    if (this.#hasBegun) {
      this.#noteOrigin(head)
      return
    }
    this.#hasBegun = true
    const stream = head.transport === 'json' || head.transport === 'bytes' ? null : this.#open(head)
    if (stream === null) {
      super.begin(head, format)
      return
    }
    this.#stream = stream
    this.#noteOrigin(head)
    const { asking, streams, policy } = this.#options
    const { hasIds, canReturn = hasIds } = asking
    const origin = policy.isPrivate === true ? stream.facts.id : null
    const isNumbered = hasIds && stream.facts.framing === 'sse'
    // One that announces its stream itself numbers its frames itself.
    const takesRuns = !isNumbered && asking.onKept === undefined
    this.#format = format
    if (asking.isLasting === true) {
      this.#release = stream.hold()
      super.begin(head, format)
      return
    }
    const headers = head.headers.concat(this.#announce(stream))
    const shown = settledFormat(format, stream)
    const { transport, contentType, trace } = head
    const changed = { transport, contentType, headers, origin }
    // Before a stream of the client's own it is the same request all the same.
    const shownHead = trace === undefined ? changed : { ...changed, trace }
    super.begin(shownHead, isNumbered ? numberedFormat(shown, stream) : shown)
    const attach = (onReadable: () => void): FrameReader => {
      const onKeepalive = (): void => super.keepalive()
      const reader = stream.attach({ how: 'first', offset: 0, onReadable, onKeepalive, canReturn, takesRuns })
      return isNumbered ? new NumberedReader(reader) : reader
    }
    super.follow(attach, ({ result }) => {
      streams.counters.streamReader('first', result)
      this.onReaderDone?.(result)
    })
  }

  #noteOrigin({ origin }: StreamHead): void {
    if (this.#stream !== null && origin != null) this.#options.streams.copies(this.#stream, origin)
  }

  #announce(stream: KeptStream): HeaderList {
    const { asking, policy } = this.#options
    const { onKept } = asking
    if (onKept === undefined) return streamHeaders(stream.facts, policy.links)
    onKept(stream)
    return NO_HEADERS
  }

  override keepalive(): void {
    if (this.#stream === null) super.keepalive()
    else this.#stream.keepalive()
  }

  override follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    if (this.#stream === null) {
      super.follow(attach, onDone)
      return
    }
    this.#onDone = onDone
    this.#reader = attach(() => this.#take())
  }

  #open({ transport, contentType, headers, trace }: StreamHead): KeptStream | null {
    const { streams, policy, asking } = this.#options
    const { key, surfaceId, requestId } = asking
    const { graceMs, keepMs, maxStreamBytes, maxLagBytes, isPrivate = false } = policy
    const framing = transport === 'ndjson' ? 'ndjson' : 'sse'
    const lasting = headers.filter(([name]) => !FLEETING.test(name))
    const known = { owner: ownerOf(key), surfaceId, requestId, framing, contentType, headers: lasting } as const
    const facts = trace === undefined ? known : { ...known, trace }
    const onAbandoned = (): void => this.#abandon()
    const budget = policy.reserve(key)
    return streams.open(facts, { graceMs, keepMs, maxStreamBytes, maxLagBytes, isPrivate, budget, onAbandoned })
  }

  /** All that the log has, at once: it never lags, so the log holds nothing for it. */
  #take(): void {
    const reader = this.#reader
    const stream = this.#stream
    if (reader === null || stream === null) return
    stream.holdNotices()
    try {
      this.#takeInto(stream, reader)
    } finally {
      stream.releaseNotices()
    }
  }

  #takeInto(stream: KeptStream, reader: FrameReader): void {
    try {
      this.#move(reader, stream)
    } catch {
      // A frame that no scanner takes; those of upstreams were scanned before.
      this.#finish(BROKEN, 'upstream_cut')
      return
    }
    const end = reader.isCut ? BROKEN : reader.end()
    if (end !== null) this.#finish(end, reader.isCut ? 'upstream_cut' : 'delivered')
  }

  #move(reader: FrameReader, stream: KeptStream): void {
    const before = stream.next
    const bytes = stream.takeFrom(reader)
    this.#bytes += bytes
    // The upstream's own keepalive, which is no frame: ours takes its place, since the exchange saw no silence.
    if (bytes > 0 && stream.next === before) stream.keepalive()
  }

  #abandon(): void {
    this.#finish(this.#abandoned, 'client_gone')
  }

  /** The error frame may continue the numbers of the frames before it, so it is encoded once. */
  #settle(end: StreamEnd): StreamEnd {
    if (end.error === null || this.#format === null) return end
    return { ...end, errorFrame: this.#format.encodeErrorFrame(end.error) }
  }

  #finish(end: StreamEnd, result: Delivery['result']): void {
    const reader = this.#reader
    const onDone = this.#onDone
    const handle = this.#handle
    this.#reader = null
    this.#onDone = null
    this.#handle = null
    this.#stream?.close(this.#settle(end))
    this.#release?.()
    reader?.detach()
    if (onDone !== null) onDone({ result, bytes: this.#bytes })
    else if (result === 'client_gone') handle?.cancel()
  }
}

/** Keeps the streams of HTTP clients in `streams`, by the options of one configuration. */
export function createKeeping(streams: KeptStreams, policy: KeepPolicy): Keeping {
  return {
    isAlways: policy.resume === 'always',
    links: policy.links,
    counters: streams.counters,
    reach: (id, owner) => streams.reach(id, owner),
    keep: (sink, asking) => new KeptSink(sink, { asking, streams, policy }),
  }
}
