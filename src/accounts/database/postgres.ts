// Keys and teams in PostgreSQL, which several nodes share. A commit whose answer was lost is found out by the number that its transaction
// left in the row of this process: that row is locked until the transaction has ended, one way or the other.
import { randomUUID } from 'node:crypto'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import { type ErrorOptions, GatewayError } from '../../errors.js'
import { type ErrorCode } from '../../model/error.js'
import { createClient, PostgresLine, sqlStateOf } from './postgres-line.js'
import { type AccountsDatabase, type Database, type SharedDatabase } from './rows.js'
import { migrationsFor, SCHEMA_NAME, type Tables } from './schema.js'

/** "SlAc": of the lock that one node holds while it makes the tables. */
const MIGRATION_LOCK = 0x536c4163
const CHANNEL = 'sluice_accounts'
const RETRY_AFTER_MS = 1000
/** Takes no changes: a standby, or rights that are missing. */
const LASTING: ReadonlySet<string> = new Set(['25006', '42501'])
const DISK_FULL = '53100'
/** Not there now, and usually soon: no connection, or a standby that is not in charge yet. */
const EXPECTED_BACK = /^(?:08|53300|57P|25006)/
/** A timeout, a lock that was not to be had, a conflict: it may go well the next time. */
const PASSING = /^(?:40|53|55|57)/

/** Errors name its address, never a password. `node`: the id of this process, never used before. */
export function openPostgres(url: string, node: string = randomUUID()): AccountsDatabase {
  const line = new PostgresLine(url)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: line }) }).withSchema(SCHEMA_NAME)
  const hints = new Hints(url)
  let isPrepared = false
  return {
    db,
    async prepare() {
      try {
        await migrate(db)
        const row = { id: node, sequence: 0, seen_at_ms: Date.now(), ended: 0 }
        await db
          .insertInto('nodes')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      } catch (thrown) {
        throw unusable(url, thrown, line)
      }
      isPrepared = true
    },
    failureOf: (thrown) => (line.isAway(thrown) ? unreachable(thrown) : failureOf(thrown)),
    shared: {
      ...sharedBy(node, db),
      place: databaseNameOf(url),
      isAway: (thrown) => line.isAway(thrown),
      listen: (onHint) => hints.listen(node, onHint),
    },
    async close() {
      await hints.end()
      const row = db.deleteFrom('nodes').where('id', '=', node)
      if (isPrepared) await row.execute().catch(() => undefined)
      await line.end()
    },
  }
}

function sharedBy(node: string, db: Database): Pick<SharedDatabase, 'mark' | 'wasCommitted' | 'announce'> {
  let sequence = 0
  return {
    async mark(transaction) {
      sequence += 1
      const row = { sequence, seen_at_ms: Date.now() }
      await transaction.updateTable('nodes').set(row).where('id', '=', node).execute()
    },
    async wasCommitted() {
      // Not a mere look: an update waits for the lock of the transaction in doubt, and then sees what it has left.
      const row = await db
        .updateTable('nodes')
        .set({ seen_at_ms: Date.now() })
        .where('id', '=', node)
        .returning('sequence')
        .executeTakeFirst()
      return row?.sequence === sequence
    },
    async announce(transaction) {
      await sql`select pg_notify(${CHANNEL}, ${node})`.execute(transaction)
    },
  }
}

/** What other nodes announce, on a connection of its own; while it is away nothing is heard, and nothing is lost by that. */
class Hints {
  readonly #url: string
  #client: pg.Client | null = null
  #isEnded = false

  constructor(url: string) {
    this.#url = url
  }

  /** Again after each loss, with a pause. */
  listen(node: string, onHint: () => void): void {
    if (this.#isEnded) return
    const client = createClient(this.#url)
    this.#client = client
    client.on('notification', ({ payload }) => {
      if (payload !== node) onHint()
    })
    let isRetried = false
    // A connection that ends before it is made says so twice.
    const retry = (): void => {
      if (isRetried) return
      isRetried = true
      setTimeout(() => this.listen(node, onHint), RETRY_AFTER_MS).unref()
    }
    client.once('end', retry)
    client.connect().then(() => client.query(`listen ${CHANNEL}`).then(onHint, () => undefined), retry)
  }

  async end(): Promise<void> {
    this.#isEnded = true
    await this.#client?.end().catch(() => undefined)
  }
}

/** All in one transaction: several nodes may start at once. */
async function migrate(db: Database): Promise<void> {
  const migrations = migrationsFor('postgres')
  await db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(transaction)
    // Not `if not exists`: that needs the right to create one also where there is one.
    const found = await sql<{ schema: string | null }>`select to_regnamespace(${SCHEMA_NAME})::text as schema`.execute(
      transaction,
    )
    if (found.rows[0]?.schema === null) await sql`create schema ${sql.id(SCHEMA_NAME)}`.execute(transaction)
    const versions = sql.id(SCHEMA_NAME, 'schema_version')
    await sql`create table if not exists ${versions} (version bigint not null)`.execute(transaction)
    const { rows } = await sql<{ version: number }>`select version from ${versions}`.execute(transaction)
    const version = rows[0]?.version ?? 0
    if (version > migrations.length) {
      const message = `The account database has schema version ${version}; this version of Sluice supports up to ${migrations.length}. It was left unchanged.`
      throw new GatewayError('misconfigured', { message })
    }
    if (version === migrations.length) return
    for (const migration of migrations.slice(version)) {
      for (const statement of migration.split(';\n')) await sql.raw(statement).execute(transaction)
    }
    await sql`delete from ${versions}`.execute(transaction)
    await sql`insert into ${versions} values (${migrations.length})`.execute(transaction)
  })
}

function unreachable(cause: unknown): GatewayError {
  const message = 'The account database cannot be reached.'
  return new GatewayError('overloaded', { message, retryAfterMs: RETRY_AFTER_MS, cause })
}

function failureOf(thrown: unknown): GatewayError {
  const code = sqlStateOf(thrown)
  const fail = (kind: ErrorCode, options: ErrorOptions = {}) => new GatewayError(kind, { ...options, cause: thrown })
  const retryAfterMs = RETRY_AFTER_MS
  if (code === DISK_FULL) return fail('storage_full')
  if (code !== null && LASTING.has(code)) {
    return fail('storage_unavailable', { message: 'The account database takes no changes.' })
  }
  if (code === null || !PASSING.test(code)) return fail('internal')
  return fail('overloaded', { message: 'The account database is temporarily unavailable.', retryAfterMs })
}

function unusable(url: string, thrown: unknown, line: PostgresLine): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const message = `The account database at ${placeOf(url)} cannot be used (${reason}).`
  const code = sqlStateOf(thrown)
  const retryable = code === null ? line.isAway(thrown) : EXPECTED_BACK.test(code)
  return new GatewayError('misconfigured', { message, retryable, cause: thrown })
}

/** Host and port of an address, which may contain a password. */
function placeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host || 'a local socket' : 'accounts.url'
}

/** Which database an address is of, without user and password: the same for each of its users. */
function databaseNameOf(url: string): string {
  if (!URL.canParse(url)) return 'accounts.url'
  const { host, pathname, searchParams } = new URL(url)
  return `${host || (searchParams.get('host') ?? 'a local socket')}${pathname}`
}
