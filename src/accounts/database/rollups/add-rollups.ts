// Rollups in the database: batches of event loops are added to the rows of their hours and days, each batch once, and rows are forgotten
// when they are old. Each call within a transaction of its caller's.
import { createHash } from 'node:crypto'
import { type Insertable, type RawBuilder, sql } from 'kysely'
import {
  addCounts,
  HOURS_PER_DAY,
  noCounts,
  type RollupBatch,
  type RollupCounts,
  type RollupSource,
  type UserRollupRow,
} from '../../rollups/types.js'
import { type Database } from '../rows.js'
import { COUNT_COLUMNS, type Counted } from './report-columns.js'
import { monthOf } from './report-parts.js'
import { type RollupTable, type RollupTagTable, type RollupUserMonthTable, type RollupUserTable } from './tables.js'
import { type UserNames } from './user-names.js'

/** Rows of one statement: its parameters are limited. */
const MAX_ROWS = 500
const ID_LENGTH = 22
/** A process that has not written for so long is gone: none sends a batch again after it. */
const WRITER_MS = 7 * 86_400_000

/** How long rows are kept. */
export type RollupDays = { readonly hourlyDays: number; readonly dailyDays: number }

/** Adds what is not added yet: the number of the batch is written in the same transaction. */
export async function addRollups(db: Database, batch: RollupBatch, users: UserNames, nowMs: number): Promise<void> {
  const { writer, sequence } = batch
  const isNew = await db
    .insertInto('rollup_writers')
    .values({ id: writer, sequence, seen_at_ms: nowMs })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({ sequence, seen_at_ms: nowMs })
        .whereRef('excluded.sequence', '>', 'rollup_writers.sequence'),
    )
    .returning('id')
    .executeTakeFirst()
  if (isNew === undefined) return
  await addSources(db, batch)
  for (const rows of slices(rollupRowsOf(batch))) await upsertRollups(db, rows)
  const userRows = await userRowsOf(db, batch.users, users)
  for (const rows of slices(userRows)) await upsertUsers(db, rows)
  for (const rows of slices(monthRowsOf(userRows))) await upsertUserMonths(db, rows)
}

/** Deletes the rows that are older. */
export async function forgetRollups(db: Database, days: RollupDays, today: number, nowMs: number): Promise<void> {
  const firstDay = today - days.dailyDays
  const spans = [
    [1, (today - days.hourlyDays) * HOURS_PER_DAY],
    [HOURS_PER_DAY, firstDay],
  ] as const
  for (const [span, first] of spans) {
    await db.deleteFrom('rollups').where('span_hours', '=', span).where('slot', '<', first).execute()
  }
  await db.deleteFrom('rollup_users').where('day', '<', firstDay).execute()
  await db.deleteFrom('rollup_user_months').where('month', '<', monthOf(firstDay)).execute()
  const old = db.selectFrom('rollup_sources').select('id').where('seen_day', '<', firstDay)
  await db.deleteFrom('rollup_tags').where('source', 'in', old).execute()
  await db.deleteFrom('rollup_sources').where('seen_day', '<', firstDay).execute()
  await db
    .deleteFrom('rollup_writers')
    .where('seen_at_ms', '<', nowMs - WRITER_MS)
    .execute()
}

async function addSources(db: Database, { rows }: RollupBatch): Promise<void> {
  const days = new Map<string, { readonly source: RollupSource; day: number }>()
  for (const { source, hour } of rows) {
    const id = sourceIdOf(source)
    const day = Math.floor(hour / HOURS_PER_DAY)
    const known = days.get(id)
    if (known === undefined) days.set(id, { source, day })
    else known.day = Math.max(known.day, day)
  }
  const sources = [...days].sort(byFirst)
  for (const some of slices(sources)) {
    await db
      .insertInto('rollup_sources')
      .values(
        some.map(([id, { source, day }]) => {
          const { owner, keyName, team, model, provider, tags } = source
          return { id, owner, key_name: keyName, team, model, provider, tags: JSON.stringify(tags), seen_day: day }
        }),
      )
      .onConflict((conflict) =>
        conflict
          .column('id')
          .doUpdateSet((row) => ({ seen_day: row.ref('excluded.seen_day') }))
          .whereRef('excluded.seen_day', '>', 'rollup_sources.seen_day'),
      )
      .execute()
  }
  const tags: RollupTagTable[] = sources.flatMap(([id, { source }]) =>
    [...new Set(source.tags)].sort().map((tag) => ({ source: id, tag })),
  )
  for (const some of slices(tags)) {
    await db
      .insertInto('rollup_tags')
      .values(some)
      .onConflict((conflict) => conflict.columns(['source', 'tag']).doNothing())
      .execute()
  }
}

