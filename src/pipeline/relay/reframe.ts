// One protocol on both sides, but framed in two ways: the payloads of the upstream's frames pass as they are, between the texts of the
// client's framing. What is observed, and when the answer is complete, is as in passthrough.ts.
//
//   data: {"a":1}\n\n data: {"a":2}\n\n      ->      [{"a":1},\n{"a":2}]
import { errorData } from '../../errors.js'
import {
  FRAME_CONTENT,
  FRAME_END,
  FRAME_FAILED,
  FRAME_LAST,
  FRAME_STRIP,
  type PayloadFrames,
  type StreamObserver,
} from '../../protocols/contract/protocol.js'
import { failureOf } from '../../protocols/frame-payload.js'
import { createFrameScanner } from '../../wire/frame.js'
import { skipSpace } from '../../wire/json-scan.js'
import { type FrameScanner } from '../../wire/scanner.js'
import { type Meter, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

const CONTENT_OR_END = FRAME_CONTENT | FRAME_END
/** Must not reach the client. */
const WITHHELD = FRAME_STRIP | FRAME_FAILED
const OPENING_BRACE = 0x7b
const UPSTREAM_CUT = errorData('upstream_cut')

export class ReframeRelay implements Relay {
  readonly #outlet: RelayOutlet
  readonly #observer: StreamObserver
  readonly #scanner: FrameScanner
  readonly #first: Buffer
  readonly #next: Buffer
  readonly #end: Buffer
  #pieces: Buffer[] = []
  #hasFrames = false
  #bits = 0
  #isOver = false

  constructor(options: RelayOptions, frames: PayloadFrames) {
    const { dialect, target, includeUsage } = options
    this.#outlet = options.outlet
    this.#first = Buffer.from(frames.first)
    this.#next = Buffer.from(frames.next)
    this.#end = Buffer.from(frames.end)
    this.#observer = dialect.createObserver({ stripUsage: !includeUsage, target })
    this.#scanner = createFrameScanner(dialect.framing, (payload) => {
      if (payload.length > 0) this.#onPayload(payload)
    })
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
    else {
      this.#isOver = true
      this.#outlet.fail(UPSTREAM_CUT)
    }
  }

  #onPayload(payload: Buffer): void {
    if ((this.#bits & FRAME_LAST) !== 0) return
    const bits = this.#observer.observe(payload)
    this.#bits |= bits
    // An end marker is no part of a document.
    if ((bits & WITHHELD) !== 0 || payload[skipSpace(payload, 0)] !== OPENING_BRACE) return
    // The payload may be in the scanner's own memory, which the next frame overwrites.
    this.#pieces.push(this.#hasFrames ? this.#next : this.#first, Buffer.from(payload))
    this.#hasFrames = true
  }

  #flush(): void {
    const bits = this.#bits
    this.#bits = 0
    if (this.#pieces.length > 0) {
      const frames = Buffer.concat(this.#pieces)
      this.#pieces = []
      this.#outlet.append(frames, (bits & CONTENT_OR_END) !== 0)
    }
    if ((bits & FRAME_FAILED) !== 0) {
      this.#isOver = true
      this.#outlet.fail(failureOf(bits, this.#observer))
    } else if ((bits & FRAME_END) !== 0) this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    const last = this.#hasFrames ? this.#end : Buffer.concat([this.#first, this.#end])
    this.#outlet.append(last, true)
    this.#outlet.complete()
  }
}
