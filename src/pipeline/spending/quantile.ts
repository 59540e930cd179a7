// An upper bound on most of the values seen so far, from a small fixed memory: a histogram of four steps to each doubling, in which newer
// values count more.

const STEPS_PER_DOUBLING = 4
/** All counts are halved when there are so many, so that a model's new habits replace the old ones. */
const MAX_COUNT = 1024
/** Fewer values say nothing about the rare ones. */
const MIN_COUNT = 20

const MAX_DOUBLINGS = 20
/** Of each step: a power takes 100 ns (V8 11.3). */
const POWERS: readonly number[] = Array.from(
  { length: MAX_DOUBLINGS * STEPS_PER_DOUBLING + 1 },
  (_, index) => 2 ** (index / STEPS_PER_DOUBLING),
)

export class Quantile {
  readonly #least: number
  readonly #counts: Uint16Array
  #total = 0
  /** Of the greatest value that is counted: nothing is looked for above it. */
  #top = 0

  /** For values from `least` over so many doublings, MAX_DOUBLINGS at most; values outside count as the nearest. */
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
    if (index > this.#top) this.#top = index
    if (this.#total >= MAX_COUNT) this.#halve()
  }

  /** A value that at most `1 - share` of those seen exceed, at most a fifth too high; null as long as too few are known. */
  above(share: number): number | null {
    if (this.#total < MIN_COUNT) return null
    let rest = this.#total * (1 - share)
    for (let index = this.#top; index > 0; index -= 1) {
      rest -= this.#counts[index] ?? 0
      if (rest < 0) return this.#least * (POWERS[index] ?? 0)
    }
    return this.#least
  }

  #halve(): void {
    this.#total = 0
    this.#top = 0
    for (let index = 0; index < this.#counts.length; index++) {
      const count = (this.#counts[index] ?? 0) >>> 1
      this.#counts[index] = count
      this.#total += count
      if (count > 0) this.#top = index
    }
  }
}
