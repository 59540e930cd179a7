// The nodes that read a stream, as its writer knows them: each for the length of a lease, which it renews while it has readers.

export class RemoteNodes {
  readonly #onChange: (areThere: boolean) => void
  readonly #dueMs = new Map<string, number>()

  /** `onChange`: the first node has attached, or the last one has left. */
  constructor(onChange: (areThere: boolean) => void) {
    this.#onChange = onChange
  }

  /** Until `dueMs`, unless it is renewed. */
  attach(node: string, dueMs: number): void {
    const wasEmpty = this.#dueMs.size === 0
    this.#dueMs.set(node, dueMs)
    if (wasEmpty) this.#onChange(true)
  }

  detach(node: string): void {
    if (this.#dueMs.delete(node) && this.#dueMs.size === 0) this.#onChange(false)
  }

  /** Forgets those whose lease is over. */
  sweep(nowMs: number): void {
    for (const [node, dueMs] of this.#dueMs) if (dueMs <= nowMs) this.detach(node)
  }

  clear(): void {
    for (const node of [...this.#dueMs.keys()]) this.detach(node)
  }
}
