// All readers of stored logs on one event loop. They are read for together, one call at a time; a doorbell says which logs have more,
// and because a doorbell may be lost, every hungry reader asks with each beat as well. A log with readers here is attached to its
// writer, again and again, so that the writer knows of them.
import { type StoredLog } from './stored-log.js'
import { type Page, type ReaderOwner, type ReadOptions, StoredReader } from './stored-reader.js'

/** Readers of one call. */
const MAX_READERS = 64
/** Attachments are renewed by every second beat. */
const BEATS_PER_RENEWAL = 2

export type StoredReadersOptions = {
  readonly isUp: () => boolean
  readonly nowMs: () => number
  readonly leaseMs: number
  /** A client gets a keepalive after so long without a frame. */
  readonly keepaliveMs: () => number
  /** Resolves with a page, or null for a log that is not there, for each. */
  readonly read: (wants: readonly { id: string; from: number }[]) => Promise<readonly (Page | null)[]>
  /** There are readers here of these logs. */
  readonly attach: (ids: readonly string[]) => void
  readonly detach: (id: string) => void
}

/** The part of a log that its readers need. */
type ReadLog = Pick<StoredLog, 'note'> & { readonly facts: { readonly id: string } }

export class StoredReaders implements ReaderOwner {
  readonly #options: StoredReadersOptions
  readonly #readers = new Map<string, Set<StoredReader>>()
  readonly #wanting = new Set<StoredReader>()
  readonly #send: () => void
  #isDue = false
  #isReading = false
  #beats = 0

  constructor(options: StoredReadersOptions) {
    this.#options = options
    this.#send = () => {
      this.#isDue = false
      if (!this.#isReading && this.#wanting.size > 0 && this.#options.isUp()) void this.#read()
    }
  }

  /** Readers that are attached. */
  get count(): number {
    let count = 0
    for (const readers of this.#readers.values()) count += readers.size
    return count
  }

  /** Those of one log. */
  countOf(id: string): number {
    return this.#readers.get(id)?.size ?? 0
  }

  /** A reader; it is notified as soon as Redis has answered. */
  open(log: ReadLog, options: ReadOptions): StoredReader {
    const { nowMs, leaseMs } = this.#options
    const { id } = log.facts
    const reader = new StoredReader(id, options, { owner: this, log, nowMs: nowMs(), leaseMs })
    const readers = this.#readers.get(id)
    if (readers === undefined) {
      this.#readers.set(id, new Set([reader]))
      this.#options.attach([id])
    } else readers.add(reader)
    this.want(reader)
    return reader
  }

  want(reader: StoredReader): void {
    this.#wanting.add(reader)
    this.#readSoon()
  }

  leave(reader: StoredReader): void {
    this.#wanting.delete(reader)
    const readers = this.#readers.get(reader.id)
    if (readers === undefined || !readers.delete(reader) || readers.size > 0) return
    this.#readers.delete(reader.id)
    this.#options.detach(reader.id)
  }

  /** A doorbell. */
  ring(id: string): void {
    for (const reader of this.#readers.get(id) ?? []) reader.ring()
  }

  /** A beat: doorbells may have been lost, and attachments end. */
  beat(): void {
    this.#beats += 1
    this.poll(this.#beats % BEATS_PER_RENEWAL === 0)
  }

  /** Asks for all that may have more. `isRenewal`: their writers are told of them, too. */
  poll(isRenewal: boolean): void {
    const nowMs = this.#options.nowMs()
    const keepaliveMs = this.#options.keepaliveMs()
    const open: string[] = []
    for (const [id, readers] of this.#readers) {
      let isOpen = false
      for (const reader of [...readers]) {
        reader.checkSilence(nowMs, keepaliveMs)
        if (reader.isHungry) this.#wanting.add(reader)
        isOpen ||= !reader.isSated
      }
      if (isOpen) open.push(id)
    }
    if (open.length > 0 && isRenewal) this.#options.attach(open)
    this.#readSoon()
  }

  /** In the next turn: what rings in this one is read for together. */
  #readSoon(): void {
    if (this.#isDue || this.#isReading || this.#wanting.size === 0) return
    this.#isDue = true
    setImmediate(this.#send)
  }

  async #read(): Promise<void> {
    this.#isReading = true
    const readers: StoredReader[] = []
    for (const reader of this.#wanting) {
      if (readers.length === MAX_READERS) break
      this.#wanting.delete(reader)
      readers.push(reader)
    }
    let pages: readonly (Page | null)[] = []
    try {
      pages = await this.#options.read(readers.map((reader) => ({ id: reader.id, from: reader.ask() })))
    } catch {
      // The link tells; they ask again with the next poll.
    }
    this.#isReading = false
    const nowMs = this.#options.nowMs()
    for (const [index, reader] of readers.entries()) {
      const page = pages[index]
      if (page !== undefined) reader.take(page, nowMs)
    }
    this.#readSoon()
  }
}
