// One reader of a kept stream, at its own number. It pulls; the stream only notifies it that there is something to read.
import { type FrameReader, type StreamEnd } from '../reader.js'
import { type FrameCursor } from './frame-store.js'

/** What a reader needs of its stream. */
export type KeptSource = {
  readFor(reader: KeptReader): Uint8Array | null
  endFor(reader: KeptReader): StreamEnd | null
  detach(reader: KeptReader): void
}

export type KeptReaderOptions = {
  readonly cursor: FrameCursor
  readonly callbacks: { readonly onReadable: () => void; readonly onKeepalive: () => void }
  /** Bytes of all frames that there were when it joined. */
  readonly joinedAtBytes: number
  /** A client reads it; otherwise a copy of the stream. */
  readonly isClient: boolean
  /** The client knows how to come back. */
  readonly canReturn: boolean
  readonly takesRuns: boolean
}

/** Made by KeptStream. */
export class KeptReader implements FrameReader {
  readonly #stream: KeptSource
  readonly #callbacks: KeptReaderOptions['callbacks']
  readonly cursor: FrameCursor
  readonly joinedAtBytes: number
  readonly isClient: boolean
  readonly canReturn: boolean
  readonly takesRuns: boolean
  /** Set by the stream. */
  isCut = false
  #isDetached = false

  constructor(stream: KeptSource, options: KeptReaderOptions) {
    const { cursor, callbacks, joinedAtBytes, isClient, canReturn, takesRuns } = options
    this.#stream = stream
    this.#callbacks = callbacks
    this.cursor = cursor
    this.joinedAtBytes = joinedAtBytes
    this.isClient = isClient
    this.canReturn = canReturn
    this.takesRuns = takesRuns
  }

  get offset(): number {
    return this.cursor.offset
  }

  read(): Uint8Array | null {
    return this.#isDetached ? null : this.#stream.readFor(this)
  }

  end(): StreamEnd | null {
    return this.#stream.endFor(this)
  }

  detach(): void {
    this.#isDetached = true
    this.#stream.detach(this)
  }

  /** There is something to read, or it was cut. */
  notify(): void {
    if (!this.#isDetached) this.#callbacks.onReadable()
  }

  /** The stream was silent for long. */
  keepalive(): void {
    if (!this.#isDetached) this.#callbacks.onKeepalive()
  }
}
