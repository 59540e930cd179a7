// Budgets in the database: each call within a transaction of its caller's. What loops spend is in spend.ts. @see store.ts for what the
// calls promise.
import { type Selectable } from 'kysely'
import { GatewayError } from '../../../errors.js'
import { userBudgetId } from '../../budgets/user-slots.js'
import { windowAt, windowEndMs, windowStartMs } from '../../budgets/windows.js'
import { type BudgetUse } from '../../budgets/writer.js'
import { createId } from '../../secret.js'
import { type AccountCalls, type By, type Change, type Page } from '../../store.js'
import {
  BUDGET_PERIODS,
  type BudgetPeriod,
  type BudgetRecord,
  type BudgetStatus,
  type BudgetTerms,
  type BudgetUnit,
  type NewBudget,
} from '../../types.js'
import { beginChange, checkVersion, recordChange } from '../changes.js'
import { type Database, type Ground } from '../rows.js'
import { type BudgetTable } from '../schema.js'
import { isOfUsers, partOf, type ScopeRow, type Subject, scopeOf, subjectOf } from './scope.js'
import { ADJUSTED, addShares } from './shares.js'
import { addSpent } from './spend.js'

/** Whose budgets were created with it. */
export type InlineOwner = { readonly kind: 'key' | 'team'; readonly id: string; readonly name: string }

type Row = Selectable<BudgetTable> & ScopeRow

/** The budgets of one transaction. */
export class Budgets {
  readonly #db: Database
  readonly #ground: Ground

  constructor(db: Database, ground: Ground) {
    this.#db = db
    this.#ground = ground
  }

