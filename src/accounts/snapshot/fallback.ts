// What keys do while a database of several nodes is away: they are used as they were known last, for a time; and a gateway that starts in
// the meantime knows them from a file.
//
//   database answers ---> directory of event loops ---> snapshot on the disk        marked as confirmed every 10 s
//   away               -> directory as it is; after maxStaleMs its keys are refused
//   away at the start  -> snapshot, unless it is too old; budgets are refused until it is known what is spent of them
import { type BudgetWriter } from '../budgets/writer.js'
import { type AccountsWriter } from '../database/feed.js'
import { Standing } from '../directory/standing.js'
import { type AccountsStart } from '../messages.js'
import { Freshness } from './freshness.js'
import { budgetLineOf, checkPlace, firstLineOf, keyLineOf, readSnapshot, type Snapshot } from './snapshot-file.js'
import { SnapshotWriter } from './snapshot-writer.js'

const TOO_OLD =
  'The account database has been away for longer than accounts.maxStaleMs: requests of its keys are refused.'

export type FallbackOptions = {
  readonly start: Pick<AccountsStart, 'directory' | 'snapshot'>
  /** Which database it is. Null: a file of this process alone, which is never behind. */
  readonly place: string | null
  readonly keys: AccountsWriter
  readonly budgets: Pick<BudgetWriter, 'all'>
  /** Unix time. */
  readonly nowMs: () => number
  /** For the log. */
  readonly report: (message: string) => void
}

export class Fallback {
  readonly #options: FallbackOptions
  readonly #freshness: Freshness
  /** Null: nothing is to be used without the database. */
  readonly #writer: SnapshotWriter | null

  /** @throws misconfigured where the snapshot's file is something else */
  constructor(options: FallbackOptions) {
    const { start, place, keys, budgets, nowMs, report } = options
    this.#options = options
    this.#freshness = new Freshness({
      standing: new Standing(start.directory.standing),
      maxStaleMs: start.snapshot?.maxStaleMs ?? Infinity,
      // Not set by anyone but tests.
      nowMs: () => performance.now() + nowMs() - Date.now(),
      onStale: () => report(TOO_OLD),
    })
    const path =
      place === null || start.snapshot === undefined || start.snapshot.maxStaleMs === 0 ? null : start.snapshot.path
    if (path !== null) checkPlace(path)
    this.#writer =
      path === null
        ? null
        : new SnapshotWriter({
            path,
            lines: () => linesOf(place ?? '', keys, budgets),
            nowMs,
            onFailure: (reason) => report(`the snapshot of keys in ${path} cannot be written: ${reason}`),
          })
  }

  /** The directory has changed, to what the database has. */
  note(): void {
    this.#writer?.note()
  }

  /** The database has confirmed the directory. */
  seen(): void {
    this.#freshness.seen()
    this.#writer?.seen()
  }

  missed(): void {
    this.#freshness.missed()
  }

  /** To be called once a second. */
  check(): void {
    this.#freshness.check()
  }

  /**
   * What was known last; null for nothing, or what is too old.
   * @throws misconfigured for a file that is damaged, or of another database
   */
  read(): Snapshot | null {
    const { start, place } = this.#options
    if (this.#writer === null || place === null || start.snapshot === undefined) return null
    const found = readSnapshot(start.snapshot.path, place)
    return found === null || this.#ageOf(found) >= start.snapshot.maxStaleMs ? null : found
  }

  /** Keys may be used without the database. */
  get isAllowed(): boolean {
    return this.#writer !== null
  }

  /** The directory has what the database confirmed at that time, and it is not known what is spent of budgets. */
  restored(snapshot: Pick<Snapshot, 'seenAtMs'>): void {
    this.#freshness.restored(this.#ageOf(snapshot))
  }

  /** Writes down what is not in the snapshot yet. */
  async close(): Promise<void> {
    await this.#writer?.close()
  }

  /** A clock that was set back makes nothing older. */
  #ageOf({ seenAtMs }: Pick<Snapshot, 'seenAtMs'>): number {
    return Math.max(0, this.#options.nowMs() - seenAtMs)
  }
}

function* linesOf(place: string, keys: AccountsWriter, budgets: Pick<BudgetWriter, 'all'>): Iterable<string> {
  yield firstLineOf(place)
  for (const entry of keys.entries()) yield keyLineOf(entry)
  for (const budget of budgets.all()) yield budgetLineOf(budget)
}
