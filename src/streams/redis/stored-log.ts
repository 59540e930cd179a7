// A stream of another node as this one knows it from Redis: its numbers and its end as they were last seen, and the way to read it.
import { type AttachOptions, type KeptFacts, MAX_READERS, type ReadableLog } from '../kept/readable-log.js'
import { type FrameReader, type StreamEnd } from '../reader.js'
import { decodeEnd } from './stored-end.js'

/** The state of a log, as Redis has it. */
export type StoredState = { readonly first: number; readonly next: number; readonly ending: string }

export type StoredLogOptions = {
  readonly facts: KeptFacts
  readonly state: StoredState
  readonly open: (log: StoredLog, options: AttachOptions) => FrameReader
  readonly cancel: (id: string) => void
  /** Readers that this event loop has of it. */
  readonly countReaders: (id: string) => number
}

export class StoredLog implements ReadableLog {
  readonly facts: KeptFacts
  readonly #options: StoredLogOptions
  #first = 0
  #next = 0
  #end: StreamEnd | null = null

  constructor(options: StoredLogOptions) {
    this.facts = options.facts
    this.#options = options
    this.note(options.state)
  }

  get first(): number {
    return this.#first
  }

  get next(): number {
    return this.#next
  }

  get streamEnd(): StreamEnd | null {
    return this.#end
  }

  get isCrowded(): boolean {
    return this.#options.countReaders(this.facts.id) >= MAX_READERS
  }

  attach(options: AttachOptions): FrameReader {
    return this.#options.open(this, options)
  }

  /** Cancels an open stream through its writer; forgets one that has ended. */
  cancel(): void {
    this.#options.cancel(this.facts.id)
  }

  /** Its readers have heard of it. */
  note({ first, next, ending }: StoredState): void {
    const stored = decodeEnd(ending)
    this.#first = first
    this.#next = next + (stored?.beyond ?? 0)
    this.#end = stored?.end ?? null
  }
}
