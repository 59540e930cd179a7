// The writer's side of the digests: entries that are whole before the table names them, and never change while it does.
import { GatewayError } from '../../errors.js'
import { DIGEST_WORDS, type DirectoryMemory, ENTRY, FREE, wordsOfTime } from './memory.js'

/** What an entry finds. */
export type DigestTarget = { readonly slot: number; readonly epoch: number; readonly validUntilMs: number | null }

export class DigestTable {
  readonly #table: Int32Array
  readonly #entries: Int32Array
  /** The place of the count of moves, behind the table. */
  readonly #moves: number
  readonly #mask: number
  readonly #capacity: number
  readonly #returned: number[] = []
  #next = 0

  constructor({ table, digests }: DirectoryMemory) {
    this.#table = new Int32Array(table)
    this.#entries = new Int32Array(digests)
    this.#moves = this.#table.length - 1
    this.#mask = this.#moves - 1
    this.#capacity = this.#entries.length / ENTRY.words
  }

  /** Further digests for which there is room. */
  get room(): number {
    return this.#capacity - this.#next + this.#returned.length
  }

  /**
   * A digest that is there already is replaced, in one step for its readers.
   * @throws storage_full
   */
  set(digest: string, target: DigestTarget): void {
    const words = wordsOf(digest)
    const entry = this.#write(words, target)
    const { found, free } = this.#find(words)
    const former = found === null ? FREE : (this.#table[found] ?? FREE)
    Atomics.store(this.#table, found ?? free, entry + 1)
    if (found !== null) this.#returned.push(former - 1)
  }

  /** No effect if it is not there. */
  remove(digest: string): void {
    const { found } = this.#find(wordsOf(digest))
    if (found === null) return
    const entry = (this.#table[found] ?? FREE) - 1
    this.#close(found)
    this.#returned.push(entry)
  }

  /** An entry of its own. Readers may still look at one that was returned: its generation changes before it does, and again after. */
  #write(words: Int32Array, { slot, epoch, validUntilMs }: DigestTarget): number {
    const entry = this.#returned.shift() ?? this.#fresh()
    const from = entry * ENTRY.words
    Atomics.add(this.#entries, from + ENTRY.generation, 1)
    for (let i = 0; i < DIGEST_WORDS; i++) Atomics.store(this.#entries, from + i, words[i] ?? 0)
    const [high, low] = wordsOfTime(validUntilMs)
    Atomics.store(this.#entries, from + ENTRY.slot, slot)
    Atomics.store(this.#entries, from + ENTRY.epoch, epoch)
    Atomics.store(this.#entries, from + ENTRY.untilHigh, high)
    Atomics.store(this.#entries, from + ENTRY.untilLow, low)
    Atomics.add(this.#entries, from + ENTRY.generation, 1)
    return entry
  }

  #fresh(): number {
    if (this.#next === this.#capacity) throw new GatewayError('storage_full')
    this.#next += 1
    return this.#next - 1
  }

  /** Where the digest is, and where it would be put. The table is at most half full, so there is always a free place. */
  #find(words: Int32Array): { readonly found: number | null; readonly free: number } {
    for (let at = (words[0] ?? 0) & this.#mask; ; at = (at + 1) & this.#mask) {
      const entry = this.#table[at] ?? FREE
      if (entry === FREE) return { found: null, free: at }
      if (this.#is(entry - 1, words)) return { found: at, free: at }
    }
  }

  #is(entry: number, words: Int32Array): boolean {
    const from = entry * ENTRY.words
    for (let i = 0; i < DIGEST_WORDS; i++) if (this.#entries[from + i] !== words[i]) return false
    return true
  }

  /**
   * Frees a place, and moves what comes after it up to where its look-ups would end now. For a moment it stands in both places; a
   * reader that was between them may miss it, and sees by `moves` that it has to look again.
   */
  #close(freed: number): void {
    let gap = freed
    for (let at = (gap + 1) & this.#mask; this.#table[at] !== FREE; at = (at + 1) & this.#mask) {
      const entry = this.#table[at] ?? FREE
      const home = (this.#entries[(entry - 1) * ENTRY.words] ?? 0) & this.#mask
      if (((at - home) & this.#mask) < ((at - gap) & this.#mask)) continue
      Atomics.store(this.#table, gap, entry)
      Atomics.add(this.#table, this.#moves, 1)
      gap = at
    }
    Atomics.store(this.#table, gap, FREE)
  }
}

function wordsOf(digest: string): Int32Array {
  const bytes = Buffer.from(digest, 'hex')
  const words = new Int32Array(DIGEST_WORDS)
  for (let i = 0; i < DIGEST_WORDS; i++) words[i] = bytes.readInt32LE(i * Int32Array.BYTES_PER_ELEMENT)
  return words
}
