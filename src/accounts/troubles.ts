// What the thread of the account database reports for the log of the process: each trouble once, until it is over.
import { type GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type AccountsDatabase } from './database/rows.js'
import { type Listing } from './types.js'

/** Keys that one line names. */
const MAX_NAMED = 10

export class Troubles {
  readonly #tell: (message: string) => void
  #isAway = false
  /** What was reported last of a database that cannot be used. */
  #refusal = ''
  #unheld: string | null = null

  constructor(tell: (message: string) => void) {
    this.#tell = tell
  }

  report(message: string): void {
    this.#tell(message)
  }

  /** A transaction has failed; @returns what that means for its callers */
  failed(thrown: unknown, { failureOf, shared }: Pick<AccountsDatabase, 'failureOf' | 'shared'>): GatewayError {
    const error = failureOf(thrown)
    const wasAway = this.#isAway
    const isAway = shared?.isAway(thrown) === true
    this.#isAway ||= isAway
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    if (!isAway || !wasAway) this.#tell(`${error.data.code}: ${text}`)
    return error
  }

  /** The gateway starts without the database. */
  startedAway(message: string): void {
    this.#isAway = true
    this.#tell(message)
  }

  /** The database is there, and cannot be used after a start without it. */
  refused({ retryable, message }: ErrorData): void {
    if (retryable || message === this.#refusal) return
    this.#refusal = message
    this.#tell(message)
  }

  /** The database answers. */
  answered(): void {
    if (!this.#isAway) return
    this.#isAway = false
    this.#tell('is available again')
  }

  /** Which budgets cannot be held, and why; null: none. */
  unheld(reason: string | null): void {
    if (reason !== null && reason !== this.#unheld) this.#tell(`${reason} Requests that fall under it get 503.`)
    this.#unheld = reason
  }

  /** Keys that have no room in memory. */
  leftOut(listings: readonly Listing[]): void {
    const names = listings.slice(0, MAX_NAMED).map(({ account }) => account.name)
    this.#tell(
      `storage_full: no room for ${listings.length} keys, whose requests are refused: ${names.join(', ')}. Raise accounts.maxKeys and restart the gateway.`,
    )
  }
}
