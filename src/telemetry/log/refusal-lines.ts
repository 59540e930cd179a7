// Limits the log lines of rejected requests per second. A rejection costs its sender nothing, while its line takes as much time as
// the rest of it, and disk space; so above a rate they are only counted, and the count is logged at the end of the second. A key gets as
// many lines as it leaves for the others, so a flood of one key's refusals does not hide the first of another's.
import { type ExchangeRecord } from '../records.js'

/** Two lines of JSON per millisecond would be a tenth of an event loop; this is a hundredth, and more than anyone reads. */
const LINES_A_SECOND = 200
const SECOND_MS = 1000

/** The limit of one log. */
export class RefusalLines {
  readonly #onUnwritten: (count: number) => void
  #written = 0
  /** By key; all callers without a known key count as one. */
  readonly #writtenOf = new Map<string | null, number>()
  #unwritten = 0
  #timer: NodeJS.Timeout | null = null

  /** `onUnwritten`: at the end of each second in which there were too many. */
  constructor(onUnwritten: (count: number) => void) {
    this.#onUnwritten = onUnwritten
  }

  /** Whether the line of this exchange is to be written; always, unless it was refused before it reached a provider. */
  admit(record: ExchangeRecord): boolean {
    if (record.attempts > 0 || record.error === null) return true
    if (this.#timer === null) {
      this.#timer = setTimeout(() => this.flush(), SECOND_MS)
      this.#timer.unref()
    }
    const own = this.#writtenOf.get(record.keyName) ?? 0
    if (own + this.#written < LINES_A_SECOND) {
      this.#written += 1
      this.#writtenOf.set(record.keyName, own + 1)
      return true
    }
    this.#unwritten += 1
    return false
  }

  /** Ends the second early: logs the number of lines that were not written. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const count = this.#unwritten
    this.#written = 0
    this.#writtenOf.clear()
    this.#unwritten = 0
    if (count > 0) this.#onUnwritten(count)
  }
}
