// Chance that can be had again: a test that draws prints its seed, and with the same seed it draws the same.
import { randomInt } from 'node:crypto'

/** mulberry32: small, quick, and even enough to draw moments and kinds by. */
export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed
  }

  /** By the environment variable SEED, or by a new one. */
  static ofRun(): Random {
    return new Random(Number(process.env.SEED ?? randomInt(2 ** 31)))
  }

  /** At least 0, below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * limit
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.below(choices.length))] as T
  }
}