/** Of hours and of days, in the order of their keys: two nodes that add the same rows never wait for each other crosswise. */
function rollupRowsOf({ rows }: RollupBatch): Insertable<RollupTable>[] {
  const sums = new Map<string, { readonly span: number; readonly slot: number; id: string; counts: RollupCounts }>()
  for (const { hour, source, counts } of rows) {
    const id = sourceIdOf(source)
    for (const span of [1, HOURS_PER_DAY]) {
      const slot = Math.floor(hour / span)
      const key = `${String(span).padStart(2)} ${slot} ${id}`
      const sum = sums.get(key) ?? { span, slot, id, counts: noCounts() }
      sums.set(key, sum)
      addCounts(sum.counts, counts)
    }
  }
  return [...sums]
    .sort(byFirst)
    .map(([, { span, slot, id, counts }]) => ({ span_hours: span, slot, source: id, ...columnsOf(counts) }))
}

/** The same by months. */
function monthRowsOf(rows: readonly Insertable<RollupUserTable>[]): Insertable<RollupUserMonthTable>[] {
  const sums = new Map<string, Insertable<RollupUserMonthTable>>()
  for (const { day, owner, user_name, key_name, ...counts } of rows) {
    const month = monthOf(day)
    const key = JSON.stringify([month, user_name, key_name, owner])
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, { month, user_name, key_name, owner, ...counts })
    else for (const name of COUNT_COLUMNS) sum[name] += counts[name]
  }
  return [...sums].sort(byFirst).map(([, row]) => row)
}

async function userRowsOf(
  db: Database,
  rows: readonly UserRollupRow[],
  users: UserNames,
): Promise<Insertable<RollupUserTable>[]> {
  const sums = new Map<string, { readonly row: UserRollupRow; readonly user: string; readonly counts: RollupCounts }>()
  for (const row of rows) {
    const user = await users.admit(db, row)
    const key = JSON.stringify([row.day, row.owner, user])
    const sum = sums.get(key) ?? { row, user, counts: noCounts() }
    sums.set(key, sum)
    addCounts(sum.counts, row.counts)
  }
  return [...sums].sort(byFirst).map(([, { row, user, counts }]) => {
    const { day, owner, keyName } = row
    return { day, owner, user_name: user, key_name: keyName, ...columnsOf(counts) }
  })
}

async function upsertRollups(db: Database, rows: readonly Insertable<RollupTable>[]): Promise<void> {
  await db
    .insertInto('rollups')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['span_hours', 'slot', 'source']).doUpdateSet(added('rollups')))
    .execute()
}

async function upsertUsers(db: Database, rows: readonly Insertable<RollupUserTable>[]): Promise<void> {
  await db
    .insertInto('rollup_users')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['day', 'owner', 'user_name']).doUpdateSet(added('rollup_users')))
    .execute()
}

async function upsertUserMonths(db: Database, rows: readonly Insertable<RollupUserMonthTable>[]): Promise<void> {
  await db
    .insertInto('rollup_user_months')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['month', 'user_name', 'key_name', 'owner']).doUpdateSet(added('rollup_user_months')),
    )
    .execute()
}

/** The counts of a row that is there already, with those of the new one added. */
function added(table: string): Record<keyof Counted, RawBuilder<number>> {
  const sums = COUNT_COLUMNS.map((column) => {
    return [column, sql<number>`${sql.ref(`${table}.${column}`)} + ${sql.ref(`excluded.${column}`)}`] as const
  })
  return Object.fromEntries(sums) as Record<keyof Counted, RawBuilder<number>>
}

function columnsOf(counts: RollupCounts) {
  return {
    requests: counts.requests,
    attempts: counts.attempts,
    errors: counts.errors,
    input_tokens: counts.inputTokens,
    output_tokens: counts.outputTokens,
    cached_tokens: counts.cachedTokens,
    cost_nano: counts.costNano,
    unpriced: counts.unpriced,
  }
}

/** The same for the same source on every node, so that no node has to ask. */
export function sourceIdOf({ owner, keyName, team, model, provider, tags }: RollupSource): string {
  const text = JSON.stringify([owner, keyName, team, model, provider, tags])
  return createHash('sha256').update(text).digest('base64url').slice(0, ID_LENGTH)
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function* slices<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < rows.length; i += MAX_ROWS) yield rows.slice(i, i + MAX_ROWS)
}
