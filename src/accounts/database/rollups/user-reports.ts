// Spend of end users. Without days it is read from whole months where the range has them; with days it is read a day, a key or some users
// at a time, whatever the report is ordered by first, until the page is full.
import { sql } from 'kysely'
import { type SpendQuery } from '../../rollups/reports.js'
import { DAY_MS } from '../../rollups/types.js'
import { type Database } from '../rows.js'
import { COUNT_COLUMNS, type Column, type Counted, type Grouped, isAfter, summed } from './report-columns.js'
import { dayParts, firstDayOf, monthOf, type Part } from './report-parts.js'

const NAMES = ['user_name', 'key_name', 'owner'] as const
/** A query for fewer would cost more than what it finds. */
const MIN_USERS = 16

type Days = { readonly from: number; readonly to: number }
/** What one query of a report by days reads. */
type Step = { readonly days: Days; readonly users?: readonly string[]; readonly key?: KeyNames }
type KeyNames = { readonly key_name: string; readonly owner: string }

/** One row more than the page has, where there are more. */
export async function userRows(db: Database, query: SpendQuery, columns: readonly Column[]): Promise<Grouped[]> {
  if (query.by.includes('day')) return rowsByDay(db, query, columns)
  const lead = sql.ref(query.by[0] === 'user' ? 'user_name' : 'key_name')
  return (
    usersOf(db, await partsOf(db, query))
      // Always so: it makes SQLite choose the index that is in the order of the report.
      .where(sql<boolean>`${lead} >= ${String(query.after?.at[0] ?? '')}`)
      .select(columns.map(({ name, expression }) => expression.as(name)))
      .select(COUNT_COLUMNS.map(summed))
      .$if(query.after !== null, (outer) => outer.where(isAfter(columns, query)))
      .groupBy(columns.map(({ expression }) => expression))
      .$call((rows) => columns.reduce((ordered, { expression }) => ordered.orderBy(expression), rows))
      .limit(query.limit + 1)
      .execute() as unknown as Promise<Grouped[]>
  )
}

/** Over all pages. */
export async function userTotal(db: Database, query: SpendQuery): Promise<Counted> {
  return usersOf(db, await partsOf(db, query))
    .select(COUNT_COLUMNS.map(summed))
    .executeTakeFirstOrThrow()
}

function daysOf({ fromMs, toMs }: SpendQuery): Days {
  return { from: Math.floor(fromMs / DAY_MS), to: Math.ceil(toMs / DAY_MS) }
}

/** A month whose days after the range are still to come is whole. */
async function partsOf(db: Database, query: SpendQuery): Promise<Part<'day' | 'month'>[]> {
  const { from, to } = daysOf(query)
  const later = await db.selectFrom('rollup_users').select('day').where('day', '>=', to).limit(1).executeTakeFirst()
  return dayParts(from, later === undefined ? firstDayOf(monthOf(to - 1) + 1) : to)
}

function usersOf(db: Database, parts: readonly Part<'day' | 'month'>[]) {
  const [first = userDays(db, { from: 0, to: 0 }), ...others] = parts.map((part) =>
    part.span === 'month' ? userMonths(db, part) : userDays(db, part),
  )
  return db.selectFrom(others.reduce((all, part) => all.unionAll(part), first).as('users'))
}

function userDays(db: Database, { from, to }: Days) {
  const rows = db.selectFrom('rollup_users').select(NAMES).select(COUNT_COLUMNS)
  return rows.where('day', '>=', from).where('day', '<', to)
}

/** A single month by its number alone: then its index is in the order of the report. */
function userMonths(db: Database, { from, to }: Days) {
  const rows = db.selectFrom('rollup_user_months').select(NAMES).select(COUNT_COLUMNS)
  return to - from === 1 ? rows.where('month', '=', from) : rows.where('month', '>=', from).where('month', '<', to)
}

async function rowsByDay(db: Database, query: SpendQuery, columns: readonly Column[]): Promise<Grouped[]> {
  const found: Grouped[] = []
  for await (const { days, users, key } of stepsOf(db, query)) {
    const rows = await db
      .selectFrom('rollup_users')
      .$if(days.to - days.from === 1, (all) => all.where('day', '=', days.from))
      .$if(days.to - days.from > 1, (all) => all.where('day', '>=', days.from).where('day', '<', days.to))
      .$if(users !== undefined, (all) => all.where('user_name', 'in', users ?? []))
      .$if(key !== undefined, (all) =>
        all.where('owner', '=', key?.owner ?? '').where('key_name', '=', key?.key_name ?? ''),
      )
      .select(columns.map(({ name, expression }) => expression.as(name)))
      .select(COUNT_COLUMNS.map(summed))
      .$if(query.after !== null, (all) => all.where(isAfter(columns, query)))
      .groupBy(columns.map(({ expression }) => expression))
      .$call((all) => columns.reduce((ordered, { expression }) => ordered.orderBy(expression), all))
      .limit(query.limit + 1 - found.length)
      .execute()
    found.push(...(rows as unknown as Grouped[]))
    if (found.length > query.limit) break
  }
  return found
}

/** In the order of the report, from where the page before has ended. */
function stepsOf(db: Database, query: SpendQuery): AsyncIterable<Step> | Iterable<Step> {
  const [lead] = query.by
  if (lead === 'day') return stepsByDay(query)
  return lead === 'user' ? stepsByUser(db, query) : stepsByKey(db, query)
}

function* stepsByDay(query: SpendQuery): Generator<Step> {
  const { from, to } = daysOf(query)
  for (let day = Math.max(from, Number(query.after?.at[0] ?? from)); day < to; day++) {
    yield { days: { from: day, to: day + 1 } }
  }
}

/** As many users at a time as fill a page if each of them was there on every day. */
async function* stepsByUser(db: Database, query: SpendQuery): AsyncGenerator<Step> {
  const days = daysOf(query)
  const count = Math.max(MIN_USERS, Math.ceil((query.limit + 1) / (days.to - days.from)))
  let first = sql<boolean>`user_name >= ${String(query.after?.at[0] ?? '')}`
  for (;;) {
    const rows = await namesIn(db, days)
      .select('user_name')
      .where(first)
      .groupBy('user_name')
      .orderBy('user_name')
      .limit(count)
      .execute()
    const users = rows.map((row) => row.user_name)
    if (users.length > 0) yield { days, users }
    if (users.length < count) return
    first = sql<boolean>`user_name > ${users.at(-1)}`
  }
}

async function* stepsByKey(db: Database, query: SpendQuery): AsyncGenerator<Step> {
  const days = daysOf(query)
  const [name = '', owner = ''] = query.after?.at ?? []
  const keys = await namesIn(db, days)
    .select(['key_name', 'owner'])
    .where(sql<boolean>`(key_name, owner) >= (${name}, ${owner})`)
    .groupBy(['key_name', 'owner'])
    .orderBy('key_name')
    .orderBy('owner')
    .execute()
  for (const key of keys) yield { days, key }
}

/** Those of whole months: some may have nothing in these days. */
function namesIn(db: Database, { from, to }: Days) {
  const [first, end] = [monthOf(from), monthOf(to - 1) + 1]
  const rows = db.selectFrom('rollup_user_months')
  return end - first === 1 ? rows.where('month', '=', first) : rows.where('month', '>=', first).where('month', '<', end)
}
