// A stream of another node as this one knows it from Redis: a snapshot of its numbers and its end, and the way to read it.
import { type StreamEnd } from '../reader.js'
import { decodeEnd } from './stored-end.js'
import { type ReadOptions, type StoredReader } from './stored-reader.js'
import { type StoredFacts } from './stream-writer.js'

export type StoredLogOptions<Facts extends StoredFacts> = {
  readonly facts: Facts
  readonly first: number
  readonly next: number
  readonly ending: string
  readonly open: (id: string, options: ReadOptions) => StoredReader
  readonly cancel: (id: string) => void
}

export class StoredLog<Facts extends StoredFacts> {
  readonly facts: Facts
  /** Number of the oldest frame held. */
  readonly first: number
  /** Number that the next frame gets; after a failure, that of the error frame. */
  readonly next: number
  readonly streamEnd: StreamEnd | null
  readonly #options: StoredLogOptions<Facts>

  /** As of now: a reader learns what comes later. */
  constructor(options: StoredLogOptions<Facts>) {
    const stored = decodeEnd(options.ending)
    this.facts = options.facts
    this.first = options.first
    this.next = options.next + (stored?.beyond ?? 0)
    this.streamEnd = stored?.end ?? null
    this.#options = options
  }

  attach(options: ReadOptions): StoredReader {
    return this.#options.open(this.facts.id, options)
  }

  /** Cancels an open stream through its writer; forgets one that has ended. */
  cancel(): void {
    this.#options.cancel(this.facts.id)
  }
}
