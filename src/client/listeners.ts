// Typed listeners by name, for what one may watch but need not.

/** The listeners of one object. `Events`: name -> what a listener gets. */
export class Listeners<Events extends object> {
  readonly #byName = new Map<keyof Events, Set<(event: never) => void>>()

  /** Adds a listener; the function that is given back removes it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, listeners.add(listener))
    return () => void listeners.delete(listener)
  }

  /** True if there was a listener. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): boolean {
    const listeners = [...(this.#byName.get(name) ?? [])]
    for (const listener of listeners) (listener as (event: Events[Name]) => void)(event)
    return listeners.length > 0
  }
}
