// Group commit: all that is asked for during a commit goes into the next one. Each is answered after its commit, and after the event
// loops have what it changed. If the shared transaction fails, each is done again in one of its own, so that a database that takes no
// changes refuses those and still answers what only reads.
import { sql } from 'kysely'
import { GatewayError } from '../../errors.js'
import { type Delta, type Feed } from './feed.js'
import { type Database } from './rows.js'

/** The first of a burst must not wait for all of it. */
const MAX_WORKS = 500

export type CommitsOptions = {
  readonly db: Database
  readonly feed: Feed
  /** A transaction has failed: what it means for those who wait for it. */
  readonly onFailure: (thrown: unknown) => GatewayError
  /** After a commit, or after a look at what other nodes have committed: the keys that are different. */
  readonly onChanged: (ids: readonly string[]) => void
}

type Outcome = { readonly value: unknown } | { readonly error: GatewayError }

type Work = {
  readonly act: (db: Database) => Promise<unknown>
  readonly settle: (outcome: Outcome) => void
}

/** The one writer of the database in this process. */
export class Commits {
  readonly #options: CommitsOptions
  #waiting: Work[] = []
  #running: Promise<void> | null = null

  constructor(options: CommitsOptions) {
    this.#options = options
  }

  /**
   * Rejects with what `act` throws, if that is a GatewayError; it must then have changed nothing yet, because the others commit.
   * With anything else, or if the commit fails, nothing of it has happened, as far as can be known.
   */
  run<T>(act: (db: Database) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.value as T)
      this.#waiting.push({ act, settle })
      this.#running ??= this.#runAll()
    })
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #runAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      // What comes in the same turn goes into one commit.
      await turn()
      const works = this.#waiting.splice(0, MAX_WORKS)
      const outcomes = await this.#commit(works)
      for (const [i, { settle }] of works.entries()) settle(outcomes[i] ?? { error: new GatewayError('internal') })
    }
    this.#running = null
  }

  async #commit(works: readonly Work[]): Promise<Outcome[]> {
    try {
      return await this.#transact(works)
    } catch (thrown) {
      if (thrown instanceof GatewayError && works.length === 1) return [{ error: thrown }]
      if (works.length === 1) return [{ error: this.#options.onFailure(thrown) }]
    }
    const outcomes: Outcome[] = []
    for (const work of works) outcomes.push(...(await this.#commit([work])))
    return outcomes
  }

  /** Rejects if nothing of it has happened. */
  async #transact(works: readonly Work[]): Promise<Outcome[]> {
    const { outcomes, delta } = await this.#options.db.connection().execute(async (db) => {
      await sql`begin`.execute(db)
      try {
        const outcomes: Outcome[] = []
        for (const work of works) outcomes.push(await outcomeOf(work, db))
        const delta = await this.#options.feed.read(db)
        if (delta !== null) this.#options.feed.check(delta)
        await sql`commit`.execute(db)
        return { outcomes, delta }
      } catch (thrown) {
        // The database may have ended the transaction by itself, or be gone.
        await sql`rollback`.execute(db).catch(() => undefined)
        throw thrown
      }
    })
    this.#apply(delta)
    return outcomes
  }

  #apply(delta: Delta | null): void {
    if (delta === null) return
    const ids = this.#options.feed.apply(delta)
    if (ids.length > 0) this.#options.onChanged(ids)
  }
}

async function outcomeOf({ act }: Work, db: Database): Promise<Outcome> {
  try {
    return { value: await act(db) }
  } catch (thrown) {
    if (thrown instanceof GatewayError) return { error: thrown }
    throw thrown
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
