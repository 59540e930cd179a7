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

/** The rows of one key in this hour, as long as nothing else of its source changes. */
type OwnerRows = Pick<RollupSource, 'keyName' | 'team' | 'tags'> & {
  /** By model, then by provider. */
  readonly models: Map<string, Map<string, RollupRow>>
  /** By name, of this day. */
  readonly users: Map<string, UserRollupRow>
}

export class LoopRollups {
  readonly #writer: string
  readonly #nowMs: () => number
  #rows: RollupRow[] = []
  #users: UserRollupRow[] = []
  /** A key whose team, name or tags have changed has further ones for what is still running. */
  #owners = new Map<string, OwnerRows[]>()
  /** Model names of each owner in this hour. */
  #models = new Map<string, Set<string>>()
  #hour = 0
  /** What was counted last, and its row: a request is mostly counted twice in one call, as an attempt and as a whole. */
  #last: { readonly spending: Spending; readonly row: RollupRow } | null = null
  #sequence = 0
  /** Not yet known to be written. */
  #pending: RollupBatch | null = null

  /** `writer`: no other event loop ever has it. `nowMs`: Unix time. */
  constructor(writer: string, nowMs: () => number) {
    this.#writer = writer
    this.#nowMs = nowMs
  }

  /** Adds these counts to the present hour. Mostly three reads of a map. */
  add(spending: Spending, counts: RollupCounts): void {
    const hour = Math.floor(this.#nowMs() / HOUR_MS)
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#models = new Map()
      this.#owners = new Map()
      this.#last = null
    }
    if (this.#last !== null && spending.user === null && isSameSource(this.#last.spending, spending)) {
      addCounts(this.#last.row.counts, counts)
      return
    }
    const own = this.#ownerRows(spending)
    const row = own.models.get(spending.model)?.get(spending.provider) ?? this.#rowOf(own, spending)
    this.#last = { spending, row }
    addCounts(row.counts, counts)
    if (spending.user !== null) addCounts(this.#userRow(own, spending.owner, spending.user).counts, counts)
  }

  /** What is to be written next, the same one until `written` is called; null for nothing. */
  take(): RollupBatch | null {
    if (this.#pending !== null) return this.#pending
    if (this.#rows.length === 0) return null
    this.#sequence += 1
    this.#pending = { writer: this.#writer, sequence: this.#sequence, rows: this.#rows, users: this.#users }
    this.#rows = []
    this.#users = []
    this.#owners = new Map()
    this.#last = null
    return this.#pending
  }

  written(): void {
    this.#pending = null
  }

  #ownerRows({ owner, keyName, team, tags }: Spending): OwnerRows {
    const all = this.#owners.get(owner) ?? []
    for (const each of all) {
      if (each.keyName === keyName && each.team === team && isSame(each.tags, tags)) return each
    }
    const rows: OwnerRows = { keyName, team, tags, models: new Map(), users: new Map() }
    all.push(rows)
    this.#owners.set(owner, all)
    return rows
  }

  /** A name that cannot be written as it is, or is one too many, is looked for each time. */
  #rowOf(own: OwnerRows, { owner, provider, ...spending }: Spending): RollupRow {
    const model = this.#modelOf(owner, nameOf(spending.model))
    const ofModel = own.models.get(model) ?? new Map<string, RollupRow>()
    own.models.set(model, ofModel)
    const known = ofModel.get(provider)
    if (known !== undefined) return known
    const { keyName, team, tags } = own
    const row = { hour: this.#hour, source: { owner, keyName, team, model, provider, tags }, counts: noCounts() }
    ofModel.set(provider, row)
    this.#rows.push(row)
    return row
  }

  #userRow({ keyName, users }: OwnerRows, owner: string, name: string): UserRollupRow {
    const known = users.get(name)
    if (known !== undefined) return known
    const user = this.#users.length < MAX_ROWS ? nameOf(name) : OTHER
    const row = users.get(user) ?? { day: this.#day, owner, keyName, user, counts: noCounts() }
    if (!users.has(user)) this.#users.push(row)
    users.set(user, row)
    return row
  }

  get #day(): number {
    return Math.floor((this.#hour * HOUR_MS) / DAY_MS)
  }

  #modelOf(owner: string, model: string): string {
    if (model === '') return model
    if (this.#rows.length >= MAX_ROWS) return OTHER
    const known = this.#models.get(owner) ?? new Set()
    this.#models.set(owner, known)
    if (!known.has(model) && known.size >= MAX_MODELS) return OTHER
    known.add(model)
    return model
  }
}

function isSameSource(last: RollupSource, next: RollupSource): boolean {
  const { owner, keyName, team, model, provider, tags } = next
  if (last.owner !== owner || last.model !== model || last.provider !== provider) return false
  return last.keyName === keyName && last.team === team && last.tags === tags
}

function isSame(tags: readonly string[], others: readonly string[]): boolean {
  return tags === others || (tags.length === others.length && tags.every((tag, i) => tag === others[i]))
}

/** A text that every database takes. */
function nameOf(text: string): string {
  return text.slice(0, MAX_NAME).replace(/[\0\p{Surrogate}]/gu, '')
}
