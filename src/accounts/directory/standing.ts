// How well the keys of the directory are known, in one word that the thread of the database writes and every event loop reads. A word of
// zero is a database that answers, or a file of this process alone.
const AWAY = 1
const STALE = 2
const WITHOUT_SPEND = 4

export class Standing {
  readonly #word: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.#word = new Int32Array(memory)
  }

  /** The database has not answered when it was asked last. */
  get isAway(): boolean {
    return Atomics.load(this.#word, 0) !== 0
  }

  /** It has been away for so long that its keys may no longer be used. */
  get isStale(): boolean {
    return (Atomics.load(this.#word, 0) & STALE) !== 0
  }

  /** Budgets are known, but not what is spent of them. */
  get isWithoutSpend(): boolean {
    return (Atomics.load(this.#word, 0) & WITHOUT_SPEND) !== 0
  }

  /** All is known. */
  prove(): void {
    Atomics.store(this.#word, 0, 0)
  }

  doubt(doubts: { readonly isStale: boolean; readonly isWithoutSpend: boolean }): void {
    Atomics.store(this.#word, 0, AWAY | (doubts.isStale ? STALE : 0) | (doubts.isWithoutSpend ? WITHOUT_SPEND : 0))
  }
}
