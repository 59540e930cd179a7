// Random ids of traces and spans, in lower-case hex, taken from a block of random bytes that is refilled when it is used up: one call
// of the system for hundreds of ids.
import { randomFillSync } from 'node:crypto'

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
const BLOCK_BYTES = 4096
const NO_ID = /^0+$/
const ZERO = 0x30

export class SpanIds {
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  readonly #fill: (block: Buffer) => unknown
  #at = BLOCK_BYTES

  /** `fill`: makes all bytes random. */
  constructor(fill: (block: Buffer) => unknown = randomFillSync) {
    this.#fill = fill
  }

  traceId(): string {
    return this.#take(TRACE_ID_BYTES)
  }

  spanId(): string {
    return this.#take(SPAN_ID_BYTES)
  }

  /** All zeros are no id. */
  #take(bytes: number): string {
    for (;;) {
      if (this.#at + bytes > BLOCK_BYTES) {
        this.#fill(this.#block)
        this.#at = 0
      }
      const id = this.#block.toString('hex', this.#at, this.#at + bytes)
      this.#at += bytes
      if (id.charCodeAt(0) !== ZERO || !NO_ID.test(id)) return id
    }
  }
}
