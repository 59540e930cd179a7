// How much the journals of all event loops take together, in one word of shared memory: a database that is away for long must not fill
// the disk.
import { type BudgetMemory, HEADER } from '../memory.js'

/** Counted in pages, so that a word is enough for 8 TiB. */
const PAGE_BYTES = 4096

export class JournalSpace {
  readonly #header: Int32Array
  readonly #maxPages: number

  constructor(memory: Pick<BudgetMemory, 'header'>, maxBytes: number) {
    this.#header = new Int32Array(memory.header)
    this.#maxPages = Math.floor(maxBytes / PAGE_BYTES)
  }

  /** Nothing more may be reserved. */
  get isFull(): boolean {
    return Atomics.load(this.#header, HEADER.journalPages) >= this.#maxPages
  }

  get bytes(): number {
    return Atomics.load(this.#header, HEADER.journalPages) * PAGE_BYTES
  }

  /** A journal has another length. */
  change(fromBytes: number, toBytes: number): void {
    const pages = Math.ceil(toBytes / PAGE_BYTES) - Math.ceil(fromBytes / PAGE_BYTES)
    if (pages !== 0) Atomics.add(this.#header, HEADER.journalPages, pages)
  }
}
