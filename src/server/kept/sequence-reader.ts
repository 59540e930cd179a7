// A reader of a kept stream that leaves out the events that its client has: those up to a number that is in the events themselves. From the
// first later one on, frames pass unread.
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'

/** The number of an event; null for a frame without one. */
export type SequenceOf = (frame: Uint8Array) => number | null

export class SequenceReader implements FrameReader {
  readonly #reader: FrameReader
  readonly #sequenceOf: SequenceOf
  readonly #after: number
  #isPast: boolean

  /** `after`: the number of the last event that the client has; -1 for none. */
  constructor(reader: FrameReader, sequenceOf: SequenceOf, after: number) {
    this.#reader = reader
    this.#sequenceOf = sequenceOf
    this.#after = after
    this.#isPast = after < 0
  }

  get offset(): number {
    return this.#reader.offset
  }

  get isCut(): boolean {
    return this.#reader.isCut
  }

  get isMoved(): boolean {
    return this.#reader.isMoved === true
  }

  read(): Uint8Array | null {
    for (;;) {
      const frame = this.#reader.read()
      if (frame === null || this.#isPast) return frame
      const sequence = this.#sequenceOf(frame)
      if (sequence === null || sequence <= this.#after) continue
      this.#isPast = true
      return frame
    }
  }

  end(): StreamEnd | null {
    return this.#reader.end()
  }

  detach(): void {
    this.#reader.detach()
  }
}
