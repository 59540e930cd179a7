// The client speaks to the upstream in its own words, perhaps not of a chat at all: every frame goes on as it came, at once,
// but for the operator's key: some paths show a caller what it sent, and here the caller is not who holds the key. The
// dialect's observer counts what it knows; what it takes for the end is not asked, as other paths end in other ways: the
// answer is complete when its body ends as HTTP says. Nor need a frame be JSON: of a path that nobody knows nothing is known.
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