  async create(budget: NewBudget, { by }: By): ReturnType<AccountCalls['createBudget']> {
    this.checkAllowed([budget])
    const { revision } = await beginChange(this.#db)
    const subject = await subjectOf(this.#db, budget.scope)
    const existing = await this.#row(budget.name)
    if (existing !== null) {
      const { kind, subject: id, per, unit, amount } = existing
      const isSame = kind === subject.kind && id === subject.subject && isSameTerms([per, unit, amount], budget)
      if (isSame) return { budget: this.#statusOf(existing), isNew: false }
      throw new GatewayError('conflict', { message: `There is a budget ${budget.name} with other contents.` })
    }
    const { id, atMs } = await this.#insert(budget, subject, { revision, isInline: false })
    const after = await this.find(budget.name)
    const entry = { atMs, by, action: 'budget.create', target: budget.name, targetId: id, before: null, after }
    await recordChange(this.#db, revision, entry)
    return { budget: await this.#status(budget.name), isNew: true }
  }

  /** `user`: what is used of it by one end user. @throws invalid_request where it tells none apart */
  async get(name: string, user: string | null = null): Promise<BudgetStatus | null> {
    const row = await this.#row(name)
    return row === null ? null : this.#statusOf(row, user)
  }

  async list({ after, limit }: Page<string>): ReturnType<AccountCalls['listBudgets']> {
    const rows = await this.#rows()
      .$if(after !== null, (query) => query.where('budgets.name', '>', after ?? ''))
      .orderBy('budgets.name')
      .limit(limit + 1)
      .execute()
    const budgets = rows.slice(0, limit).map((row) => this.#statusOf(row))
    return { budgets, next: rows.length > limit ? (budgets.at(-1)?.name ?? null) : null }
  }

  async update(
    name: string,
    { limit, unit }: Pick<BudgetTerms, 'limit' | 'unit'>,
    change: Change,
  ): Promise<BudgetStatus> {
    const { revision } = await beginChange(this.#db)
    const row = await this.#rowOf(name)
    const before = recordOf(row)
    checkVersion(before, change)
    checkUnit(before, unit)
    await this.#db
      .updateTable('budgets')
      .set({ amount: limit, version: revision })
      .where('id', '=', before.id)
      .execute()
    await this.#touchOwner(row, revision)
    const after = await this.find(name)
    const entry = { atMs: this.#ground.nowMs(), by: change.by, action: 'budget.update', target: name, before, after }
    await recordChange(this.#db, revision, { ...entry, targetId: before.id })
    return this.#status(name)
  }

  async delete(name: string, change: Change): Promise<void> {
    const { revision } = await beginChange(this.#db)
    const row = await this.#rowOf(name)
    const before = recordOf(row)
    checkVersion(before, change)
    await this.#drop([before.id])
    await this.#touchOwner(row, revision)
    const entry = { atMs: this.#ground.nowMs(), by: change.by, action: 'budget.delete', target: name, before }
    await recordChange(this.#db, revision, { ...entry, after: null, targetId: before.id })
  }

  async adjust(
    name: string,
    { amount, unit, reason, user = null }: Parameters<AccountCalls['adjustBudget']>[1],
    { by }: By,
  ): ReturnType<AccountCalls['adjustBudget']> {
    const { revision } = await beginChange(this.#db)
    const record = await this.find(name)
    checkUnit(record, unit)
    const id = this.#ground.chargedId(partOf(record, user, true))
    const atMs = this.#ground.nowMs()
    const windowStart = windowStartMs(record.per, windowAt(record.per, atMs))
    const money = unit === 'usd'
    const spent = await this.#spentIn(id, windowStart)
    const before = money ? spent.nano : spent.tokens
    if (before + amount < 0) {
      const message = `${unit}: a refund cannot be more than what was spent in this window.`
      throw new GatewayError('invalid_request', { message, param: unit })
    }
    const [nano, tokens] = money ? [amount, 0] : [0, amount]
    await addSpent(this.#db, [{ budgetId: id, windowStartMs: windowStart, nano, tokens }])
    // How much in each direction: both only grow.
    const share = { budget_id: id, window_start_ms: windowStart, node: amount < 0 ? ADJUSTED.minus : ADJUSTED.plus }
    await addShares(this.#db, [{ ...share, spent_nano: Math.abs(nano), spent_tokens: Math.abs(tokens) }])
    const entry = { atMs, by, action: 'budget.adjust', target: name, targetId: record.id }
    await recordChange(this.#db, revision, {
      ...entry,
      before: { spent: before },
      after: { spent: before + amount, reason, ...(user === null ? {} : { user }) },
    })
    return { id, amount }
  }

  /** @throws not_found */
  async find(name: string): Promise<BudgetRecord> {
    return recordOf(await this.#rowOf(name))
  }

  /** Before anything is changed. @throws invalid_request where there can be no budgets, or two of the same */
  checkAllowed(terms: readonly BudgetTerms[]): void {
    const { noBudgets } = this.#ground
    if (noBudgets !== null && terms.length > 0) throw new GatewayError('invalid_request', { message: noBudgets })
    const kinds = terms.map(({ unit, per }) => `${unit} per ${per}`)
    const twice = kinds.find((kind, i) => kinds.indexOf(kind) !== i)
    if (twice === undefined) return
    throw new GatewayError('invalid_request', { message: `budgets: ${twice} is given twice`, param: 'budgets' })
  }

  /** Makes these the budgets that belong to a key or team; those that stay keep what was spent. */
  async putInline(owner: InlineOwner, terms: readonly BudgetTerms[], revision: number): Promise<void> {
    const rows = await this.#db
      .selectFrom('budgets')
      .selectAll()
      .where('subject', '=', owner.id)
      .where('inline', '=', 1)
      .execute()
    const known = new Map(rows.map((row) => [`${row.unit} ${row.per}`, row]))
    for (const each of terms) {
      const row = known.get(`${each.unit} ${each.per}`)
      known.delete(`${each.unit} ${each.per}`)
      if (row === undefined) {
        const budget = { ...each, name: inlineName(owner, each) }
        await this.#insert(budget, { kind: owner.kind, subject: owner.id }, { revision, isInline: true })
      } else if (row.amount !== each.limit) {
        const changed = { amount: each.limit, version: revision }
        await this.#db.updateTable('budgets').set(changed).where('id', '=', row.id).execute()
      }
    }
    await this.#drop([...known.values()].map(({ id }) => id))
  }

  /** Deletes all budgets of a key or team, with those that were not created with it. */
  async deleteOf(subject: string): Promise<void> {
    const rows = await this.#db
      .selectFrom('budgets')
      .select('id')
      .where('subject', '=', subject)
      .where('kind', 'in', ['key', 'team', 'user'])
      .execute()
    await this.#drop(rows.map(({ id }) => id))
  }

  /** The budgets that belong to keys or teams, by their ids. */
  async inlineOf(subjects: readonly string[]): Promise<ReadonlyMap<string, readonly BudgetTerms[]>> {
    const bySubject = new Map<string, BudgetTerms[]>()
    if (subjects.length === 0) return bySubject
    const rows = await this.#db
      .selectFrom('budgets')
      .selectAll()
      .where('subject', 'in', subjects)
      .where('inline', '=', 1)
      .execute()
    for (const row of rows) bySubject.set(row.subject, [...(bySubject.get(row.subject) ?? []), termsOf(row)])
    for (const terms of bySubject.values()) sortTerms(terms)
    return bySubject
  }

  #rows() {
    return this.#db
      .selectFrom('budgets')
      .leftJoin('keys', 'keys.id', 'budgets.subject')
      .leftJoin('teams', 'teams.id', 'budgets.subject')
      .selectAll('budgets')
      .select(['keys.name as key_name', 'teams.name as team_name'])
  }

  async #row(name: string): Promise<Row | null> {
    return (await this.#rows().where('budgets.name', '=', name).executeTakeFirst()) ?? null
  }

  /** @throws not_found */
  async #rowOf(name: string): Promise<Row> {
    const row = await this.#row(name)
    if (row === null) throw new GatewayError('not_found', { message: `There is no budget ${name}.` })
    return row
  }

  async #status(name: string): Promise<BudgetStatus> {
    return this.#statusOf(await this.#rowOf(name))
  }

  #statusOf(row: Row, user: string | null = null): BudgetStatus {
    const record = recordOf(row)
    const window = windowAt(record.per, this.#ground.nowMs())
    // One that is created in this transaction is not there yet.
    const fresh = user === null && isOfUsers(record) ? { users: 0 } : {}
    const none: BudgetUse = { window, limit: 0, spent: 0, reserved: 0, ...fresh }
    const usage = this.#ground.usageOf(partOf(record, user)) ?? none
    const { spent, reserved, users = null } = usage
    return { ...record, spent, reserved, users, resetsAtMs: windowEndMs(record.per, usage.window) }
  }

  async #insert(
    { name, per, unit, limit }: Omit<NewBudget, 'scope'>,
    { kind, subject }: Subject,
    { revision, isInline }: { readonly revision: number; readonly isInline: boolean },
  ): Promise<{ readonly id: string; readonly atMs: number }> {
    const atMs = this.#ground.nowMs()
    const id = createId('budget', this.#ground.random)
    const columns = { id, name, kind, subject, per, unit, amount: limit, inline: isInline ? 1 : 0 }
    await this.#db
      .insertInto('budgets')
      .values({ ...columns, created_at_ms: atMs, version: revision })
      .execute()
    return { id, atMs }
  }

  async #drop(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    for (const table of ['budget_windows', 'budget_shares'] as const) {
      await this.#db.deleteFrom(table).where('budget_id', 'in', ids).execute()
      for (const id of ids) {
        await this.#db.deleteFrom(table).where('budget_id', 'like', userBudgetId(id, '%')).execute()
      }
    }
    await this.#db.deleteFrom('budgets').where('id', 'in', ids).execute()
  }

  /** A key or team shows the budgets that belong to it: it has another version then. */
  async #touchOwner({ kind, subject, inline }: Row, revision: number): Promise<void> {
    if (inline === 0) return
    const table = kind === 'key' ? 'keys' : 'teams'
    await this.#db.updateTable(table).set({ version: revision }).where('id', '=', subject).execute()
  }

  async #spentIn(budgetId: string, startMs: number): Promise<{ readonly nano: number; readonly tokens: number }> {
    const row = await this.#db
      .selectFrom('budget_windows')
      .select(['spent_nano', 'spent_tokens'])
      .where('budget_id', '=', budgetId)
      .where('window_start_ms', '=', startMs)
      .executeTakeFirst()
    return { nano: row?.spent_nano ?? 0, tokens: row?.spent_tokens ?? 0 }
  }
}

/** The order in which records show them. */
export function sortTerms(terms: BudgetTerms[]): BudgetTerms[] {
  const rank = ({ per, unit }: BudgetTerms): number => BUDGET_PERIODS.indexOf(per) * 2 + (unit === 'usd' ? 0 : 1)
  return terms.sort((a, b) => rank(a) - rank(b))
}

function recordOf(row: Row): BudgetRecord {
  return {
    ...{ id: row.id, name: row.name, scope: scopeOf(row), ...termsOf(row) },
    ...{ isInline: row.inline === 1, createdAtMs: row.created_at_ms, version: row.version },
  }
}

function termsOf({ per, unit, amount }: Pick<BudgetTable, 'per' | 'unit' | 'amount'>): BudgetTerms {
  return { unit: unit as BudgetUnit, limit: amount, per: per as BudgetPeriod }
}

function inlineName({ kind, name }: InlineOwner, { per, unit }: BudgetTerms): string {
  return `${kind}:${name}:${per}${unit === 'usd' ? '' : ':tokens'}`
}

function isSameTerms([per, unit, amount]: readonly [string, string, number], budget: BudgetTerms): boolean {
  return per === budget.per && unit === budget.unit && amount === budget.limit
}

/** @throws invalid_request where a budget of money is changed in tokens, or the other way round */
function checkUnit({ name, unit }: BudgetRecord, given: BudgetUnit): void {
  if (unit === given) return
  throw new GatewayError('invalid_request', { message: `${given}: ${name} is a budget in ${unit}`, param: given })
}

/** Why there can be no budgets: other nodes would spend from them unseen. */
export const NEEDS_REDIS =
  'Budgets hold over several nodes by Redis: with accounts.store: postgres they need redis.url, or accounts.singleNode: true where there is one node.'

/** @throws misconfigured for budgets that the database has and this gateway cannot hold */
export function checkBudgets(ground: Pick<Ground, 'noBudgets'>, present: PresentBudgets): void {
  const unheld = unheldBudgets(ground, present)
  if (unheld !== null) throw new GatewayError('misconfigured', { message: `accounts: ${unheld}` })
}

/** Which budgets of the database this gateway cannot hold, and why; null: it can hold all of them. */
export function unheldBudgets({ noBudgets }: Pick<Ground, 'noBudgets'>, { count }: PresentBudgets): string | null {
  return noBudgets !== null && count > 0 ? `the database has budgets. ${noBudgets}` : null
}

type PresentBudgets = { readonly count: number }
