// Memory that clients decide about: of requests that are still arriving (bodies of HTTP, messages of WebSockets), of what is fetched
// by the URLs in them, and of streams that are kept. Each use has a budget of its own, counted in shared memory for all event loops of the process, of
// each key and in all. Room is reserved before it is allocated.
//
//   Int32   in all | key ... by its place        in units of 1 KiB, so that a cell counts up to 2 TiB
//
// No number of keys takes all of it: a key may hold as much as it leaves free for the others, so n of them that take what they can
// leave an n+1st part (Choudhury and Hahne, "Dynamic queue length thresholds", 1998). Not where that would stop single requests.
//
// The cells survive a reload; a reservation is released in the cells from which it was taken, whatever the key's index is then.
import { GatewayError } from '../../errors.js'
import { isAccountIndex, slotOfIndex } from '../limiter.js'

const UNIT_BYTES = 1024
const ALL = 0
const FIRST_KEY = 1
/** A caller without a key: counted in the total only. */
const NO_CELL = -1
/** Uploads end, or are cut by the engine within seconds, and fetches have a time limit: by then there may be room. */
const RETRY_AFTER_MS = 1000

/** Whose memory it was. */
type MemoryScope = 'gateway' | 'key'

/** What the memory is for. */
export type MemoryUse = 'receiving' | 'fetched' | 'kept'

/** In all, of one key, and the most that one request takes. */
export type MemoryCaps = { readonly maxBytes: number; readonly maxBytesPerKey: number; readonly requestBytes: number }

/** The budget is shared where so many of the largest requests fit into it: one finds room beside two keys that take what they can. */
const LEAST_REQUESTS = 4

export type MemoryOptions = {
  readonly use: MemoryUse
  readonly caps: MemoryCaps
  /** The place of each key by its index. */
  readonly keyPlaces: readonly number[]
  /** The place of the first key of a database; null or absent without one. */
  readonly firstAccount?: number | null
  /** Bytes that were reserved (positive) or released (negative). */
  readonly onChange: (bytes: number) => void
  readonly onRejected: (scope: MemoryScope) => void
}

/** Memory for this many keys, shared by all event loops. */
export function createMemoryCells(keys: number): SharedArrayBuffer {
  return new SharedArrayBuffer((FIRST_KEY + keys) * Int32Array.BYTES_PER_ELEMENT)
}

/** Bytes that a place holds; for its next owner, which must not begin with them. */
export function heldAtPlace(cells: SharedArrayBuffer, place: number): number {
  return Atomics.load(new Int32Array(cells), FIRST_KEY + place) * UNIT_BYTES
}

/** One configuration's budget over the shared cells. */
export class MemoryBudget {
  readonly #options: MemoryOptions
  readonly #cells: Int32Array
  readonly #refusals: Readonly<Record<MemoryScope | 'share', GatewayError>>
  readonly #isShared: boolean

  constructor(cells: SharedArrayBuffer, options: MemoryOptions) {
    this.#options = options
    this.#cells = new Int32Array(cells)
    this.#refusals = createRefusals(options)
    const { caps, keyPlaces, firstAccount = null } = options
    const hasMany = keyPlaces.length > 1 || firstAccount !== null
    this.#isShared = hasMany && caps.maxBytes >= LEAST_REQUESTS * caps.requestBytes
  }

  /** A reservation of nothing yet, for one body, one socket or one fetch. Index -1: a caller without a key. */
  open(keyIndex: number): Reservation {
    return new Reservation(this, this.#cellOf(keyIndex))
  }

  #cellOf(keyIndex: number): number {
    const { keyPlaces, firstAccount = null } = this.#options
    if (!isAccountIndex(keyIndex)) {
      const place = keyPlaces[keyIndex]
      return place === undefined ? NO_CELL : FIRST_KEY + place
    }
    return firstAccount === null ? NO_CELL : FIRST_KEY + firstAccount + slotOfIndex(keyIndex)
  }

