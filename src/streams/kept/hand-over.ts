// Sends the readers of a draining node to another one. A reader whose client can come back stops between two frames, waits until every
// frame that its client was sent is where other nodes find it, and is then cut: nothing is missing, nothing comes twice.
//
//   reading --begin--> stopped --stored--> moved: its connection is cut
//              ^--------- not in time ---'
import { type FrameReader, type StreamEnd } from '../reader.js'

/** How long a client sees nothing for it, and after what time it is tried again. */
const PATIENCE_MS = 2000
const RETRY_MS = 1000

export type Movable = {
  readonly reader: FrameReader
  readonly onReadable: () => void
  /** Resolves with true when other nodes have all frames before this number; with false if they will not. */
  readonly stored: (number: number) => Promise<boolean>
}

/** All readers of one event loop that can be moved. */
export class HandOver {
  readonly #readers = new Set<MovableReader>()
  #isOn = false

  /** A reader in its place, which can be moved. */
  hold(movable: Movable): FrameReader {
    const reader = new MovableReader(movable, () => this.#readers.delete(reader))
    this.#readers.add(reader)
    if (this.#isOn) void reader.move()
    return reader
  }

  /** Moves all of them, and each further one as it comes. */
  begin(): void {
    this.#isOn = true
    for (const reader of [...this.#readers]) void reader.move()
  }
}

class MovableReader implements FrameReader {
  readonly #movable: Movable
  readonly #onGone: () => void
  #isStopped = false
  #isDetached = false
  isMoved = false

  constructor(movable: Movable, onGone: () => void) {
    this.#movable = movable
    this.#onGone = onGone
  }

  get offset(): number {
    return this.#movable.reader.offset
  }

  get isCut(): boolean {
    return this.isMoved || this.#movable.reader.isCut
  }

  read(): Uint8Array | null {
    return this.#isStopped ? null : this.#movable.reader.read()
  }

  end(): StreamEnd | null {
    return this.#isStopped ? null : this.#movable.reader.end()
  }

  detach(): void {
    this.#isDetached = true
    this.#movable.reader.detach()
    this.#onGone()
  }

  /** Tries until it is moved or has left. */
  async move(): Promise<void> {
    while (!this.#isDetached && !this.isMoved) {
      this.#isStopped = true
      const isStored = await Promise.race([this.#movable.stored(this.offset), pause(PATIENCE_MS)])
      if (this.#isDetached) return
      this.isMoved = isStored === true
      this.#isStopped = this.isMoved
      this.#movable.onReadable()
      if (!this.isMoved) await pause(RETRY_MS)
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
