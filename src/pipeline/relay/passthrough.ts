// Same protocol on both sides: the upstream's bytes are forwarded unchanged. Frame boundaries are located, usage and the end marker
// are observed, and one frame may be removed (usage that we requested and the client did not). Nothing else is parsed.
import { errorData } from '../../errors.js'
import {
  FRAME_CONTENT,
  FRAME_EDITED,
  FRAME_END,
  FRAME_FAILED,
  FRAME_LAST,
  FRAME_STRIP,
  type StreamObserver,
} from '../../protocols/contract/protocol.js'
import { failureOf } from '../../protocols/frame-payload.js'
import { createFrameScanner } from '../../wire/frame.js'
import { type FrameScanner, type RawSpan } from '../../wire/scanner.js'
import { type Meter, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

/** An answer without content must still be sent when its end marker has arrived. */
const CONTENT_OR_END = FRAME_CONTENT | FRAME_END
/** Must not reach the client unchanged. */
const WITHHELD = FRAME_STRIP | FRAME_FAILED
const UPSTREAM_CUT = errorData('upstream_cut')

export class PassthroughRelay implements Relay {
  readonly #outlet: RelayOutlet
  readonly #observer: StreamObserver
  readonly #scanner: FrameScanner
  /** The run of touching frames in one source that waits to be appended: `runSource[runStart, runEnd)`. */
  #runSource: Buffer | null = null
  #runStart = 0
  #runEnd = 0
  #bits = 0
  #hasContent = false
  #isOver = false
  readonly #holdsEnd: boolean
  /** The frame with the end marker, where it waits. */
  #last: Buffer | null = null

  constructor(options: RelayOptions) {
    this.#outlet = options.outlet
    const { includeUsage, target, own, holdsEnd } = options
    this.#holdsEnd = holdsEnd
    this.#observer = options.dialect.createObserver({ stripUsage: !includeUsage, target, own })
    this.#scanner = createFrameScanner(options.dialect.framing, (payload, raw) => this.#onFrame(payload, raw))
  }

  get meter(): Meter {
    return this.#observer
  }

  push(chunk: Buffer): void {
    if (this.#isOver) return
    this.#scanner.push(chunk)
    this.#flush()
  }

  end(): void {
    if (this.#isOver) return
    this.#scanner.end()
    this.#flush()
    if (this.#isOver) return
    if (this.#observer.isComplete()) this.#finish()
    else this.#outlet.fail(UPSTREAM_CUT)
  }

  #onFrame(payload: Buffer, raw: RawSpan): void {
    if (this.#isOver || (this.#bits & FRAME_LAST) !== 0) return
    if (payload.length === 0) {
      // Comments before any content are dropped: our own keepalives fill that silence.
      if (this.#hasContent) this.#take(raw)
      return
    }
    const bits = this.#observer.observe(payload)
    this.#bits |= bits
    if ((bits & CONTENT_OR_END) !== 0) this.#hasContent = true
    if ((bits & WITHHELD) !== 0) return
    const span = (bits & FRAME_EDITED) === 0 ? raw : this.#edited(payload, raw)
    if (this.#holdsEnd && (bits & FRAME_END) !== 0) this.#hold(span)
    else this.#take(span)
  }

  /** The frame with the payload that the gateway has edited, in memory of its own. */
  #edited(payload: Buffer, raw: RawSpan): RawSpan {
    const edited = this.#observer.edited ?? payload
    const frame = raw.source.subarray(raw.start, raw.end)
    const at = frame.indexOf(payload)
    // A payload of several lines came in as many data lines.
    const parts = at < 0 ? linesOf(edited) : [frame.subarray(0, at), edited, frame.subarray(at + payload.length)]
    const source = Buffer.concat(parts)
    return { source, start: 0, end: source.length }
  }

  #hold({ source, start, end }: RawSpan): void {
    this.#last = source.subarray(start, end)
  }

  /** Lengthens the run if the frame lies right behind it in the same memory; else appends the run and begins another. */
  #take(raw: RawSpan): void {
    if (raw.source === this.#runSource && raw.start === this.#runEnd) {
      this.#runEnd = raw.end
      return
    }
    this.#appendRun()
    this.#runSource = raw.source
    this.#runStart = raw.start
    this.#runEnd = raw.end
  }

  #appendRun(): void {
    const source = this.#runSource
    if (source === null) return
    this.#runSource = null
    const isAll = this.#runStart === 0 && this.#runEnd === source.length
    const frames = isAll ? source : source.subarray(this.#runStart, this.#runEnd)
    this.#outlet.append(frames, (this.#bits & CONTENT_OR_END) !== 0)
  }

  #flush(): void {
    this.#appendRun()
    const bits = this.#bits
    this.#bits = 0
    if ((bits & FRAME_FAILED) !== 0) {
      this.#isOver = true
      this.#outlet.fail(failureOf(bits, this.#observer))
    } else if ((bits & FRAME_END) !== 0) this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    this.#outlet.complete(this.#last ?? undefined)
  }
}

function linesOf(payload: Buffer): Buffer[] {
  return [Buffer.from(`data: ${payload.toString('utf8').replaceAll('\n', '\ndata: ')}\n\n`)]
}
