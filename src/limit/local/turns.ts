// Whose turn it is, in shared memory: the key that was admitted longest ago is next. So each waiting key is admitted once before
// any other is admitted twice, on however many event loops they wait, and a key that comes for the first time goes ahead of
// every second request. There is no list: one count of admissions, and for each key its value at the last one.
//
//   Int32  admissions | last turn of each key, and of callers without one | waiters of each, over all event loops
//          waiters of each block of keys of a database: of a hundred thousand keys few wait, and these are found by their block
import { isAccountIndex, type LimitedAccounts, slotOfIndex } from '../limiter.js'

/** Cells before those of the keys. */
const ADMISSIONS = 0
const FIRST_KEY = 1

const BLOCK = 256

/** The place of each key by its index, and the maximum number of keys, those of a database included. */
export type TurnPlaces = {
  readonly keys: readonly number[]
  readonly room: { readonly keys: number }
  /** Absent without a database. */
  readonly accounts?: AccountPlaces
}

/** Where the keys of a database, and their teams, have their cells. */
export type AccountPlaces = {
  readonly firstKey: number
  readonly keys: number
  readonly firstTeam: number
  readonly teams: number
}

/** How many Int32 cells the turns of so many keys take, the last ones being keys of a database. */
export function turnCellCount(keys: number, accounts = 0): number {
  return FIRST_KEY + 2 * (keys + 1) + Math.ceil(accounts / BLOCK)
}

/** Waiters of the key at a place, over all event loops. */
export function waitersAt(cells: Int32Array, keys: number, place: number): number {
  return Atomics.load(cells, FIRST_KEY + keys + 1 + place)
}

/** A view of the shared turns; each event loop has its own. */
export class Turns {
  readonly #cells: Int32Array
  readonly #places: readonly number[]
  /** The place of all callers without a key, which count as one. */
  readonly #keyless: number
  readonly #waitersFrom: number
  readonly #blocksFrom: number
  readonly #accountPlaces: AccountPlaces | null
  readonly #accounts: LimitedAccounts | null

  constructor(cells: Int32Array, places: TurnPlaces, accounts: LimitedAccounts | null = null) {
    this.#cells = cells
    this.#places = places.keys
    this.#keyless = places.room.keys
    this.#waitersFrom = FIRST_KEY + places.room.keys + 1
    this.#blocksFrom = this.#waitersFrom + places.room.keys + 1
    this.#accountPlaces = places.accounts ?? null
    this.#accounts = accounts
  }

  /** The key was admitted: its next turn comes after those of all waiting keys. */
  take(keyIndex: number): void {
    const turn = Atomics.add(this.#cells, ADMISSIONS, 1) + 1
    Atomics.store(this.#cells, FIRST_KEY + this.#placeOf(keyIndex), turn)
  }

  /** Admissions since the key was last admitted, modulo 2^32, which is a day at 50,000 per second. */
  sinceLast(keyIndex: number): number {
    const last = Atomics.load(this.#cells, FIRST_KEY + this.#placeOf(keyIndex))
    return (Atomics.load(this.#cells, ADMISSIONS) - last) >>> 0
  }

  /** A waiter of the key has arrived (1) or left (-1). */
  count(keyIndex: number, by: 1 | -1): void {
    Atomics.add(this.#cells, this.#waitersFrom + this.#placeOf(keyIndex), by)
    if (!isAccountIndex(keyIndex)) return
    Atomics.add(this.#cells, this.#blocksFrom + Math.floor(slotOfIndex(keyIndex) / BLOCK), by)
  }

  /** Whether any event loop has a waiter of the key. */
  isAwaited(keyIndex: number): boolean {
    return Atomics.load(this.#cells, this.#waitersFrom + this.#placeOf(keyIndex)) > 0
  }

  /** All keys with a waiter on any event loop, by turn. O(keys); used when several loops have waiters. */
  awaited(): number[] {
    const keys: number[] = this.isAwaited(-1) ? [-1] : []
    for (let index = 0; index < this.#places.length; index++) if (this.isAwaited(index)) keys.push(index)
    if (this.#accountPlaces !== null) this.#addAwaitedAccounts(keys, this.#accountPlaces)
    return this.inOrder(keys)
  }

  /** Those that were deleted have no turn any more; their waiters are about to end. */
  #addAwaitedAccounts(keys: number[], { firstKey, keys: count }: AccountPlaces): void {
    for (let block = 0; block * BLOCK < count; block++) {
      if (Atomics.load(this.#cells, this.#blocksFrom + block) <= 0) continue
      const end = Math.min(count, (block + 1) * BLOCK)
      for (let slot = block * BLOCK; slot < end; slot++) {
        if (Atomics.load(this.#cells, this.#waitersFrom + firstKey + slot) <= 0) continue
        const listed = this.#accounts?.bySlot(slot) ?? null
        if (listed !== null) keys.push(listed.index)
      }
    }
  }

  /** Sorts the given list of keys by turn, never admitted ones first. */
  inOrder(keys: number[]): number[] {
    const ages = new Map(keys.map((key) => [key, this.sinceLast(key)]))
    return keys.sort((a, b) => (ages.get(b) ?? 0) - (ages.get(a) ?? 0))
  }

  #placeOf(keyIndex: number): number {
    if (this.#accountPlaces !== null && isAccountIndex(keyIndex))
      return this.#accountPlaces.firstKey + slotOfIndex(keyIndex)
    return this.#places[keyIndex] ?? this.#keyless
  }
}
