// Blocks of the directory's records, for its one writer. Of one memory that never grows: a block that is returned is used again for one
// of the same size, before the part that was never used.

/** 64 bytes: an account that changes a little mostly keeps its size. */
const STEP_WORDS = 16

export class Arena {
  readonly #words: number
  /** Returned blocks by their size in steps. */
  readonly #returned = new Map<number, number[]>()
  #next = 0

  constructor(words: number) {
    this.#words = words
  }

  /** The word at which a block of so many words begins; null if there is no room. */
  take(words: number): number | null {
    const steps = stepsOf(words)
    const known = this.#returned.get(steps)?.pop()
    if (known !== undefined) return known
    if (!this.hasRoomFor(words)) return null
    const block = this.#next
    this.#next += steps * STEP_WORDS
    return block
  }

  hasRoomFor(words: number): boolean {
    const steps = stepsOf(words)
    return this.#next + steps * STEP_WORDS <= this.#words || (this.#returned.get(steps)?.length ?? 0) > 0
  }

  give(block: number, words: number): void {
    const steps = stepsOf(words)
    const blocks = this.#returned.get(steps)
    if (blocks === undefined) this.#returned.set(steps, [block])
    else blocks.push(block)
  }
}

function stepsOf(words: number): number {
  return Math.ceil(words / STEP_WORDS)
}
