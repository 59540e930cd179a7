// When keys were used last, on its way to the database: together, once a minute.
import { type KeyUse } from './store.js'

const EVERY_MS = 60_000
/** Rows of one statement: its parameters are limited. */
const MAX_ROWS = 500

export class KeyUses {
  /** Rejects where they could not be written. */
  readonly #write: (uses: readonly KeyUse[]) => Promise<void>
  /** Since they were written last. */
  #uses = new Map<string, number>()
  #timer: NodeJS.Timeout | null = null

  constructor(write: (uses: readonly KeyUse[]) => Promise<void>) {
    this.#write = write
  }

  note(uses: readonly KeyUse[]): void {
    for (const { id, atMs } of uses) this.#uses.set(id, Math.max(atMs, this.#uses.get(id) ?? 0))
    this.#timer ??= setTimeout(() => void this.flush(), EVERY_MS)
  }

  /** What cannot be written is lost: the next use of the key is written again. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const uses = [...this.#uses].map(([id, atMs]) => ({ id, atMs: Math.floor(atMs) }))
    this.#uses = new Map()
    for (let i = 0; i < uses.length; i += MAX_ROWS)
      await this.#write(uses.slice(i, i + MAX_ROWS)).catch(() => undefined)
  }
}
