// A watched stream as server-sent events, for the sink of an operator's connection, which reads them at its own pace.
//
//   frames of the client's API --> event: stream | frames ... | end

import { NO_USAGE } from '../../model/usage.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'
import { type WatchedStream } from '../loops/loop-calls.js'

/** The stream of events is whole, whatever became of the watched one. */
const COMPLETE: StreamEnd = Object.freeze({
  outcome: 'complete',
  error: null,
  usage: NO_USAGE,
  usageSource: 'estimated',
})

export class EventReader implements FrameReader {
  readonly #node: string
  readonly #decoder = new TextDecoder()
  #stream: WatchedStream | null = null
  #onReadable: (() => void) | null = null
  #hasBegun = false
  #isOver = false
  #stopReason: string | null = null
  offset = 0
  readonly isCut = false

  constructor(node: string) {
    this.#node = node
  }

  /** The stream has something to read, or has ended. */
  poke(): void {
    this.#onReadable?.()
  }

  /** The watch ends, for this reason; the stream goes on. */
  stop(reason: string): void {
    this.#stopReason = reason
    this.#onReadable?.()
  }

  /** `onReadable` is called soon, as there is an event to begin with. */
  begin(stream: WatchedStream, onReadable: () => void): this {
    this.#stream = stream
    this.#onReadable = onReadable
    queueMicrotask(onReadable)
    return this
  }

  read(): Uint8Array | null {
    const stream = this.#stream
    if (stream === null || this.#isOver) return null
    this.offset += 1
    if (!this.#hasBegun) {
      this.#hasBegun = true
      return event('stream', { ...stream.entry, node: this.#node })
    }
    if (this.#stopReason !== null) return this.#last('cut', { reason: this.#stopReason })
    const frames = stream.read()
    if (frames !== null) return event('frames', this.#shown(stream, frames))
    if (stream.isCut) return this.#last('cut', { reason: 'The watcher did not keep up with the stream.' })
    if (stream.end === null) return null
    const { outcome, status, error } = stream.end
    return this.#last('end', {
      outcome,
      status,
      error: error === null ? null : { code: error.code, message: error.message },
    })
  }

  end(): StreamEnd | null {
    return this.#isOver ? COMPLETE : null
  }

  detach(): void {
    this.#onReadable = null
    this.#stream?.detach()
  }

  #last(name: string, value: object): Uint8Array {
    this.#isOver = true
    return event(name, value)
  }

  /** Frames are whole, but several of another event loop may come in parts. */
  #shown({ entry }: WatchedStream, frames: Uint8Array): object {
    if (entry.transport === 'bytes') return { bytes: frames.length }
    return { text: this.#decoder.decode(frames, { stream: true }) }
  }
}

function event(name: string, value: object): Uint8Array {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`)
}
