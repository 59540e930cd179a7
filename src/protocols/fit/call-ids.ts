// Ids for calls of tools on wires whose clients may leave them out. A result without one belongs to the oldest call of its tool that has
// none yet, so that both decode to the same ids each time.

/** For the calls and results of one conversation, in their order. */
export class CallIds {
  readonly #taken: ReadonlySet<string>
  /** Calls without a result so far. */
  #open: { readonly name: string; readonly id: string }[] = []
  #made = 0

  /** `taken`: all ids that the conversation has. */
  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken)
  }

  /** The id of a call. */
  called(name: string, id: string | null): string {
    const known = id ?? this.#make()
    this.#open.push({ name, id: known })
    return known
  }

  /** The id of the call that a result answers; `name` is null if the result does not have it. */
  answered(name: string | null, id: string | null): string {
    const at = this.#open.findIndex((call) => (id === null ? name === null || call.name === name : call.id === id))
    const [call] = at < 0 ? [] : this.#open.splice(at, 1)
    return id ?? call?.id ?? this.#make()
  }

  #make(): string {
    let id = `call_${this.#made++}`
    while (this.#taken.has(id)) id = `call_${this.#made++}`
    return id
  }
}
