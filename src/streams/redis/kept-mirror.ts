// A kept stream of this loop on its way to Redis: it reads along, from memory, and tells the stream of readers on other nodes.
import { type KeptStream } from '../kept/kept-stream.js'
import { type FrameReader } from '../reader.js'
import { type StreamStore } from './stream-store.js'
import { type FrameSource, type StoreResult, type StreamWriter } from './stream-writer.js'

/** The part of a kept stream that a mirror needs. */
export type Mirrored = Pick<KeptStream, 'facts' | 'first' | 'next' | 'observe' | 'hold' | 'cancel'>

export type MirrorOptions = {
  readonly keepMs: number
  readonly onOver: (result: StoreResult) => void
}

/** Stores the stream from its first frame on, until its end is stored as well. */
export function mirror(
  stream: Mirrored,
  store: Pick<StreamStore, 'write'>,
  { keepMs, onOver }: MirrorOptions,
): StreamWriter {
  const source = new MirrorSource(stream)
  let release: (() => void) | null = null
  const writer = store.write({
    facts: stream.facts,
    source,
    keepMs,
    onRemoteReaders(areThere) {
      release?.()
      release = areThere ? stream.hold() : null
    },
    onCancel: () => stream.cancel(),
    onOver(result) {
      watch.detach()
      source.close()
      onOver(result)
    },
  })
  const watch = new MirrorWatch(stream, writer)
  return writer
}

/** Tells the writer how much there is, and when the stream ends. */
class MirrorWatch {
  readonly #stream: Mirrored
  readonly #writer: StreamWriter
  #reader: FrameReader

  constructor(stream: Mirrored, writer: StreamWriter) {
    this.#stream = stream
    this.#writer = writer
    this.#reader = this.#join(stream.first)
  }

  detach(): void {
    this.#reader.detach()
  }

  #join(offset: number): FrameReader {
    return this.#stream.observe({ offset, onReadable: () => this.#look() })
  }

  #look(): void {
    if (this.#reader.isCut) {
      this.#reader.detach()
      this.#reader = this.#join(this.#stream.first)
    }
    let bytes = 0
    for (let frame = this.#reader.read(); frame !== null; frame = this.#reader.read()) bytes += frame.length
    if (bytes > 0) this.#writer.appended(bytes)
    const end = this.#reader.end()
    if (end !== null) this.#writer.close(end)
  }
}

/** The frames of a stream by their numbers, mostly in order. */
class MirrorSource implements FrameSource {
  readonly #stream: Mirrored
  #reader: FrameReader | null = null

  constructor(stream: Mirrored) {
    this.#stream = stream
  }

  get first(): number {
    return this.#stream.first
  }

  get next(): number {
    return this.#stream.next
  }

  frame(number: number): Uint8Array | null {
    if (this.#reader?.offset !== number) {
      this.#reader?.detach()
      this.#reader = this.#stream.observe({ offset: number, onReadable: ignore })
    }
    return this.#reader?.read() ?? null
  }

  close(): void {
    this.#reader?.detach()
    this.#reader = null
  }
}

function ignore(): void {}
