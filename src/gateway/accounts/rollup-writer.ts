// Hands what an event loop has counted to the account database: once a second, and all of it before the loop ends.
import { type LoopRollups } from '../../accounts/rollups/loop-rollups.js'
import { type AccountsStore } from '../../accounts/store.js'

/** One batch after the other; what could not be written is sent again, the same. */
export class RollupWriter {
  readonly #rollups: LoopRollups
  readonly #store: Pick<AccountsStore, 'addRollups'>
  #writing: Promise<void> | null = null

  constructor(rollups: LoopRollups, store: Pick<AccountsStore, 'addRollups'>) {
    this.#rollups = rollups
    this.#store = store
  }

  /** Begins to write a batch, unless one is still being written. */
  write(): void {
    this.#writing ??= this.#writeOne().then(() => {
      this.#writing = null
    })
  }

  /** Resolves when everything is written, or the database does not take it. */
  async finish(): Promise<void> {
    await this.#writing
    while (this.#rollups.take() !== null) if (!(await this.#writeOne())) return
  }

  /** The reason of a failure is in the log of the database's thread. */
  async #writeOne(): Promise<boolean> {
    const batch = this.#rollups.take()
    if (batch === null) return true
    try {
      await this.#store.addRollups(batch)
    } catch {
      return false
    }
    this.#rollups.written()
    return true
  }
}
