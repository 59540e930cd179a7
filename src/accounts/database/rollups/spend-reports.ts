// Spend as operators and holders of keys ask for it: sums over rollups, in the order of what they are grouped by. Rows of days are read
// where whole days are asked for, so that a month of a busy gateway is a few ten thousand rows.
import { type RawBuilder, sql } from 'kysely'
import { type KeyUsage, type SpendPage, type SpendQuery, type SpendRow, type SpendSum } from '../../rollups/reports.js'
import { DAY_MS, HOUR_MS, HOURS_PER_DAY } from '../../rollups/types.js'
import { type Database } from '../rows.js'

const COUNT_COLUMNS = [
  ...(['requests', 'attempts', 'errors', 'input_tokens', 'output_tokens'] as const),
  ...(['cached_tokens', 'cost_nano', 'unpriced'] as const),
] as const

type Counted = Record<(typeof COUNT_COLUMNS)[number], number>
/** Texts or numbers by the names of columns. */
type Grouped = Counted & Record<string, string | number>

/** Sums by these dimensions. */
export async function reportSpend(db: Database, query: SpendQuery): Promise<SpendPage> {
  const { by, limit } = query
  const isByUser = by.includes('user')
  const columns = columnsOf(query)
  const found = await (isByUser ? userRows(db, query, columns) : sourceRows(db, query, columns))
  const rows = found.slice(0, limit)
  const last = found.length > limit ? rows.at(-1) : undefined
  return {
    rows: rows.map((row) => rowOf(row, query)),
    next: last === undefined ? null : columns.map(({ name }) => last[name] ?? ''),
    total: sumOf(await (isByUser ? userTotal(db, query) : rollupTotal(db, query))),
  }
}

/** What one key has spent today and in this month. */
export async function reportKeyUsage(db: Database, owner: string, nowMs: number): Promise<KeyUsage> {
  const today = Math.floor(nowMs / DAY_MS)
  const date = new Date(nowMs)
  const first = Math.floor(Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / DAY_MS)
  const sources = await db.selectFrom('rollup_sources').select('id').where('owner', '=', owner).execute()
  const ids = sources.map(({ id }) => id)
  const days = Array.from({ length: today - first + 1 }, (_, i) => first + i)
  if (ids.length === 0) return { today: sumOf(null), month: sumOf(null) }
  const rows = await db
    .selectFrom('rollups')
    .select('slot')
    .select(COUNT_COLUMNS.map(summed))
    .where('span_hours', '=', HOURS_PER_DAY)
    .where('slot', 'in', days)
    // All of them, found by the whole key of their rows.
    .where('source', 'in', ids.slice(0, MAX_SOURCES))
    .groupBy('slot')
    .execute()
  const month = rows.reduce((sum, row) => plus(sum, sumOf(row)), sumOf(null))
  return { today: sumOf(rows.find(({ slot }) => slot === today) ?? null), month }
}

/** Parameters of a query are limited; more than these are models that a key has tried out over a year. */
const MAX_SOURCES = 10_000

type Column = { readonly name: string; readonly expression: RawBuilder<string | number> }

/** A sum of integers as a number that every database answers with, exact up to 2^53. */
function summed(name: (typeof COUNT_COLUMNS)[number]) {
  return sql<number>`cast(sum(${sql.ref(name)}) as double precision)`.as(name)
}

const SOURCE_COLUMNS = {
  team: ['team'],
  key: ['key_name', 'owner'],
  model: ['model'],
  provider: ['provider'],
} as const

/** What rows are grouped and ordered by. */
function columnsOf({ by }: SpendQuery): Column[] {
  return by.flatMap((dimension): Column[] => {
    switch (dimension) {
      case 'day':
        return [{ name: 'day', expression: sql.ref('day') }]
      case 'user':
        return [{ name: 'user_name', expression: sql.ref('user_name') }]
      case 'tag':
        return [{ name: 'tag', expression: sql`coalesce(${sql.ref('rollup_tags.tag')}, '')` }]
      default:
        return SOURCE_COLUMNS[dimension].map((name) => ({ name, expression: sql.ref(name) }))
    }
  })
}

/** Whole days are read as such. */
function spanOf({ fromMs, toMs }: SpendQuery): { readonly hours: number; readonly from: number; readonly to: number } {
  const hours = fromMs % DAY_MS === 0 && toMs % DAY_MS === 0 ? HOURS_PER_DAY : 1
  return { hours, from: fromMs / (hours * HOUR_MS), to: toMs / (hours * HOUR_MS) }
}

function inRange(db: Database, query: SpendQuery) {
  const { hours, from, to } = spanOf(query)
  return db.selectFrom('rollups').where('span_hours', '=', hours).where('slot', '>=', from).where('slot', '<', to)
}

