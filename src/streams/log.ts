// The bounded log of one exchange's frames. The relay appends; readers (SSE, WebSocket, aggregator, ...) follow, each at its own
// offset. A slow reader lags behind and never slows the upstream down; one that falls out of the window is cut.
//
//   relay --append--> [ entry | entry | entry ] --read--> reader A (offset 3)
//                       ^start                  --read--> reader B (offset 1)
import { LogReader, type LogSource, type StreamEnd } from './reader.js'

export type StreamLogOptions = {
  /**
   * The maximum number of bytes at the end of a turn of the event loop: then the oldest entries over it are evicted, and readers that
   * have not read them are cut. Within the turn readers may catch up; otherwise an entry over the cap would reach no reader.
   */
  readonly capBytes: number
  /** Bytes that every reader has read, retained for readers that join late. */
  readonly retainBytes: number
  /** The overhead of an entry that counts towards the cap: ENTRY_COST_BYTES, as tiny frames take many times their bytes. */
  readonly entryCostBytes?: number
}

/** A view and its slot take 105 bytes of heap (100,000 of them, Node 20.20), its buffer as much again if it is not shared. */
export const ENTRY_COST_BYTES = 160

const EMPTY = new Uint8Array(0)
/** Its reactions are microtasks, without the async resource that queueMicrotask makes for each: 37 ns instead of 110 (Node 20.20). */
const SETTLED = Promise.resolve()
/** Dropped slots kept before the array is compacted: amortises the copy. */
const COMPACT_AT = 64

/** The log of one exchange. Entries belong to it from `append` on. */
export class StreamLog implements LogSource {
  readonly #options: StreamLogOptions
  readonly #onAbandoned: () => void
  readonly #readers: LogReader[] = []
  readonly #flush: () => void
  #entries: Uint8Array[] = []
  /** Entries before `#head` are dropped; the array is compacted now and then, so that trimming is O(1) amortised. */
  #head = 0
  /** Sequence number of the entry at `#head`. */
  #start = 0
  #bytes = 0
  #isFlushDue = false
  #isEvictionDue = false
  #end: StreamEnd | null = null

  /** `onAbandoned`: the last reader left before the end; the owner aborts the upstream. */
  constructor(options: StreamLogOptions, onAbandoned: () => void) {
    this.#options = options
    this.#onAbandoned = onAbandoned
    this.#flush = () => this.#notifyReaders()
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes
  }

  /** Sequence number of the next appended entry. */
  get next(): number {
    return this.#start + this.#entries.length - this.#head
  }

  get readerCount(): number {
    return this.#readers.length
  }

  /** Sequence number of the oldest entry held: the offset at which a late reader gets everything that is left. */
  get start(): number {
    return this.#start
  }

  /**
   * Joins at `offset`, by default the stream's beginning. At an offset that is already evicted the reader is cut: missing entries are
   * never skipped silently. `onReadable` must not throw.
   */
  attach(onReadable: () => void, offset = 0): LogReader {
    const reader = new LogReader(this, offset, onReadable)
    reader.isCut = offset < this.#start
    this.#readers.push(reader)
    if (this.next > offset || this.#end !== null) this.#scheduleFlush()
    return reader
  }

  /**
   * Takes ownership of `entry`, one or more whole frames. Readers are notified once, after the current tick's last append.
   * An entry over the cap reaches the readers that read it within the turn; it is not held for any others.
   */
  append(entry: Uint8Array): void {
    if (this.#end !== null || entry.length === 0) return
    this.#entries.push(entry)
    this.#bytes += entry.length
    if (this.#isOverCap()) this.#scheduleEviction()
    this.#scheduleFlush()
  }

  /** Closes the log; only the first end counts. Readers still get what they have not read. */
  close(end: StreamEnd): void {
    if (this.#end !== null) return
    this.#end = end
    this.#scheduleFlush()
  }

  /** Only for LogReader. */
  readFor(reader: LogReader): Uint8Array | null {
    if (reader.isCut || reader.offset >= this.next) return null
    const entry = this.#entries[this.#head + (reader.offset - this.#start)] ?? null
    reader.offset += 1
    this.#trim()
    return entry
  }

  /** Only for LogReader. */
  endFor(reader: LogReader): StreamEnd | null {
    return reader.offset >= this.next ? this.#end : null
  }

  /** Only for LogReader. */
  detach(reader: LogReader): void {
    const at = this.#readers.indexOf(reader)
    if (at < 0) return
    this.#readers.splice(at, 1)
    if (this.#readers.length > 0) this.#trim()
    else if (this.#end === null) this.#onAbandoned()
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    void SETTLED.then(this.#flush)
  }

  #notifyReaders(): void {
    this.#isFlushDue = false
    const [only] = this.#readers
    if (this.#readers.length === 1 && only !== undefined) {
      only.notify()
      return
    }
    // A reader may detach itself or others when notified, so this walks over a copy; detached readers ignore the call.
    for (const reader of [...this.#readers]) reader.notify()
  }

  /** Drops entries that all readers have read, except the last `retainBytes`. */
  #trim(): void {
    let oldest = this.next
    for (const reader of this.#readers) if (!reader.isCut && reader.offset < oldest) oldest = reader.offset
    while (this.#start < oldest) {
      const size = this.#entries[this.#head]?.length ?? 0
      if (this.#bytes - size < this.#options.retainBytes) break
      this.#dropFirst()
    }
  }

  #isOverCap(): boolean {
    const { capBytes, entryCostBytes = 0 } = this.#options
    const count = this.#entries.length - this.#head
    return count > 0 && this.#bytes + count * entryCostBytes > capBytes
  }

  #scheduleEviction(): void {
    if (this.#isEvictionDue) return
    this.#isEvictionDue = true
    setImmediate(() => this.#evict())
  }

  #evict(): void {
    this.#isEvictionDue = false
    while (this.#isOverCap()) this.#dropFirst()
    for (const reader of [...this.#readers]) {
      if (reader.isCut || reader.offset >= this.#start) continue
      reader.isCut = true
      reader.notify()
    }
    if (this.#readers.length > 0) this.#trim()
  }

  #dropFirst(): void {
    this.#bytes -= this.#entries[this.#head]?.length ?? 0
    this.#entries[this.#head] = EMPTY
    this.#head += 1
    this.#start += 1
    if (this.#head > COMPACT_AT && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}
