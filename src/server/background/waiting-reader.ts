// A reader of a stream that does not exist yet: it has the first events, which say that the answer waits, and goes on with those of the
// kept stream when the run has begun, wherever that is.
//
//   created queued | --join--> kept stream from there on
//                  | --finish--> the last events, where none were kept
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'

export class WaitingReader implements FrameReader {
  readonly #frames: Uint8Array[]
  readonly #onReadable: () => void
  #offset = 0
  #reader: FrameReader | null = null
  #end: StreamEnd | null = null
  #isDetached = false

  constructor(frames: readonly Uint8Array[], onReadable: () => void) {
    this.#frames = [...frames]
    this.#onReadable = onReadable
    if (frames.length > 0) queueMicrotask(onReadable)
  }

  /** Its client has left. */
  get isDetached(): boolean {
    return this.#isDetached
  }

  get offset(): number {
    return this.#reader?.offset ?? this.#offset
  }

  get isCut(): boolean {
    return this.#reader?.isCut === true
  }

  get isMoved(): boolean {
    return this.#reader?.isMoved === true
  }

  /** Goes on with this one, which tells `onReadable` itself. */
  join(reader: FrameReader): void {
    if (this.#isDetached) reader.detach()
    else this.#reader = reader
    this.#onReadable()
  }

  /** There are no more events than these. */
  finish(frames: readonly Uint8Array[], end: StreamEnd): void {
    this.#frames.push(...frames)
    this.#end = end
    this.#onReadable()
  }

  read(): Uint8Array | null {
    const own = this.#frames.shift()
    if (own === undefined) return this.#reader?.read() ?? null
    this.#offset += 1
    return own
  }

  end(): StreamEnd | null {
    if (this.#frames.length > 0) return null
    return this.#reader === null ? this.#end : this.#reader.end()
  }

  detach(): void {
    this.#isDetached = true
    this.#reader?.detach()
  }
}
