// Blocks of the directory's records, for its one writer, in memory that never grows. A returned block is used again for one of the same
// size, then the part that was never used; only when both are exhausted are neighbouring blocks merged and larger ones split, since that
// looks at all of them.

/** 64 bytes: an account that changes a little mostly keeps its size. */
const STEP_WORDS = 16

/** A block that is to be taken, and the one that is given back after it: null for none. */
export type Move = {
  readonly words: number
  readonly former: { readonly block: number; readonly words: number } | null
}

export class Arena {
  readonly #words: number
  /** Returned blocks by their size in steps. */
  #returned = new Map<number, number[]>()
  #next = 0

  constructor(words: number) {
    this.#words = words
  }

  /** The word at which a block of so many words begins; null if there is no room. */
  take(words: number): number | null {
    const steps = stepsOf(words)
    const block = this.#takeReturned(steps) ?? this.#takeFresh(steps)
    if (block !== null) return block
    this.#merge()
    return this.#takeReturned(steps) ?? this.#takeFresh(steps) ?? this.#split(steps)
  }

  give(block: number, words: number): void {
    const steps = stepsOf(words)
    const blocks = this.#returned.get(steps)
    if (blocks === undefined) this.#returned.set(steps, [block])
    else blocks.push(block)
  }

  /** Whether all of these can be made, one after the other. */
  fits(moves: readonly Move[]): boolean {
    const wanted = moves.reduce((sum, { words }) => sum + stepsOf(words), 0)
    if (wanted * STEP_WORDS <= this.#words - this.#next) return true
    const trial = this.#copy()
    return moves.every(({ words, former }) => {
      const block = trial.take(words)
      if (former !== null) trial.give(former.block, former.words)
      return block !== null
    })
  }

  #copy(): Arena {
    const copy = new Arena(this.#words)
    copy.#returned = new Map([...this.#returned].map(([steps, blocks]) => [steps, [...blocks]]))
    copy.#next = this.#next
    return copy
  }

  #takeReturned(steps: number): number | null {
    return this.#returned.get(steps)?.pop() ?? null
  }

  #takeFresh(steps: number): number | null {
    const end = this.#next + steps * STEP_WORDS
    if (end > this.#words) return null
    const block = this.#next
    this.#next = end
    return block
  }

  /** Takes the beginning of the smallest block that is larger. */
  #split(steps: number): number | null {
    let best: number | null = null
    for (const [size, blocks] of this.#returned) {
      if (size > steps && blocks.length > 0 && size < (best ?? Infinity)) best = size
    }
    if (best === null) return null
    const block = this.#takeReturned(best)
    if (block !== null) this.give(block + steps * STEP_WORDS, (best - steps) * STEP_WORDS)
    return block
  }

  /** Makes one block of those that are neighbours; the last becomes part of what was never used. */
  #merge(): void {
    const blocks = [...this.#returned].flatMap(([steps, at]) => at.map((block) => ({ block, steps })))
    blocks.sort((a, b) => a.block - b.block)
    this.#returned = new Map()
    let open: { block: number; steps: number } | null = null
    for (const { block, steps } of blocks) {
      if (open !== null && open.block + open.steps * STEP_WORDS === block) open.steps += steps
      else {
        if (open !== null) this.give(open.block, open.steps * STEP_WORDS)
        open = { block, steps }
      }
    }
    if (open === null) return
    if (open.block + open.steps * STEP_WORDS === this.#next) this.#next = open.block
    else this.give(open.block, open.steps * STEP_WORDS)
  }
}

function stepsOf(words: number): number {
  return Math.ceil(words / STEP_WORDS)
}
