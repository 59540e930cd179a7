// What the requests of one event loop have spent since the last batch, added up in memory. Batches are made of it once a second, and
// handed over until one is known to be written: rollups lose a second at most when the process is killed.
import {
  addCounts,
  DAY_MS,
  HOUR_MS,
  noCounts,
  OTHER,
  type RollupBatch,
  type RollupCounts,
  type RollupRow,
  type RollupSource,
  type UserRollupRow,
} from './types.js'

/** Model names are the client's: a key has so many of its own an hour. */
const MAX_MODELS = 200
const MAX_NAME = 256
/** Rows that wait, as while the database is away; beyond them models are no longer told apart. */
const MAX_ROWS = 100_000

/** What an event loop counts at once. `user`: the end user; null where the key may not name one, or has not. */
export type Spending = RollupSource & { readonly user: string | null }

export class LoopRollups {
  readonly #writer: string
  readonly #nowMs: () => number
  #rows = new Map<string, RollupRow>()
  #users = new Map<string, UserRollupRow>()
  /** Model names of each owner in this hour. */
  #models = new Map<string, Set<string>>()
  #hour = 0
  #sequence = 0
  /** Not yet known to be written. */
  #pending: RollupBatch | null = null

  /** `writer`: no other event loop ever has it. `nowMs`: Unix time. */
  constructor(writer: string, nowMs: () => number) {
    this.#writer = writer
    this.#nowMs = nowMs
  }

  /** Adds these counts to the present hour. */
  add(spending: Spending, counts: RollupCounts): void {
    const nowMs = this.#nowMs()
    const hour = Math.floor(nowMs / HOUR_MS)
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#models = new Map()
    }
    const { owner, keyName, team, provider, tags, user } = spending
    const model = this.#modelOf(owner, nameOf(spending.model))
    const key = JSON.stringify([hour, owner, team, model, provider, tags])
    const row = this.#rows.get(key)
    if (row === undefined) {
      const source = { owner, keyName, team, model, provider, tags }
      this.#rows.set(key, { hour, source, counts: { ...counts } })
    } else addCounts(row.counts, counts)
    if (user !== null) this.#addUser({ owner, keyName, user: nameOf(user), day: Math.floor(nowMs / DAY_MS) }, counts)
  }

  /** What is to be written next, the same one until `written` is called; null for nothing. */
  take(): RollupBatch | null {
    if (this.#pending !== null) return this.#pending
    if (this.#rows.size === 0) return null
    this.#sequence += 1
    const [rows, users] = [[...this.#rows.values()], [...this.#users.values()]]
    this.#pending = { writer: this.#writer, sequence: this.#sequence, rows, users }
    this.#rows = new Map()
    this.#users = new Map()
    return this.#pending
  }

  written(): void {
    this.#pending = null
  }

  #addUser(of: Omit<UserRollupRow, 'counts'>, counts: RollupCounts): void {
    const user = this.#users.size < MAX_ROWS ? of.user : OTHER
    const key = JSON.stringify([of.day, of.owner, user])
    const row = this.#users.get(key) ?? { ...of, user, counts: noCounts() }
    this.#users.set(key, row)
    addCounts(row.counts, counts)
  }

  #modelOf(owner: string, model: string): string {
    if (model === '') return model
    if (this.#rows.size >= MAX_ROWS) return OTHER
    const known = this.#models.get(owner) ?? new Set()
    this.#models.set(owner, known)
    if (!known.has(model) && known.size >= MAX_MODELS) return OTHER
    known.add(model)
    return model
  }
}

/** A text that every database takes. */
function nameOf(text: string): string {
  return text.slice(0, MAX_NAME).replace(/[\0\p{Surrogate}]/gu, '')
}
