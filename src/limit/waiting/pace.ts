// The pace of a queue: the recent time between two admissions while someone waited, an average over about ten of them.

/** Weight of the latest interval. */
const WEIGHT = 0.1

export class Pace {
  #ms = 0
  /** The part of the average that is not measured yet: what is left of the zero it began with. */
  #unknown = 1
  #sinceMs = 0

  /** Rises slowly from 0 with the first admissions, so that a few slow ones do not reject newcomers. */
  get cautiousMs(): number {
    return this.#ms
  }

  /** The average of what was measured; null before the first admission. */
  get measuredMs(): number | null {
    return this.#unknown === 1 ? null : this.#ms / (1 - this.#unknown)
  }

  /** The first waiter has come: the next interval begins. */
  begin(nowMs: number): void {
    this.#sinceMs = nowMs
  }

  /** A waiter was admitted, and others wait. */
  mark(nowMs: number): void {
    this.#ms += WEIGHT * (nowMs - this.#sinceMs - this.#ms)
    this.#unknown *= 1 - WEIGHT
    this.#sinceMs = nowMs
  }

  /** The queue is empty: the next wait is another one. */
  reset(): void {
    this.#ms = 0
    this.#unknown = 1
  }
}
