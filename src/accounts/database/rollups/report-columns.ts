// The columns of reports: what they are grouped by, in which order, and the sums.
import { type RawBuilder, sql } from 'kysely'
import { type SpendQuery } from '../../rollups/reports.js'

export const COUNT_COLUMNS = [
  ...(['requests', 'attempts', 'errors', 'input_tokens', 'output_tokens'] as const),
  ...(['cached_tokens', 'cost_nano', 'unpriced'] as const),
] as const

export type Counted = Record<(typeof COUNT_COLUMNS)[number], number>
/** A row of a report: texts or numbers by the names of columns. */
export type Grouped = Counted & Record<string, string | number>

export type Column = { readonly name: string; readonly expression: RawBuilder<string | number> }

/** A sum of integers as a number that every database answers with, exact up to 2^53. */
export function summed(name: (typeof COUNT_COLUMNS)[number]) {
  return sql<number>`cast(sum(${sql.ref(name)}) as double precision)`.as(name)
}

const SOURCE_COLUMNS = {
  team: ['team'],
  key: ['key_name', 'owner'],
  model: ['model'],
  provider: ['provider'],
} as const

/** What rows are grouped and ordered by. */
export function columnsOf({ by }: SpendQuery): Column[] {
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

/** Row values, compared from the left: https://sqlite.org/rowvalue.html */
export function isAfter(columns: readonly Column[], { after }: SpendQuery) {
  const expressions = columns.map(({ expression }) => expression)
  return sql<boolean>`(${sql.join(expressions)}) > (${sql.join([...(after?.at ?? [])])})`
}
