// An upper bound on most of the values seen so far, from a small fixed memory: a histogram of four steps to each doubling, in which newer
// values count more.

const STEPS_PER_DOUBLING = 4
/** All counts are halved when there are so many, so that a model's new habits replace the old ones. */
const MAX_COUNT = 1024
/** Fewer values say nothing about the rare ones. */
const MIN_COUNT = 20

export class Quantile {
  readonly #least: number
  readonly #counts: Uint16Array
  #total = 0

  /** For values from `least` over so many doublings; values outside count as the nearest. */
  constructor(least: number, doublings: number) {
    this.#least = least
    this.#counts = new Uint16Array(doublings * STEPS_PER_DOUBLING + 1)
  }

  note(value: number): void {
    const step = Math.ceil(Math.log2(Math.max(value, this.#least) / this.#least) * STEPS_PER_DOUBLING)
    const index = Math.min(step, this.#counts.length - 1)
    if (!(index >= 0)) return
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#total += 1
    if (this.#total >= MAX_COUNT) this.#halve()
  }

  /** A value that at most `1 - share` of those seen exceed, at most a fifth too high; null as long as too few are known. */
  above(share: number): number | null {
    if (this.#total < MIN_COUNT) return null
    let rest = this.#total * (1 - share)
    for (let index = this.#counts.length - 1; index > 0; index -= 1) {
      rest -= this.#counts[index] ?? 0
      if (rest < 0) return this.#least * 2 ** (index / STEPS_PER_DOUBLING)
    }
    return this.#least
  }

  #halve(): void {
    this.#total = 0
    for (let index = 0; index < this.#counts.length; index++) {
      const count = (this.#counts[index] ?? 0) >>> 1
      this.#counts[index] = count
      this.#total += count
    }
  }
}
