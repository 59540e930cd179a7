// Two protocols: upstream frames -> events -> the client's frames, all within the call that brought the bytes. The frames of
// one chunk are joined as text and become bytes once.
import { type ErrorData } from '../../model/error.js'
import { type FinishReason, type StreamEvent } from '../../model/event.js'
import { type Usage, type UsageReport } from '../../model/usage.js'
import { type StreamDecoder, type StreamEncoder } from '../../protocols/contract/protocol.js'
import { isRare, PartFilter } from '../../protocols/fit/answer.js'
import { createFrameScanner } from '../../wire/frame.js'
import { type FrameScanner } from '../../wire/scanner.js'
import { type Meter, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

export class TranscodeRelay implements Relay, Meter {
  readonly #outlet: RelayOutlet
  readonly #decoder: StreamDecoder
  readonly #encoder: StreamEncoder
  readonly #scanner: FrameScanner
  #text = ''
  #hasContent = false
  /** The open block has no place in the client's form. */
  #isLeftOut = false
  #isFinished = false
  readonly #blocks = new OpenBlock()
  readonly #isSse: boolean
  readonly #holdsEnd: boolean
  readonly #filter: PartFilter
  /** The frames of the end, of which the last may have to wait. */
  readonly #ending: string[] = []
  #error: ErrorData | null = null
  usage: UsageReport | null = null
  contentBytes = 0
  finish: FinishReason | null = null
  encodeErrorFrame?: (error: ErrorData) => string

  constructor(options: RelayOptions) {
    const { surface, dialect, fallback, target } = options
    this.#outlet = options.outlet
    this.#holdsEnd = options.holdsEnd
    this.#filter = new PartFilter(surface.hasPlaceFor)
    this.#isSse = surface.framing === 'sse'
    this.#encoder = surface.createEncoder((frame) => this.#onEncoded(frame), options)
    const { encodeErrorFrame } = this.#encoder
    if (encodeErrorFrame !== undefined) this.encodeErrorFrame = (error) => encodeErrorFrame.call(this.#encoder, error)
    this.#decoder = dialect.createDecoder((event) => this.#onEvent(event), { fallback, target })
    // Comments and blank lines are skipped; a million of them must cost no more than their bytes.
    this.#scanner = createFrameScanner(dialect.framing, (payload) => {
      if (payload.length > 0) this.#decoder.push(payload)
    })
  }

  get meter(): Meter {
    return this
  }

  push(chunk: Buffer): void {
    if (this.#isOver()) return
    this.#scanner.push(chunk)
    this.#flush()
  }

  end(): void {
    if (this.#isOver()) return
    this.#scanner.end()
    this.#decoder.end()
    this.#flush()
  }

  close(usage: Usage): string[] {
    this.#isFinished = true
    const left = this.#text
    this.#text = ''
    for (const event of endOf(this.#blocks, usage)) this.#encoder.push(event)
    const [first = '', ...others] = this.#ending
    return [left + first, ...others]
  }

  #isOver(): boolean {
    return this.#isFinished || this.#error !== null
  }

  #onEvent(event: StreamEvent): void {
    if (this.#isOver()) return
    switch (event.type) {
      case 'start':
        this.usage = event.meta.usage
        break
      case 'block-start':
        this.#blocks.index = event.index
        if (isRare(event.block) && !this.#filter.keeps(event.block)) {
          this.#isLeftOut = true
          return
        }
        if (event.block.kind !== 'text' && event.block.kind !== 'reasoning') this.#hasContent = true
        break
      case 'block-delta':
        this.#hasContent = true
        this.contentBytes += event.delta.length
        break
      case 'finish':
        this.usage = event.usage ?? this.usage
        this.finish = event.reason
        this.#isFinished = true
        break
      case 'citation':
        if (!this.#filter.keeps(event.citation)) return
        break
      case 'error':
        this.#error = event.error
        return
      case 'block-end':
        this.#blocks.index = null
        if (!this.#isLeftOut) break
        this.#isLeftOut = false
        return
    }
    this.#encoder.push(event)
  }

  #onEncoded(frame: string): void {
    if (this.#isFinished) this.#ending.push(frame)
    else this.#text += frame
  }

  /** The end, behind the names of what was left out: a comment, since the headers were sent long before. */
  #finish(): Buffer | undefined {
    const { dropped } = this.#filter
    if (dropped.length > 0) {
      this.#outlet.leftOut(dropped)
      if (this.#isSse) this.#text += `: x-sluice-dropped: ${dropped.join(', ')}\n`
    }
    const last = this.#holdsEnd ? this.#ending.pop() : undefined
    this.#text += this.#ending.join('')
    return last === undefined ? undefined : Buffer.from(last)
  }

  #flush(): void {
    const last = this.#isFinished ? this.#finish() : undefined
    const text = this.#text
    const hasContent = this.#hasContent
    this.#text = ''
    this.#hasContent = false
    if (text !== '') this.#outlet.append(Buffer.from(text), hasContent || this.#isFinished)
    // Content without a form in the client's protocol, such as reasoning: it counts as the upstream's progress.
    else if (hasContent) this.#outlet.progress()
    if (this.#error !== null) this.#outlet.fail(this.#error)
    else if (this.#isFinished) this.#outlet.complete(last)
  }
}

/** The events that end a stream at a cap on its output. */
export function endOf({ index }: OpenBlock, usage: Usage): readonly StreamEvent[] {
  const finish: StreamEvent = { type: 'finish', reason: 'length', usage, stopSequence: null }
  return index === null ? [finish] : [{ type: 'block-end', index, signature: null }, finish]
}

/** Which block of a stream is open. */
export class OpenBlock {
  index: number | null = null

  note({ type, ...event }: StreamEvent): void {
    if (type === 'block-start' && 'index' in event) this.index = event.index
    else if (type === 'block-end') this.index = null
  }
}
