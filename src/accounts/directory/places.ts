// Which places of the limits' cells are free, for the directory's writer. A place is used again only when nothing of its former owner
// runs any more, and then begins as if it were new; the ones that were never used come first, then those that are free for longest.

/** The cells of places, as far as their use decides whether a place may change its owner. */
export type PlaceCells = {
  /** Nothing of its former owner runs, waits or holds memory. */
  isIdle(place: number): boolean
  /** All buckets are full again. */
  clear(place: number): void
}

/** Beyond it epochs begin again: an index must stay an exact number. */
const EPOCHS = 2 ** 24

/** How many places that are still busy are passed over in one search: 0.1 ms. The next search begins behind them. */
const MAX_LOOKS = 1000

export class Places {
  readonly capacity: number
  readonly #cells: PlaceCells | null
  readonly #epochs: Int32Array
  /** In the order in which they became free; a map, since an owner may come back to its own. */
  readonly #free = new Map<number, string | null>()
  readonly #byOwner = new Map<string, number>()
  #next = 0

  constructor(capacity: number, cells: PlaceCells | null = null) {
    this.capacity = capacity
    this.#cells = cells
    this.#epochs = new Int32Array(capacity)
  }

  /** Whether so many more can be taken at once. */
  hasRoom(count: number): boolean {
    let missing = count - (this.capacity - this.#next)
    if (missing <= 0) return true
    if (missing === 1) return this.#firstIdle() !== null
    let looks = 0
    for (const place of this.#free.keys()) {
      if (this.#isIdle(place)) missing -= 1
      looks += 1
      if (missing === 0) return true
      if (looks >= MAX_LOOKS + count) break
    }
    return false
  }

  /** Whether all of these can have a place at once, beside those that have one. */
  hasRoomFor(owners: ReadonlySet<string>): boolean {
    const [first] = owners
    if (owners.size === 1 && first !== undefined && this.#byOwner.has(first)) return true
    return this.hasRoom(owners.size)
  }

  /** There must be room. */
  take(): { readonly place: number; readonly epoch: number } {
    const place = this.#next < this.capacity ? this.#next : (this.#firstIdle() ?? 0)
    if (place === this.#next) this.#next += 1
    else this.#takeOver(place)
    return { place, epoch: this.#epochs[place] ?? 0 }
  }

  give(place: number): void {
    this.#free.set(place, null)
  }

  /** The place of an owner: the one that it has or had last, as long as no other has it. */
  takeFor(owner: string): number {
    const known = this.#byOwner.get(owner)
    if (known !== undefined) {
      this.#free.delete(known)
      return known
    }
    const { place } = this.take()
    this.#byOwner.set(owner, place)
    return place
  }

  giveFor(owner: string): void {
    const place = this.#byOwner.get(owner)
    if (place !== undefined) this.#free.set(place, owner)
  }

  #takeOver(place: number): void {
    const former = this.#free.get(place) ?? null
    if (former !== null) this.#byOwner.delete(former)
    this.#free.delete(place)
    this.#epochs[place] = ((this.#epochs[place] ?? 0) + 1) % EPOCHS
    this.#cells?.clear(place)
  }

  #isIdle(place: number): boolean {
    return this.#cells === null || this.#cells.isIdle(place)
  }

  #firstIdle(): number | null {
    let looks = 0
    for (const [place, owner] of this.#free) {
      if (this.#isIdle(place)) return place
      looks += 1
      if (looks > Math.min(MAX_LOOKS, this.#free.size)) break
      this.#free.delete(place)
      this.#free.set(place, owner)
    }
    return null
  }
}
