// Things in the order in which they came, of which any may leave, mostly the oldest. A linked list: a Set keeps the places of those that
// left at its beginning, and each look for the oldest would walk over them (15 % of the CPU of short kept streams).

/** The place of one of them. */
export type Link<T> = { readonly value: T; earlier: Link<T> | null; later: Link<T> | null; isIn: boolean }

export class EndedList<T> {
  #oldest: Link<T> | null = null
  #latest: Link<T> | null = null

  get oldest(): T | null {
    return this.#oldest?.value ?? null
  }

  add(value: T): Link<T> {
    const link: Link<T> = { value, earlier: this.#latest, later: null, isIn: true }
    if (this.#latest === null) this.#oldest = link
    else this.#latest.later = link
    this.#latest = link
    return link
  }

  /** Idempotent. */
  remove(link: Link<T>): void {
    if (!link.isIn) return
    const { earlier, later } = link
    link.isIn = false
    if (earlier === null) this.#oldest = later
    else earlier.later = later
    if (later === null) this.#latest = earlier
    else later.earlier = earlier
  }

  /** The oldest one of which this holds. */
  find(isWanted: (value: T) => boolean): T | null {
    let link = this.#oldest
    while (link !== null && !isWanted(link.value)) link = link.later
    return link?.value ?? null
  }
}
