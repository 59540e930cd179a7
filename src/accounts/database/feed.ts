// What event loops know of keys and budgets, read from the database: all of it at the start, and after that what each change has left.
// Reading is apart from applying, so that what a change has left is read within its transaction and applied after it.
import { type ExpressionBuilder } from 'kysely'
import { GatewayError } from '../../errors.js'
import { type StoredBudget } from '../budgets/writer.js'
import { type Account, type AccountTeam, type Listing, type SecretDigest } from '../types.js'
import { readBudgets } from './budgets/spend.js'
import { MAX_ENTRIES } from './changes.js'
import { type Database, limitsOf, listOf } from './rows.js'
import { type Tables } from './schema.js'

/** Where keys are written for all event loops. */
export type AccountsWriter = {
  /** @throws storage_full where these do not fit all at once; nothing is written */
  check(listings: readonly Listing[]): void
  /** @throws storage_full */
  put(account: Account, secrets: readonly SecretDigest[]): void
  /** Nothing happens where it has none. */
  remove(id: string): void
  /** All that is written: the text of each account, and its secrets. */
  entries(): Iterable<{ readonly account: string; readonly secrets: readonly SecretDigest[] }>
}

/** Where budgets are written for all event loops. */
export type BudgetsWriter = {
  readonly ids: readonly string[]
  has(id: string): boolean
  /** Ids of budgets of these keys and teams. */
  idsOf(subjects: ReadonlySet<string>): readonly string[]
  /** @throws storage_full where so many new ones do not fit */
  check(count: number): void
  put(budget: StoredBudget): void
  remove(id: string): void
}

export type FeedOptions = {
  readonly writer: AccountsWriter
  readonly budgets: BudgetsWriter
  /** Unix time. */
  readonly nowMs: () => number
  readonly onLeftOut?: (listings: readonly Listing[]) => void
  /** What event loops know is now what the database has. */
  readonly onApplied?: () => void
}

/** What is different as of a revision. */
export type Delta = {
  readonly revision: number
  readonly changed: readonly Listing[]
  readonly gone: readonly string[]
  readonly budgets: { readonly changed: readonly StoredBudget[]; readonly gone: readonly string[] }
}

/** Keys, teams whose keys are read, and budgets; with a key or team go its budgets. */
type Targets = {
  readonly keyIds: readonly string[]
  readonly teamIds: readonly string[]
  readonly budgetIds: readonly string[]
}

/** Beyond these all is read at once; the parameters of a query are limited as well. */
const MAX_TARGETS = 1000

/** The keys of the database as the event loops have them. */
export class Feed {
  readonly #writer: AccountsWriter
  readonly #budgets: BudgetsWriter
  readonly #nowMs: () => number
  readonly #onLeftOut: (listings: readonly Listing[]) => void
  readonly #onApplied: () => void
  readonly #known = new Set<string>()
  /** Keys without room: their requests are refused. */
  readonly #leftOut = new Set<string>()
  #revision = -1
  /** Nothing is known yet. */
  #isEmpty = true
  /** What is spent of budgets is not known. */
  #isWithoutSpend = false

  /** `onLeftOut`: keys that another node has made or changed, and that have no room on this one. */
  constructor({ writer, budgets, nowMs, onLeftOut = () => undefined, onApplied = () => undefined }: FeedOptions) {
    this.#writer = writer
    this.#budgets = budgets
    this.#nowMs = nowMs
    this.#onLeftOut = onLeftOut
    this.#onApplied = onApplied
  }

  get keyCount(): number {
    return this.#known.size
  }

