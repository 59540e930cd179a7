// Spend as operators and holders of keys ask for it: sums over rollups, in the order of what they are grouped by. Whole days
// are read as such, so that a month of a busy gateway is a few ten thousand rows.
import { type SelectQueryBuilder, sql } from 'kysely'
import { type KeyUsage, type SpendPage, type SpendQuery, type SpendRow, type SpendSum } from '../../rollups/reports.js'
import { DAY_MS, HOURS_PER_DAY } from '../../rollups/types.js'
import { type Database } from '../rows.js'
import { type Tables } from '../schema.js'
import { COUNT_COLUMNS, type Column, type Counted, columnsOf, type Grouped, isAfter, summed } from './report-columns.js'
import { hourParts } from './report-parts.js'
import { userRows, userTotal } from './user-reports.js'

/** Sums by these dimensions. */
export async function reportSpend(db: Database, query: SpendQuery): Promise<SpendPage> {
  const { by, limit } = query
  const columns = columnsOf(query)
  const found = await (by.includes('user') ? userRows(db, query, columns) : sourceRows(db, query, columns))
  const rows = found.slice(0, limit)
  const last = found.length > limit ? rows.at(-1) : undefined
  const total = await totalOf(db, query, { rows, isLast: last === undefined })
  return {
    rows: rows.map((row) => rowOf(row, query)),
    next: last === undefined ? null : { at: columns.map(({ name }) => last[name] ?? ''), total },
    total,
  }
}

/** Once a report: later pages carry that of the first one, and one that has all rows is the total but for tags, which count twice. */
async function totalOf(
  db: Database,
  query: SpendQuery,
  { rows, isLast }: { readonly rows: readonly Grouped[]; readonly isLast: boolean },
): Promise<SpendSum> {
  if (query.after !== null) return query.after.total
  if (isLast && !query.by.includes('tag')) return rows.reduce((sum, row) => plus(sum, sumOf(row)), sumOf(null))
  return sumOf(await (query.by.includes('user') ? userTotal(db, query) : sourceTotal(db, query)))
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

/** Sums of each source in each part; of each day as well where the report is by days, and then a row of a day is its sum as it is. */
function sumsIn(db: Database, { fromMs, toMs, by }: SpendQuery) {
  const isByDay = by.includes('day')
  const [first, ...others] = hourParts(fromMs, toMs).map(({ span, from, to }) => {
    const hours = span === 'day' ? HOURS_PER_DAY : 1
    const day = sql<number>`slot / ${sql.lit(HOURS_PER_DAY / hours)}`
    const rows = db
      .selectFrom('rollups')
      .where('span_hours', '=', hours)
      .where('slot', '>=', from)
      .where('slot', '<', to)
      .select('source')
    if (isByDay && span === 'day') return rows.select(COUNT_COLUMNS).select('slot as day')
    const sums = rows.select(COUNT_COLUMNS.map(summed)).groupBy('source')
    return isByDay ? sums.select(day.as('day')).groupBy(day) : sums
  }) as SumsQuery[]
  return others.reduce((all, part) => (all === undefined ? part : all.unionAll(part)), first)
}

type SumsQuery = SelectQueryBuilder<Tables, 'rollups', Counted & { source: string }>

async function sourceRows(db: Database, query: SpendQuery, columns: readonly Column[]): Promise<Grouped[]> {
  const sums = sumsIn(db, query)
  if (sums === undefined) return []
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

async function sourceTotal(db: Database, query: SpendQuery): Promise<Counted | null> {
  const sums = sumsIn(db, { ...query, by: [] })
  if (sums === undefined) return null
  return db.selectFrom(sums.as('sums')).select(COUNT_COLUMNS.map(summed)).executeTakeFirstOrThrow()
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
