// Whose turn it is, in shared memory: the key that was admitted longest ago is next. So each waiting key is admitted once before
// any other is admitted twice, on however many event loops they wait, and a key that comes for the first time goes ahead of
// every second request. There is no list: one count of admissions, and for each key its value at the last one.
//
//   Int32  admissions | last turn of each key, and of callers without one | waiters of each, over all event loops
/** Cells before those of the keys. */
const ADMISSIONS = 0
const FIRST_KEY = 1

/** The place of each key by its index, and the maximum number of keys. */
export type TurnPlaces = { readonly keys: readonly number[]; readonly room: { readonly keys: number } }

/** How many Int32 cells the turns of so many keys take. */
export function turnCellCount(keys: number): number {
  return FIRST_KEY + 2 * (keys + 1)
}

/** A view of the shared turns; each event loop has its own. */
export class Turns {
  readonly #cells: Int32Array
  readonly #places: readonly number[]
  /** The place of all callers without a key, which count as one. */
  readonly #keyless: number
  readonly #waitersFrom: number

  constructor(cells: Int32Array, places: TurnPlaces) {
    this.#cells = cells
    this.#places = places.keys
    this.#keyless = places.room.keys
    this.#waitersFrom = FIRST_KEY + places.room.keys + 1
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
  }

  /** Whether any event loop has a waiter of the key. */
  isAwaited(keyIndex: number): boolean {
    return Atomics.load(this.#cells, this.#waitersFrom + this.#placeOf(keyIndex)) > 0
  }

  /** All keys with a waiter on any event loop, by turn. O(keys); used when several loops have waiters. */
  awaited(): number[] {
    const keys: number[] = this.isAwaited(-1) ? [-1] : []
    for (let index = 0; index < this.#places.length; index++) if (this.isAwaited(index)) keys.push(index)
    return this.inOrder(keys)
  }

  /** Sorts the given list of keys by turn, never admitted ones first. */
  inOrder(keys: number[]): number[] {
    const ages = new Map(keys.map((key) => [key, this.sinceLast(key)]))
    return keys.sort((a, b) => (ages.get(b) ?? 0) - (ages.get(a) ?? 0))
  }

  #placeOf(keyIndex: number): number {
    return this.#places[keyIndex] ?? this.#keyless
  }
}