  /** Nothing was applied or restored yet. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** What has changed since what was applied last; null for nothing. */
  async read(db: Database): Promise<Delta | null> {
    const { revision } = await db.selectFrom('state').select('revision').executeTakeFirstOrThrow()
    if (revision === this.#revision) return null
    const targets = await this.#targetsOf(db, revision)
    const changed = await readAccounts(db, targets)
    const present = new Set(changed.map(({ account }) => account.id))
    const suspects = targets === null ? [...this.#known] : targets.keyIds
    const budgets = await this.#readBudgets(db, targets)
    return { revision, changed, gone: suspects.filter((id) => !present.has(id)), budgets }
  }

  async #readBudgets(db: Database, targets: Targets | null): Promise<Delta['budgets']> {
    const subjects = targets === null ? [] : [...targets.keyIds, ...targets.teamIds]
    const wanted = targets === null ? null : { ids: targets.budgetIds, subjects }
    const changed = await readBudgets(db, wanted, this.#nowMs())
    const present = new Set(changed.map(({ id }) => id))
    const known = wanted === null ? this.#budgets.ids : [...wanted.ids, ...this.#budgets.idsOf(new Set(subjects))]
    return { changed, gone: known.filter((id) => !present.has(id)) }
  }

  /** To be asked before a change is committed. @throws storage_full where the directory has no room for all of it */
  check({ changed, budgets }: Delta): void {
    // At the start nothing has to be undone where it does not fit; what was left out before is not this change's doing.
    if (this.#isEmpty) return
    this.#writer.check(changed.filter(({ account }) => !this.#leftOut.has(account.id)))
    this.#budgets.check(budgets.changed.filter(({ id }) => !this.#budgets.has(id)).length)
  }

  /**
   * Once it is committed nothing can be refused any more: a key that has no room is left out, so that no former state of it stays.
   * @returns the ids of all keys that it was about. @throws storage_full at the start alone
   */
  apply({ revision, changed, gone, budgets }: Delta): string[] {
    for (const id of gone) this.#remove(id)
    const leftOut = changed.filter((listing) => !this.#put(listing))
    // A budget that is put again is another one, with what is spent of it.
    for (const id of this.#isWithoutSpend ? this.#budgets.ids : budgets.gone) this.#budgets.remove(id)
    for (const budget of budgets.changed) this.#budgets.put(budget)
    this.#revision = revision
    this.#isEmpty = false
    this.#isWithoutSpend = false
    if (leftOut.length > 0) this.#onLeftOut(leftOut)
    this.#onApplied()
    return [...gone, ...changed.map(({ account }) => account.id)]
  }

  /**
   * Puts what was known before the start; everything is read once the database is there.
   * @throws storage_full
   */
  restore({ listings, budgets }: { readonly listings: readonly Listing[]; readonly budgets: readonly StoredBudget[] }) {
    for (const listing of listings) this.#put(listing)
    for (const budget of budgets) this.#budgets.put(budget)
    this.#isEmpty = false
    this.#isWithoutSpend = true
  }

  #put({ account, secrets }: Listing): boolean {
    try {
      this.#writer.put(account, secrets)
    } catch (thrown) {
      if (!(thrown instanceof GatewayError) || this.#isEmpty) throw thrown
      this.#remove(account.id)
      this.#leftOut.add(account.id)
      return false
    }
    this.#known.add(account.id)
    this.#leftOut.delete(account.id)
    return true
  }

  #remove(id: string): void {
    this.#writer.remove(id)
    this.#known.delete(id)
    this.#leftOut.delete(id)
  }

  /** Null: everything has to be read, because it is the first time, too many changes have passed, or some are no longer recorded. */
  async #targetsOf(db: Database, revision: number): Promise<Targets | null> {
    if (this.#revision < 0 || revision < this.#revision || revision - this.#revision >= MAX_ENTRIES) return null
    const rows = await db
      .selectFrom('changes')
      .select('target_id')
      .distinct()
      .where('revision', '>', this.#revision)
      .limit(MAX_TARGETS + 1)
      .execute()
    if (rows.length > MAX_TARGETS) return null
    const ids = rows.flatMap(({ target_id }) => target_id ?? [])
    const keyIds = new Set([...ids.filter((id) => id.startsWith('key_')), ...this.#leftOut])
    if (keyIds.size > MAX_TARGETS) return null
    return {
      keyIds: [...keyIds],
      teamIds: ids.filter((id) => id.startsWith('team_')),
      budgetIds: ids.filter((id) => id.startsWith('budget_')),
    }
  }
}

async function readAccounts(db: Database, targets: Targets | null): Promise<Listing[]> {
  if (targets !== null && targets.keyIds.length + targets.teamIds.length === 0) return []
  const rows = await keyRows(db, targets).execute()
  const secrets = await secretRows(db, targets).execute()
  const byKey = new Map<string, SecretDigest[]>()
  for (const { key_id, digest, valid_until_ms } of secrets) {
    const own = byKey.get(key_id) ?? []
    own.push({ digest, validUntilMs: valid_until_ms })
    byKey.set(key_id, own)
  }
  const readList = listReader()
  return rows.map((row) => ({ account: accountOf(row, readList), secrets: byKey.get(row.id) ?? [] }))
}

type ReadList = (text: string) => readonly string[]

/** Most keys have the same lists as others: each is read once. */
function listReader(): ReadList {
  const known = new Map<string, readonly string[]>()
  return (text) => {
    const list = known.get(text) ?? listOf(text)
    known.set(text, list)
    return list
  }
}

function secretRows(db: Database, targets: Targets | null) {
  const query = db.selectFrom('secrets').select(['key_id', 'digest', 'valid_until_ms'])
  if (targets === null) return query
  const ids = db.selectFrom('keys').select('keys.id').where(isAmong(targets))
  return query.where('key_id', 'in', ids)
}

function keyRows(db: Database, targets: Targets | null) {
  const query = db
    .selectFrom('keys')
    .leftJoin('teams', 'teams.id', 'keys.team_id')
    .select(['keys.id', 'keys.name', 'keys.models', 'keys.tags', 'keys.trust_user', 'keys.expires_at_ms'])
    .select(['keys.requests_per_minute', 'keys.tokens_per_minute', 'keys.concurrency', 'keys.disabled'])
    .select(['teams.id as team_id', 'teams.name as team_name', 'teams.models as team_models'])
    .select(['teams.disabled as team_disabled', 'teams.requests_per_minute as team_requests'])
    .select(['teams.tokens_per_minute as team_tokens', 'teams.concurrency as team_concurrency'])
  if (targets === null) return query
  return query.where(isAmong(targets))
}

/** An empty list would be no SQL for some databases. */
function isAmong({ keyIds, teamIds }: Targets) {
  return (row: ExpressionBuilder<Tables, 'keys'>) =>
    row.or([
      ...(keyIds.length === 0 ? [] : [row('keys.id', 'in', keyIds)]),
      ...(teamIds.length === 0 ? [] : [row('keys.team_id', 'in', teamIds)]),
    ])
}

type JoinedRow = Awaited<ReturnType<ReturnType<typeof keyRows>['execute']>>[number]

function accountOf(row: JoinedRow, readList: ReadList): Account {
  return {
    id: row.id,
    name: row.name,
    team: teamOf(row, readList),
    models: readList(row.models),
    limits: limitsOf(row),
    tags: readList(row.tags),
    trustUser: row.trust_user === 1,
    disabled: row.disabled === 1 || row.team_disabled === 1,
    expiresAtMs: row.expires_at_ms,
  }
}

function teamOf(row: JoinedRow, readList: ReadList): AccountTeam | null {
  if (row.team_id === null || row.team_name === null || row.team_models === null) return null
  return {
    id: row.team_id,
    name: row.team_name,
    models: readList(row.team_models),
    limits: {
      requestsPerMinute: row.team_requests,
      tokensPerMinute: row.team_tokens,
      concurrency: row.team_concurrency,
    },
  }
}