  /** Bytes reserved now, over all event loops. */
  heldBytes(): number {
    return Atomics.load(this.#cells, ALL) * UNIT_BYTES
  }

  /** Takes from both or neither, and counts a refusal. */
  take(keyCell: number, units: number): GatewayError | null {
    const limit = this.tryTake(keyCell, units)
    return limit === null ? null : this.#refuse(limit)
  }

  /** The same without an error: returns the limit that forbids it. The key first, so that a key at its cap never shows in the total. */
  tryTake(keyCell: number, units: number): MemoryScope | 'share' | null {
    const { caps, onChange } = this.#options
    if (keyCell !== NO_CELL && this.#isShared && !this.#isWithinShare(keyCell, units)) return 'share'
    if (keyCell !== NO_CELL && !this.#add(keyCell, units, caps.maxBytesPerKey)) return 'key'
    if (!this.#add(ALL, units, caps.maxBytes)) {
      if (keyCell !== NO_CELL) Atomics.sub(this.#cells, keyCell, units)
      return 'gateway'
    }
    onChange(units * UNIT_BYTES)
    return null
  }

  giveBack(keyCell: number, units: number): void {
    if (keyCell !== NO_CELL) Atomics.sub(this.#cells, keyCell, units)
    Atomics.sub(this.#cells, ALL, units)
    this.#options.onChange(-units * UNIT_BYTES)
  }

  #add(cell: number, units: number, capBytes: number): boolean {
    for (;;) {
      const held = Atomics.load(this.#cells, cell)
      if ((held + units) * UNIT_BYTES > capBytes) return false
      if (Atomics.compareExchange(this.#cells, cell, held, held + units) === held) return true
    }
  }

  /** Not exact over threads, as the caps are: at worst a key has what two of them let in at once. */
  #isWithinShare(keyCell: number, units: number): boolean {
    const held = Atomics.load(this.#cells, keyCell) + units
    const heldByAll = Atomics.load(this.#cells, ALL) + units
    return (held + heldByAll) * UNIT_BYTES <= this.#options.caps.maxBytes
  }

  #refuse(reason: MemoryScope | 'share'): GatewayError {
    this.#options.onRejected(reason === 'gateway' ? 'gateway' : 'key')
    return this.#refusals[reason]
  }
}

/** What one of them has reserved. */
export class Reservation {
  readonly #budget: MemoryBudget
  readonly #keyCell: number
  #units = 0

  /** Made by `MemoryBudget.open` alone. */
  constructor(budget: MemoryBudget, keyCell: number) {
    this.#budget = budget
    this.#keyCell = keyCell
  }

  /** Reserves up to `bytes` in total. Returns the error if there is no memory, and keeps what was reserved before. */
  grow(bytes: number): GatewayError | null {
    const units = Math.ceil(bytes / UNIT_BYTES) - this.#units
    if (units <= 0) return null
    const refusal = this.#budget.take(this.#keyCell, units)
    if (refusal === null) this.#units += units
    return refusal
  }

  /** The same without an error and without a count: returns whose limit forbids it. */
  claim(bytes: number): 'gateway' | 'key' | null {
    const units = Math.ceil(bytes / UNIT_BYTES) - this.#units
    if (units <= 0) return null
    const limit = this.#budget.tryTake(this.#keyCell, units)
    if (limit === null) this.#units += units
    return limit === null || limit === 'gateway' ? limit : 'key'
  }

  /** Releases what is reserved above `bytes`. */
  shrink(bytes: number): void {
    const units = this.#units - Math.ceil(bytes / UNIT_BYTES)
    if (units <= 0) return
    this.#budget.giveBack(this.#keyCell, units)
    this.#units -= units
  }

  /** Releases all of it. Idempotent. */
  release(): void {
    if (this.#units > 0) this.#budget.giveBack(this.#keyCell, this.#units)
    this.#units = 0
  }
}

/** Made once, since refusals may come in floods. */
function createRefusals({ use, caps }: MemoryOptions): Readonly<Record<MemoryScope | 'share', GatewayError>> {
  const { what, option, advice } = WORDS[use]
  const retryAfterMs = RETRY_AFTER_MS
  return {
    gateway: GatewayError.shared('overloaded', {
      message: `${what('')} use all ${caps.maxBytes} bytes of ${option}. Try again shortly.`,
      retryAfterMs,
    }),
    key: GatewayError.shared('rate_limited', {
      message: `${what(' of this key')} use all ${caps.maxBytesPerKey} bytes of ${option}PerKey. ${advice}`,
      retryAfterMs,
    }),
    share: GatewayError.shared('rate_limited', {
      message: `${what(' of this key')} use as much of the ${caps.maxBytes} bytes of ${option} as is left for all others. ${advice}`,
      retryAfterMs,
    }),
  }
}

const WORDS = {
  receiving: {
    what: (whose: string) => `Requests${whose} that are still being received`,
    option: 'server.maxReceivingBytes',
    advice: 'Send fewer at a time, or smaller ones.',
  },
  fetched: {
    what: (whose: string) => `Images and documents${whose} that are fetched by URL`,
    option: 'content.fetch.maxHeldBytes',
    advice: 'Send fewer requests at a time, or the content in base64.',
  },
  kept: {
    what: (whose: string) => `Kept streams${whose}`,
    option: 'streams.maxBytes',
    advice: 'They are given up when others need the memory.',
  },
} as const satisfies Record<MemoryUse, unknown>
