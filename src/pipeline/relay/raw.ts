// The client uses the upstream's own format, possibly not for a chat at all: every frame is forwarded at once and unchanged, except
// that the operator's key is removed, since some paths echo the request, and the caller does not own that key. The dialect's observer
// counts what it recognizes. Its end marker is ignored, since other paths end in other ways: the answer is complete when its body
// ends by HTTP. Frames need not be JSON, since nothing is known about an arbitrary path. Of an endpoint more is known: its own observer
// decides whether the answer is complete.
import { errorData } from '../../errors.js'
import { FRAME_ERROR, FRAME_FAILED, type StreamObserver } from '../../protocols/contract/protocol.js'
import { failureOf } from '../../protocols/frame-payload.js'
import { createFrameScanner } from '../../wire/frame.js'
import { type FrameScanner } from '../../wire/scanner.js'
import { type Meter, type RawOptions, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

export class RawRelay implements Relay {
  readonly #outlet: RelayOutlet
  readonly #observer: StreamObserver
  readonly #scanner: FrameScanner
  readonly #isObserved: boolean
  /** The observer knows the end. */
  readonly #isJudged: boolean
  /** Bits of a frame that ends the answer. */
  readonly #failed: number
  #isOver = false

  constructor(options: RelayOptions, { framing, conceal, endpoint }: RawOptions) {
    const { dialect, target, isDelimited } = options
    this.#outlet = options.outlet
    this.#observer = endpoint?.createObserver(isDelimited) ?? dialect.createObserver({ stripUsage: false, target })
    this.#isObserved = endpoint !== undefined || framing === dialect.framing
    this.#isJudged = endpoint !== undefined
    this.#failed = this.#isJudged ? FRAME_FAILED : FRAME_ERROR
    this.#scanner = createFrameScanner(framing, (payload, raw) => {
      if (this.#isOver) return
      const bits = this.#isObserved && payload.length > 0 ? this.#observer.observe(payload) : 0
      if ((bits & this.#failed) === 0) this.#outlet.append(conceal(raw.source.subarray(raw.start, raw.end)), true)
      else this.#fail(bits)
    })
  }

  get meter(): Meter {
    return this.#observer
  }

  push(chunk: Buffer): void {
    if (!this.#isOver) this.#scanner.push(chunk)
  }

  end(): void {
    if (this.#isOver) return
    this.#scanner.end()
    if (this.#isOver) return
    this.#isOver = true
    if (!this.#isJudged || this.#observer.isComplete()) this.#outlet.complete()
    else this.#outlet.fail(errorData('upstream_cut'))
  }

  #fail(bits: number): void {
    this.#isOver = true
    this.#outlet.fail(failureOf(bits, this.#observer))
  }
}
