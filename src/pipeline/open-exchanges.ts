// The exchanges of one event loop that have begun and not settled. An array, not a Set: a Set that is constantly filled and emptied
// leaves outgrown tables behind, which keep their former entries from the young generation's collector; that moved 7 KB per request
// into the old generation (Node 20.20, --trace-gc).

/** An entry: an object that stores its own index. */
export type Placed = {
  /** Owned by OpenExchanges; -1 outside. */
  openAt: number
}

export class OpenExchanges<T extends Placed> {
  readonly #all: T[] = []

  get size(): number {
    return this.#all.length
  }

  add(exchange: T): void {
    exchange.openAt = this.#all.length
    this.#all.push(exchange)
  }

  /** No effect if it is not in the list. The last entry takes its index. */
  remove(exchange: T): void {
    const at = exchange.openAt
    if (this.#all[at] !== exchange) return
    const last = this.#all.pop()
    if (last !== undefined && last !== exchange) {
      this.#all[at] = last
      last.openAt = at
    }
    exchange.openAt = -1
  }

  /** A copy of the list, which does not change as exchanges leave. */
  list(): readonly T[] {
    return [...this.#all]
  }
}
