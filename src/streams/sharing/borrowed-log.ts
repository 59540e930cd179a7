// The log of an exchange that is answered from another one's frames: a running stream that it follows, one that it repeats, or a cached
// one. It holds nothing. Its one reader reads through to the source, until the source ends or the exchange itself is ended.
//
//   source --frames--> BorrowedReader --> client's sink          close(end): the reader ends with that end, wherever it is
import { type FrameReader, type StreamEnd } from '../reader.js'

/** Joins the source at the number at which the exchange reads. */
export type JoinSource = (onReadable: () => void) => FrameReader

export class BorrowedLog {
  readonly #join: JoinSource
  #reader: BorrowedReader | null = null
  #seen = 0

  constructor(join: JoinSource) {
    this.#join = join
  }

  /** Number of the next frame that its reader gets. */
  get next(): number {
    return this.#reader?.offset ?? 0
  }

  /** The end that its reader has reached; null before. */
  get streamEnd(): StreamEnd | null {
    return this.#reader?.reached ?? null
  }

  /** True if frames were read since the last call. */
  hasMoved(): boolean {
    const { next } = this
    const hasMoved = next !== this.#seen
    this.#seen = next
    return hasMoved
  }

  /** Once: it has one reader. */
  attach(onReadable: () => void): FrameReader {
    this.#reader = new BorrowedReader(this.#join(onReadable), onReadable)
    return this.#reader
  }

  /** Nothing is appended to it. */
  append(): void {}

  /** Ends it for its reader, whatever the source does; the source goes on. */
  close(end: StreamEnd): void {
    this.#reader?.close(end)
  }
}

class BorrowedReader implements FrameReader {
  readonly #reader: FrameReader
  readonly #onReadable: () => void
  #closed: StreamEnd | null = null
  reached: StreamEnd | null = null

  constructor(reader: FrameReader, onReadable: () => void) {
    this.#reader = reader
    this.#onReadable = onReadable
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
    return this.#closed === null ? this.#reader.read() : null
  }

  end(): StreamEnd | null {
    if (this.#closed !== null) return this.#closed
    this.reached = this.#reader.end()
    return this.reached
  }

  detach(): void {
    this.#reader.detach()
  }

  close(end: StreamEnd): void {
    this.#closed ??= end
    this.#onReadable()
  }
}
