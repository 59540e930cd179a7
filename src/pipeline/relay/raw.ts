// The client uses the upstream's own format, possibly not for a chat at all: every frame is forwarded at once and unchanged, except
// that the operator's key is removed, since some paths echo the request, and the caller does not own that key. The dialect's observer
// counts what it recognizes. Its end marker is ignored, since other paths end in other ways: the answer is complete when its body
// ends by HTTP. Frames need not be JSON, since nothing is known about an arbitrary path.
import { FRAME_ERROR, type StreamObserver } from '../../protocols/contract/protocol.js'
import { createFrameScanner } from '../../wire/frame.js'
import { type FrameScanner } from '../../wire/scanner.js'
import { type Meter, type RawOptions, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

export class RawRelay implements Relay {
  readonly #outlet: RelayOutlet
  readonly #observer: StreamObserver
  readonly #scanner: FrameScanner
  readonly #isObserved: boolean
  #isOver = false

  constructor(options: RelayOptions, { framing, conceal }: RawOptions) {
    const { dialect, target } = options
    this.#outlet = options.outlet
    this.#observer = dialect.createObserver({ stripUsage: false, target })
    this.#isObserved = framing === dialect.framing
    this.#scanner = createFrameScanner(framing, (payload, raw) => {
      if (this.#isOver) return
      const bits = this.#isObserved && payload.length > 0 ? this.#observer.observe(payload) : 0
      if ((bits & FRAME_ERROR) === 0) this.#outlet.append(conceal(raw.source.subarray(raw.start, raw.end)), true)
      else this.#fail()
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
    this.#outlet.complete()
  }

  #fail(): void {
    this.#isOver = true
    const { error } = this.#observer
    if (error !== null) this.#outlet.fail(error)
  }
}
