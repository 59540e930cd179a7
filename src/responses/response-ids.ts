// Random texts for the ids of answers: 192 bits in base64url. An id gives no right to an answer, but nobody should find one by counting.
import { randomFillSync } from 'node:crypto'

const RANDOM_BYTES = 24
/** Randomness is drawn for many at once: a call for each takes 2 us. */
const IDS_A_DRAW = 128

export class ResponseIds {
  readonly #pool = Buffer.allocUnsafeSlow(RANDOM_BYTES * IDS_A_DRAW)
  #at = this.#pool.length

  /** A new one, of 32 characters. */
  create(): string {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool)
      this.#at = 0
    }
    const unique = this.#pool.toString('base64url', this.#at, this.#at + RANDOM_BYTES)
    this.#at += RANDOM_BYTES
    return unique
  }
}
