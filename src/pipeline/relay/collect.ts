// The upstream streams, the client wants one answer: the frames go into a separate log whose only reader is the aggregator, at the
// end. Streaming from the upstream anyway allows stalls to be detected and a leaving client to stop it at once.
import { errorData, GatewayError } from '../../errors.js'
import {
  FRAME_CONTENT,
  FRAME_END,
  FRAME_FAILED,
  FRAME_LAST,
  type StreamObserver,
} from '../../protocols/contract/protocol.js'
import { failureOf } from '../../protocols/frame-payload.js'
import { ENTRY_COST_BYTES, StreamLog } from '../../streams/log.js'
import { type LogReader } from '../../streams/reader.js'
import { createFrameScanner } from '../../wire/frame.js'
import { type FrameScanner } from '../../wire/scanner.js'
import { type Meter, type Relay, type RelayOptions, type RelayOutlet } from './types.js'

export class CollectRelay implements Relay {
  readonly #outlet: RelayOutlet
  readonly #observer: StreamObserver
  readonly #scanner: FrameScanner
  readonly #log: StreamLog
  readonly #reader: LogReader
  readonly #maxResponseBytes: number
  #bits = 0
  #isOver = false

  constructor(options: RelayOptions) {
    const { dialect, target, maxResponseBytes, outlet } = options
    this.#outlet = outlet
    this.#maxResponseBytes = maxResponseBytes
    this.#observer = dialect.createObserver({ stripUsage: false, target })
    // Comments and blank lines are skipped; a million of them must cost no more than their bytes.
    this.#scanner = createFrameScanner(dialect.framing, (payload) => {
      if (payload.length > 0) this.#onFrame(payload)
    })
    this.#log = new StreamLog({ capBytes: maxResponseBytes, retainBytes: 0, entryCostBytes: ENTRY_COST_BYTES }, ignore)
    this.#reader = this.#log.attach(ignore)
  }

  get meter(): Meter {
    return this.#observer
  }

  push(chunk: Buffer): void {
    if (this.#isOver) return
    this.#log.append(chunk)
    // The log evicts at the end of the turn; a flood must be stopped earlier.
    if (this.#log.bytes > this.#maxResponseBytes || this.#reader.isCut) {
      throw new GatewayError('upstream_malformed', {
        message: "The provider's response is too large.",
        retryable: false,
      })
    }
    this.#scanner.push(chunk)
    this.#judge()
  }

  end(): void {
    if (this.#isOver) return
    this.#scanner.end()
    this.#judge()
    if (this.#isOver) return
    this.#isOver = true
    if (this.#observer.isComplete()) this.#outlet.whole(this.#drain(), 'frames')
    else this.#outlet.fail(errorData('upstream_cut'))
  }

  #onFrame(payload: Buffer): void {
    if ((this.#bits & FRAME_LAST) === 0) this.#bits |= this.#observer.observe(payload)
  }

  #judge(): void {
    const bits = this.#bits
    this.#bits = 0
    if ((bits & FRAME_CONTENT) !== 0) this.#outlet.progress()
    if ((bits & FRAME_FAILED) !== 0) {
      this.#isOver = true
      this.#outlet.fail(failureOf(bits, this.#observer))
    } else if ((bits & FRAME_END) !== 0) {
      this.#isOver = true
      this.#outlet.whole(this.#drain(), 'frames')
    }
  }

  #drain(): Buffer {
    const entries: Uint8Array[] = []
    for (let entry = this.#reader.read(); entry !== null; entry = this.#reader.read()) entries.push(entry)
    return Buffer.concat(entries)
  }
}

function ignore(): void {}
