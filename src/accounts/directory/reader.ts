// One event loop's view of the directory. Accounts that it has seen lately are kept decoded; a version shows whether one has changed.
import { accountIndex, slotOfIndex } from '../../limit/limiter.js'
import { type Account } from '../types.js'
import {
  DIGEST_WORDS,
  type DirectoryMemory,
  decodeAccount,
  digestOfId,
  digestOfName,
  ENTRY,
  FREE,
  NO_TEAM,
  RECORD,
  SLOT,
  timeOfWords,
} from './memory.js'

/** An account as it is now, and where it has its limits. The same object as long as nothing of it changes. */
export type Listed = {
  readonly account: Account
  /** Of a key in the limits and in what a request bears: no other key ever has it. */
  readonly index: number
  readonly version: number
  /** Of its team; null without one. */
  readonly teamPlace: number | null
}

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT
const WORD_DIGITS = WORD_BYTES * 2
const CHAR_0 = 0x30
const CHAR_9 = 0x39
const CHAR_A = 0x61
/** Of each half of the cache: some MB a loop, whatever the number of keys. A key that is not in it is decoded in about 3 us. */
const HALF_CACHE = 4096

type Found = { readonly slot: number; readonly epoch: number; readonly untilMs: number }

export class DirectoryReader {
  readonly #table: Int32Array
  readonly #digests: Int32Array
  readonly #slots: Int32Array
  readonly #records: Int32Array
  readonly #moves: number
  readonly #mask: number
  readonly #wanted = new Int32Array(DIGEST_WORDS)
  /** The one that was asked for last: limits and budgets ask for the key of a request a dozen times. */
  #lastSlot = -1
  #last: Listed | null = null
  #recent = new Map<number, Listed>()
  #older = new Map<number, Listed>()

  constructor({ table, digests, slots, records }: DirectoryMemory) {
    this.#table = new Int32Array(table)
    this.#digests = new Int32Array(digests)
    this.#slots = new Int32Array(slots)
    this.#records = new Int32Array(records)
    this.#moves = this.#table.length - 1
    this.#mask = this.#moves - 1
  }

  /** `digest`: SHA-256, 64 hex digits in lower case. Null: no key has it, or none any more at `nowMs`. Whether the account may do anything is not its concern. */
  find(digest: string, nowMs: number): Listed | null {
    for (let i = 0; i < DIGEST_WORDS; i++) this.#wanted[i] = wordAt(digest, i * WORD_DIGITS)
    const found = this.#findDigest()
    if (found === null || found.untilMs <= nowMs) return null
    const listed = this.bySlot(found.slot)
    // Another one only where the key was deleted at this moment.
    return listed?.index === accountIndex(found.slot, found.epoch) ? listed : null
  }

  byId(id: string): Listed | null {
    return this.find(digestOfId(id), 0)
  }

  byName(name: string): Listed | null {
    return this.find(digestOfName(name), 0)
  }

  /** What the account of this index is now; null if it was deleted. */
  byIndex(index: number): Listed | null {
    const listed = this.bySlot(slotOfIndex(index))
    return listed?.index === index ? listed : null
  }

  bySlot(slot: number): Listed | null {
    const version = Atomics.load(this.#slots, slot * SLOT.words + SLOT.version)
    if (version === 0) return null
    if (slot === this.#lastSlot && this.#last?.version === version) return this.#last
    const known = this.#recent.get(slot)
    const listed = known !== undefined && known.version === version ? known : this.#lookAgain(slot)
    this.#lastSlot = slot
    this.#last = listed
    return listed
  }

  #lookAgain(slot: number): Listed | null {
    const older = this.#older.get(slot)
    const version = Atomics.load(this.#slots, slot * SLOT.words + SLOT.version)
    const listed = older !== undefined && older.version === version ? older : this.#read(slot)
    if (listed === null) return null
    if (this.#recent.size >= HALF_CACHE) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(slot, listed)
    return listed
  }

  /** A version that is the same after as before shows that the record was not replaced meanwhile: its memory was its own. */
  #read(slot: number): Listed | null {
    const at = slot * SLOT.words
    for (;;) {
      const version = Atomics.load(this.#slots, at + SLOT.version)
      if (version === 0) return null
      const block = Atomics.load(this.#slots, at + SLOT.record)
      const epoch = Atomics.load(this.#records, block + RECORD.epoch)
      const team = Atomics.load(this.#records, block + RECORD.team)
      const bytes = this.#copy(block)
      if (Atomics.load(this.#slots, at + SLOT.version) !== version) continue
      const index = accountIndex(slot, epoch)
      return Object.freeze({ account: decodeAccount(bytes), index, version, teamPlace: team === NO_TEAM ? null : team })
    }
  }

  #copy(block: number): Buffer {
    const bytes = Atomics.load(this.#records, block + RECORD.bytes)
    // What another thread has written over it may be no length at all.
    const words = Math.max(0, Math.min(Math.ceil(bytes / WORD_BYTES), this.#records.length - block - RECORD.words))
    const text = new Int32Array(words)
    for (let i = 0; i < words; i++) text[i] = Atomics.load(this.#records, block + RECORD.words + i)
    return Buffer.from(text.buffer, 0, Math.min(Math.max(0, bytes), words * WORD_BYTES))
  }

  #findDigest(): Found | null {
    for (;;) {
      const moves = Atomics.load(this.#table, this.#moves)
      const found = this.#probe()
      // It may have been moved to a place that this look-up had passed.
      if (found !== null || Atomics.load(this.#table, this.#moves) === moves) return found
    }
  }

  #probe(): Found | null {
    const table = this.#table
    for (let at = (this.#wanted[0] ?? 0) & this.#mask; ; ) {
      const entry = Atomics.load(table, at)
      if (entry === FREE) return null
      const from = (entry - 1) * ENTRY.words
      const generation = Atomics.load(this.#digests, from + ENTRY.generation)
      const found = this.#isWanted(from) ? this.#foundAt(from) : null
      // The table no longer names the entry, or it has become another one: what was read of it is worth nothing. In this order: by
      // the time the table names it again, its generation is another.
      if (Atomics.load(table, at) !== entry) continue
      if (Atomics.load(this.#digests, from + ENTRY.generation) !== generation) continue
      if (found !== null) return found
      at = (at + 1) & this.#mask
    }
  }

  #foundAt(from: number): Found {
    const digests = this.#digests
    return {
      slot: Atomics.load(digests, from + ENTRY.slot),
      epoch: Atomics.load(digests, from + ENTRY.epoch),
      untilMs: timeOfWords(Atomics.load(digests, from + ENTRY.untilHigh), Atomics.load(digests, from + ENTRY.untilLow)),
    }
  }

  /** In the same time, whichever of them differ. */
  #isWanted(from: number): boolean {
    let difference = 0
    for (let i = 0; i < DIGEST_WORDS; i++) difference |= Atomics.load(this.#digests, from + i) ^ (this.#wanted[i] ?? 0)
    return difference === 0
  }
}

/** The word of these hex digits, whose first byte is the least significant. */
function wordAt(digits: string, at: number): number {
  let word = 0
  for (let i = 0; i < WORD_BYTES; i++) {
    const byte = (numberOf(digits.charCodeAt(at + 2 * i)) << 4) | numberOf(digits.charCodeAt(at + 2 * i + 1))
    word |= byte << (8 * i)
  }
  return word
}

function numberOf(digit: number): number {
  return digit <= CHAR_9 ? digit - CHAR_0 : digit - CHAR_A + 10
}
