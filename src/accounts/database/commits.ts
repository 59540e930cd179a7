// Group commit: all that is asked for during a commit goes into the next one. Each is answered after its commit, and after the event
// loops have what it changed. If the shared transaction fails, each is done again in one of its own, so that a database that takes no
// changes refuses those and still answers what only reads.
import { sql } from 'kysely'
import { GatewayError } from '../../errors.js'
import { type Delta, type Feed } from './feed.js'
import { type AccountsDatabase, type Database, type SharedDatabase } from './rows.js'

/** The first of a burst must not wait for all of it. */
const MAX_WORKS = 500
/** How long the database may be away after a commit in doubt, until its callers are told that it failed. */
const DOUBT_MS = 5000
const DOUBT_PAUSE_MS = 100

export type CommitsOptions = {
  readonly database: Pick<AccountsDatabase, 'db' | 'shared'>
  readonly feed: Feed
  /** A transaction has failed: what it means for those who wait for it. */
  readonly onFailure: (thrown: unknown) => GatewayError
  /** After a commit, or after a look at what other nodes have committed: the keys that are different. */
  readonly onChanged: (ids: readonly string[]) => void
}

type Outcome = { readonly value: unknown } | { readonly error: GatewayError }

type Under = { readonly connection: Database; readonly marking: SharedDatabase | null }

/** What a transaction has left, before its commit. */
type Left = { readonly outcomes: Outcome[]; readonly delta: Delta | null }

type Work = {
  readonly kind: 'read' | 'change'
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
  run<T>(act: (db: Database) => Promise<T>, kind: Work['kind'] = 'change'): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.value as T)
      this.#waiting.push({ kind, act, settle })
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
      const isAway = this.#options.database.shared?.isAway(thrown) === true
      if (works.length === 1 || isAway) {
        const error = this.#options.onFailure(thrown)
        return works.map(() => ({ error }))
      }
    }
    const outcomes: Outcome[] = []
    for (const work of works) outcomes.push(...(await this.#commit([work])))
    return outcomes
  }

  /** Rejects if nothing of it has happened, as far as can be known. */
  async #transact(works: readonly Work[]): Promise<Outcome[]> {
    const { db, shared } = this.#options.database
    const marking = works.some(({ kind }) => kind === 'change') ? shared : null
    const made = await db.connection().execute(async (connection) => {
      const left = await this.#prepare(works, { connection, marking })
      try {
        await sql`commit`.execute(connection)
        return { ...left, doubt: null }
      } catch (doubt) {
        await this.#rollBack(connection, doubt)
        return { ...left, doubt }
      }
    })
    if (made.doubt !== null && !(await wasCommitted(marking))) throw made.doubt
    this.#apply(made.delta)
    return made.outcomes
  }

  /** All but the commit. */
  async #prepare(works: readonly Work[], { connection, marking }: Under): Promise<Left> {
    await sql`begin`.execute(connection)
    try {
      await marking?.mark(connection)
      const outcomes: Outcome[] = []
      for (const work of works) outcomes.push(await outcomeOf(work, connection))
      const delta = await this.#options.feed.read(connection)
      if (delta !== null) {
        // What another node has committed is not refused here.
        if (works.some(({ kind }) => kind === 'change')) this.#options.feed.check(delta)
        await marking?.announce(connection)
      }
      return { outcomes, delta }
    } catch (thrown) {
      await this.#rollBack(connection, thrown)
      throw thrown
    }
  }

  /** Not where the connection is gone: its end is that of the transaction, and an answer to more would never come. */
  async #rollBack(connection: Database, thrown: unknown): Promise<void> {
    if (this.#options.database.shared?.isAway(thrown) === true) return
    // The database may have ended the transaction by itself.
    await sql`rollback`.execute(connection).catch(() => undefined)
  }

  #apply(delta: Delta | null): void {
    if (delta === null) return
    const ids = this.#options.feed.apply(delta)
    if (ids.length > 0) this.#options.onChanged(ids)
  }
}

/** After a commit whose answer was lost. */
async function wasCommitted(shared: SharedDatabase | null): Promise<boolean> {
  if (shared === null) return false
  const deadlineMs = performance.now() + DOUBT_MS
  for (;;) {
    try {
      return await shared.wasCommitted()
    } catch (thrown) {
      if (!shared.isAway(thrown) || performance.now() > deadlineMs) return false
    }
    await new Promise((resolve) => setTimeout(resolve, DOUBT_PAUSE_MS))
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