async function sourceRows(db: Database, query: SpendQuery, columns: readonly Column[]): Promise<Grouped[]> {
  const { hours } = spanOf(query)
  const isByDay = query.by.includes('day')
  const day = sql<number>`slot / ${sql.lit(HOURS_PER_DAY / hours)}`
  const sums = inRange(db, query)
    .select('source')
    .select(COUNT_COLUMNS.map(summed))
    .groupBy('source')
    .$if(isByDay, (inner) => inner.select(day.as('day')).groupBy(day))
  return db
    .selectFrom(sums.as('sums'))
    .innerJoin('rollup_sources', 'rollup_sources.id', 'sums.source')
    .$if(
      query.by.includes('tag'),
      (outer) => outer.leftJoin('rollup_tags', 'rollup_tags.source', 'sums.source') as typeof outer,
    )
    .select(columns.map(({ name, expression }) => expression.as(name)))
    .select(COUNT_COLUMNS.map(summed))
    .$if(query.after !== null, (outer) => outer.where(isAfter(columns, query)))
    .groupBy(columns.map(({ expression }) => expression))
    .$call((rows) => columns.reduce((ordered, { expression }) => ordered.orderBy(expression), rows))
    .limit(query.limit + 1)
    .execute() as unknown as Promise<Grouped[]>
}

async function userRows(db: Database, query: SpendQuery, columns: readonly Column[]): Promise<Grouped[]> {
  return usersInRange(db, query)
    .select(columns.map(({ name, expression }) => expression.as(name)))
    .select(COUNT_COLUMNS.map(summed))
    .$if(query.after !== null, (outer) => outer.where(isAfter(columns, query)))
    .groupBy(columns.map(({ expression }) => expression))
    .$call((rows) => columns.reduce((ordered, { expression }) => ordered.orderBy(expression), rows))
    .limit(query.limit + 1)
    .execute() as unknown as Promise<Grouped[]>
}

function usersInRange(db: Database, { fromMs, toMs }: SpendQuery) {
  return db
    .selectFrom('rollup_users')
    .where('day', '>=', Math.floor(fromMs / DAY_MS))
    .where('day', '<', Math.ceil(toMs / DAY_MS))
}

function userTotal(db: Database, query: SpendQuery): Promise<Counted> {
  return usersInRange(db, query).select(COUNT_COLUMNS.map(summed)).executeTakeFirstOrThrow()
}

function rollupTotal(db: Database, query: SpendQuery): Promise<Counted> {
  return inRange(db, query).select(COUNT_COLUMNS.map(summed)).executeTakeFirstOrThrow()
}

/** Row values, compared from the left: https://sqlite.org/rowvalue.html */
function isAfter(columns: readonly Column[], { after }: SpendQuery) {
  const expressions = columns.map(({ expression }) => expression)
  return sql<boolean>`(${sql.join(expressions)}) > (${sql.join([...(after ?? [])])})`
}

function rowOf(row: Grouped, { by }: SpendQuery): SpendRow {
  const textOf = (name: string): string => String(row[name] ?? '')
  return {
    ...(by.includes('team') ? { team: textOf('team') || null } : {}),
    ...(by.includes('key') ? { key: textOf('key_name'), keyId: idOf(textOf('owner')) } : {}),
    ...(by.includes('model') ? { model: textOf('model') || null } : {}),
    ...(by.includes('provider') ? { provider: textOf('provider') || null } : {}),
    ...(by.includes('tag') ? { tag: textOf('tag') || null } : {}),
    ...(by.includes('user') ? { user: textOf('user_name') } : {}),
    ...(by.includes('day') ? { day: dayText(Number(row.day)) } : {}),
    ...sumOf(row),
  }
}

/** Null for a key of the configuration file. */
function idOf(owner: string): string | null {
  return owner.startsWith('key_') ? owner : null
}

function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length)
}

/** Null, and sums over nothing: all of them 0. */
function sumOf(row: { readonly [Name in keyof Counted]: number | null } | null): SpendSum {
  return {
    requests: row?.requests ?? 0,
    attempts: row?.attempts ?? 0,
    errors: row?.errors ?? 0,
    inputTokens: row?.input_tokens ?? 0,
    outputTokens: row?.output_tokens ?? 0,
    cachedTokens: row?.cached_tokens ?? 0,
    costNano: row?.cost_nano ?? 0,
    unpriced: row?.unpriced ?? 0,
  }
}

function plus(a: SpendSum, b: SpendSum): SpendSum {
  return Object.fromEntries(
    Object.entries(a).map(([name, value]) => [name, value + b[name as keyof SpendSum]]),
  ) as SpendSum
}
