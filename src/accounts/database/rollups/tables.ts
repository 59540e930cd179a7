// The tables of rollups, in the types that all databases have.
import { type Compilable, type CreateTableBuilder, type Kysely, type RawBuilder } from 'kysely'

/** What has been spent is counted for each of these. */
export type RollupSourceTable = {
  /** A hash of all that follows but the last. */
  id: string
  /** The id of a key of the database, or `file:` and the name of one of the configuration file. */
  owner: string
  key_name: string
  team: string
  model: string
  provider: string
  /** A JSON array of texts. */
  tags: string
  /** The last day with a row. */
  seen_day: number
}

/** One row for each tag of a source. */
export type RollupTagTable = { source: string; tag: string }

type RollupColumns = {
  requests: number
  attempts: number
  errors: number
  input_tokens: number
  output_tokens: number
  cached_tokens: number
  cost_nano: number
  unpriced: number
}

/** Of one hour, or of one day. */
export type RollupTable = RollupColumns & {
  /** 1 or 24. */
  span_hours: number
  /** Spans since 1970. */
  slot: number
  source: string
}

/** Of one day of one end user of a key. */
export type RollupUserTable = RollupColumns & { day: number; owner: string; user_name: string; key_name: string }

/** Of one month of one end user of a key: what the days of rollup_users add up to. `month`: since January 1970. */
export type RollupUserMonthTable = RollupColumns & { month: number; owner: string; user_name: string; key_name: string }

/** Each event loop that has written rollups, with the number of its last batch. */
export type RollupWriterTable = { id: string; sequence: number; seen_at_ms: number }

/** Of version 4 of the schema. `sortable`: a text that is ordered by its bytes. */
export function createRollupTables(schema: Kysely<unknown>['schema'], sortable: RawBuilder<unknown>): Compilable[] {
  return [
    schema
      .createTable('rollup_sources')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('key_name', sortable, (column) => column.notNull())
      .addColumn('team', sortable, (column) => column.notNull())
      .addColumn('model', sortable, (column) => column.notNull())
      .addColumn('provider', sortable, (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('seen_day', 'bigint', (column) => column.notNull()),
    schema.createIndex('rollup_sources_by_owner').on('rollup_sources').column('owner'),
    schema
      .createTable('rollup_tags')
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('tag', sortable, (column) => column.notNull())
      .addPrimaryKeyConstraint('rollup_tags_key', ['source', 'tag']),
    withCounts(
      schema
        .createTable('rollups')
        .addColumn('span_hours', 'bigint', (column) => column.notNull())
        .addColumn('slot', 'bigint', (column) => column.notNull())
        .addColumn('source', 'text', (column) => column.notNull()),
    ).addPrimaryKeyConstraint('rollups_key', ['span_hours', 'slot', 'source']),
    withCounts(
      schema
        .createTable('rollup_users')
        .addColumn('day', 'bigint', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('user_name', sortable, (column) => column.notNull())
        .addColumn('key_name', sortable, (column) => column.notNull()),
    ).addPrimaryKeyConstraint('rollup_users_key', ['day', 'owner', 'user_name']),
    schema
      .createTable('rollup_writers')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('seen_at_ms', 'bigint', (column) => column.notNull()),
  ]
}

/**
 * Of version 5 of the schema. The order of each index is that of a report of one month, so that a page is a range of it; end users are
 * looked up in their days by name.
 */
export function createUserMonths(schema: Kysely<unknown>['schema'], sortable: RawBuilder<unknown>): Compilable[] {
  return [
    withCounts(
      schema
        .createTable('rollup_user_months')
        .addColumn('month', 'bigint', (column) => column.notNull())
        .addColumn('user_name', sortable, (column) => column.notNull())
        .addColumn('key_name', sortable, (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull()),
    ).addPrimaryKeyConstraint('rollup_user_months_key', ['month', 'user_name', 'key_name', 'owner']),
    schema
      .createIndex('rollup_user_months_by_key')
      .on('rollup_user_months')
      .columns(['month', 'key_name', 'owner', 'user_name']),
    schema.createIndex('rollup_users_by_user').on('rollup_users').columns(['user_name', 'day']),
  ]
}

/** The columns of RollupColumns. */
function withCounts<Table extends string, Columns extends string>(table: CreateTableBuilder<Table, Columns>) {
  const names = [
    'requests',
    'attempts',
    'errors',
    'input_tokens',
    'output_tokens',
    'cached_tokens',
    'cost_nano',
    'unpriced',
  ]
  let built: CreateTableBuilder<Table, string> = table
  for (const name of names) built = built.addColumn(name, 'bigint', (column) => column.notNull())
  return built
}
