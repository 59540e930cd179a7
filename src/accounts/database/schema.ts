// The tables of keys and teams, and the versions of their schema: written once with Kysely's builder, and compiled for the database that
// is there. Only types that all databases have: texts, and integers of 64 bits (milliseconds, counts, 0 and 1).
import {
  type Compilable,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'

import {
  createRollupTables,
  createUserMonths,
  type RollupSourceTable,
  type RollupTable,
  type RollupTagTable,
  type RollupUserMonthTable,
  type RollupUserTable,
  type RollupWriterTable,
} from './rollups/tables.js'

export type KeyTable = {
  id: string
  name: string
  team_id: string | null
  /** JSON arrays of texts. */
  models: string
  tags: string
  /** A JSON object of texts. */
  metadata: string
  requests_per_minute: number | null
  tokens_per_minute: number | null
  concurrency: number | null
  trust_user: number
  disabled: number
  created_at_ms: number
  rotated_at_ms: number | null
  expires_at_ms: number | null
  /** The revision of its last change. */
  version: number
}

export type TeamTable = {
  id: string
  name: string
  models: string
  metadata: string
  requests_per_minute: number | null
  tokens_per_minute: number | null
  concurrency: number | null
  disabled: number
  created_at_ms: number
  version: number
}

export type SecretTable = {
  /** SHA-256, hex. */
  digest: string
  key_id: string
  hint: string
  created_at_ms: number
  valid_until_ms: number | null
}

/** Apart from the key, because it changes without a change of the key. */
export type UseTable = { key_id: string; last_used_at_ms: number }

/** Each change of the database, in order: what operators did, and what a reader has to read again. */
export type ChangeTable = {
  revision: number
  at_ms: number
  by_name: string
  action: string
  target: string
  /** The id of the key or team that was changed; null where neither was. */
  target_id: string | null
  before: string | null
  after: string | null
}

/** One row. Every change updates it first: changes are made one after the other, also by several nodes. */
export type StateTable = { id: number; revision: number; key_count: number }

/** Each process that changes a shared database, with the number of its last commit: to find out whether one in doubt was made. */
export type NodeTable = {
  id: string
  sequence: number
  seen_at_ms: number
  /** It was killed; budget_shares has all that it has spent, and Redis is to be told. */
  ended: number
}

export type BudgetTable = {
  id: string
  name: string
  /** `gateway`, `team`, `key`, `model` or `tag`. */
  kind: string
  /** The id of a team or key, a glob, a tag; empty for the gateway. */
  subject: string
  per: string
  /** `usd` or `tokens`. */
  unit: string
  /** Nano-dollars or tokens. */
  amount: number
  /** It belongs to the key or team that it was created with. */
  inline: number
  created_at_ms: number
  version: number
}

/** What was spent of a budget in one of its windows. */
export type BudgetWindowTable = { budget_id: string; window_start_ms: number; spent_nano: number; spent_tokens: number }

/** The part of a row of budget_windows that one of several nodes has spent, or that operators have added or taken away. */
export type BudgetShareTable = BudgetWindowTable & { node: string }

/** Each journal of settlements that still has a file, with the number of the last one that is in budget_windows. */
export type BudgetJournalTable = { id: string; sequence: number }

/** What this gateway's nodes sign with, by its purpose; hex. */
export type SigningSecretTable = { purpose: string; secret: string }

/** Providers to which operators have stopped requests. */
export type PausedProviderTable = { name: string; by_name: string; at_ms: number }

export type Tables = {
  budgets: BudgetTable
  budget_windows: BudgetWindowTable
  budget_shares: BudgetShareTable
  budget_journals: BudgetJournalTable
  rollup_sources: RollupSourceTable
  rollup_tags: RollupTagTable
  rollups: RollupTable
  rollup_users: RollupUserTable
  rollup_user_months: RollupUserMonthTable
  rollup_writers: RollupWriterTable
  nodes: NodeTable
  keys: KeyTable
  teams: TeamTable
  secrets: SecretTable
  signing_secrets: SigningSecretTable
  paused_providers: PausedProviderTable
  uses: UseTable
  changes: ChangeTable
  state: StateTable
}

/** In a database that is shared with others, the tables have a schema of their own. */
export const SCHEMA_NAME = 'sluice'

export type Dialect = 'sqlite' | 'postgres'

/** What one schema version needs of a dialect. */
type Builder = {
  readonly schema: Kysely<Tables>['schema']
  readonly db: Kysely<Tables>
  /** A text that is ordered by its bytes, whatever the database's language. */
  readonly sortable: RawBuilder<unknown>
}

/** One entry per schema version. Never edit one that was released. */
const VERSIONS: readonly ((builder: Builder) => readonly Compilable[])[] = [
  ({ schema, db, sortable }) => [
    schema
      .createTable('teams')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', sortable, (column) => column.notNull().unique())
      .addColumn('models', 'text', (column) => column.notNull())
      .addColumn('metadata', 'text', (column) => column.notNull())
      .addColumn('requests_per_minute', 'bigint')
      .addColumn('tokens_per_minute', 'bigint')
      .addColumn('concurrency', 'bigint')
      .addColumn('disabled', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull()),
    schema
      .createTable('keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', sortable, (column) => column.notNull().unique())
      .addColumn('team_id', 'text', (column) => column.references('teams.id'))
      .addColumn('models', 'text', (column) => column.notNull())
      .addColumn('tags', 'text', (column) => column.notNull())
      .addColumn('metadata', 'text', (column) => column.notNull())
      .addColumn('requests_per_minute', 'bigint')
      .addColumn('tokens_per_minute', 'bigint')
      .addColumn('concurrency', 'bigint')
      .addColumn('trust_user', 'bigint', (column) => column.notNull())
      .addColumn('disabled', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('rotated_at_ms', 'bigint')
      .addColumn('expires_at_ms', 'bigint')
      .addColumn('version', 'bigint', (column) => column.notNull()),
    schema.createIndex('keys_by_team').on('keys').columns(['team_id', 'name']),
    schema
      .createTable('secrets')
      .addColumn('digest', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id'))
      .addColumn('hint', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('valid_until_ms', 'bigint'),
    schema.createIndex('secrets_by_key').on('secrets').column('key_id'),
    schema
      .createTable('uses')
      .addColumn('key_id', 'text', (column) => column.primaryKey())
      .addColumn('last_used_at_ms', 'bigint', (column) => column.notNull()),
    schema
      .createTable('changes')
      .addColumn('revision', 'bigint', (column) => column.primaryKey())
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('by_name', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('target_id', 'text')
      .addColumn('before', 'text')
      .addColumn('after', 'text'),
    schema
      .createTable('state')
      .addColumn('id', 'bigint', (column) => column.primaryKey())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('key_count', 'bigint', (column) => column.notNull()),
    db.insertInto('state').values({ id: sql.lit(1), revision: sql.lit(0), key_count: sql.lit(0) }),
  ],
  ({ schema }) => [
    schema
      .createTable('nodes')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull())
      .addColumn('seen_at_ms', 'bigint', (column) => column.notNull()),
  ],
  ({ schema, sortable }) => [
    schema
      .createTable('budgets')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', sortable, (column) => column.notNull().unique())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('per', 'text', (column) => column.notNull())
      .addColumn('unit', 'text', (column) => column.notNull())
      .addColumn('amount', 'bigint', (column) => column.notNull())
      .addColumn('inline', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull()),
    schema.createIndex('budgets_by_subject').on('budgets').columns(['subject', 'kind']),
    schema
      .createTable('budget_windows')
      .addColumn('budget_id', 'text', (column) => column.notNull())
      .addColumn('window_start_ms', 'bigint', (column) => column.notNull())
      .addColumn('spent_nano', 'bigint', (column) => column.notNull())
      .addColumn('spent_tokens', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('budget_windows_key', ['budget_id', 'window_start_ms']),
    schema
      .createTable('budget_journals')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', (column) => column.notNull()),
  ],
  ({ schema, sortable }) => createRollupTables(schema, sortable),
  ({ schema, sortable }) => createUserMonths(schema, sortable),
  ({ schema }) => [
    schema
      .createTable('signing_secrets')
      .addColumn('purpose', 'text', (column) => column.primaryKey())
      .addColumn('secret', 'text', (column) => column.notNull()),
  ],
  ({ schema, sortable }) => [
    schema
      .createTable('paused_providers')
      .addColumn('name', sortable, (column) => column.primaryKey())
      .addColumn('by_name', 'text', (column) => column.notNull())
      .addColumn('at_ms', 'bigint', (column) => column.notNull()),
  ],
  ({ schema }) => [
    schema
      .createTable('budget_shares')
      .addColumn('budget_id', 'text', (column) => column.notNull())
      .addColumn('window_start_ms', 'bigint', (column) => column.notNull())
      .addColumn('node', 'text', (column) => column.notNull())
      .addColumn('spent_nano', 'bigint', (column) => column.notNull())
      .addColumn('spent_tokens', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('budget_shares_key', ['budget_id', 'window_start_ms', 'node']),
    schema.createIndex('budget_shares_by_node').on('budget_shares').column('node'),
    schema.alterTable('nodes').addColumn('ended', 'bigint', (column) => column.notNull().defaultTo(0)),
  ],
]

/** The SQL of each schema version, in order: to be run once, each in a transaction of its own. */
export function migrationsFor(dialect: Dialect): string[] {
  const whole = new Kysely<Tables>({ dialect: COMPILERS[dialect] })
  const db = dialect === 'postgres' ? whole.withSchema(SCHEMA_NAME) : whole
  const sortable = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`
  return VERSIONS.map((version) =>
    version({ db, schema: db.schema, sortable })
      .map((statement) => `${statement.compile().sql};`)
      .join('\n'),
  )
}

/** Compile, and run nothing. */
const COMPILERS = {
  sqlite: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
  postgres: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
}
