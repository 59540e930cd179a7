// Keys and teams in a file of SQLite, which one process owns.
import { Kysely, SqliteDialect } from 'kysely'
import { type ErrorOptions, GatewayError } from '../../errors.js'
import { type ErrorCode } from '../../model/error.js'
import { type Connection, closeDatabaseFile, codeOf, openDatabaseFile } from '../../sqlite/database-file.js'
import { type AccountsDatabase } from './rows.js'
import { migrationsFor, type Tables } from './schema.js'

/** "SlAc": marks a file as ours (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x536c4163
/** Errors that last until someone repairs the file (https://sqlite.org/rescode.html); with extended codes. */
const LASTING = /^SQLITE_(?:READONLY|CORRUPT|NOTADB|CANTOPEN|PERM|AUTH|FORMAT)/
/** A month of end users, which reports read in the order of their names, in this file and not from the disk again for each row. */
const CACHE_KIB = 64 * 1024
const NOT_WRITABLE = "The account database is damaged or not writable. See the gateway's log."
const RETRY_AFTER_MS = 1000

/**
 * Opens the file, or makes it.
 * @throws misconfigured, naming the file, when it is damaged, foreign, newer, in use or cannot be had
 */
export function openAccountsFile(path: string): AccountsDatabase {
  const kind = { noun: 'account database', applicationId: APPLICATION_ID, migrations: migrationsFor('sqlite') }
  const connection = openDatabaseFile(path, kind)
  connection.pragma(`cache_size = -${CACHE_KIB}`)
  return {
    db: new Kysely<Tables>({ dialect: new SqliteDialect({ database: preparerOf(connection) }) }),
    prepare: async () => undefined,
    failureOf,
    shared: null,
    close: async () => closeDatabaseFile(connection),
  }
}

/** The connection as Kysely calls it. */
function preparerOf(connection: Connection) {
  return {
    close: () => undefined,
    prepare(text: string) {
      const statement = connection.prepare(text)
      return {
        reader: statement.reader,
        all: (parameters: readonly unknown[]) => statement.all([...parameters] as never[]),
        iterate: (parameters: readonly unknown[]) => statement.iterate([...parameters] as never[]),
        run: (parameters: readonly unknown[]) => statement.run([...parameters] as never[]),
      }
    },
  }
}

function failureOf(thrown: unknown): GatewayError {
  const code = codeOf(thrown)
  const fail = (kind: ErrorCode, options: ErrorOptions = {}) => new GatewayError(kind, { ...options, cause: thrown })
  if (code === 'SQLITE_FULL') return fail('storage_full')
  if (LASTING.test(code)) return fail('storage_unavailable', { message: NOT_WRITABLE })
  if (!code.startsWith('SQLITE_')) return fail('internal')
  const message = 'The account database is temporarily unavailable.'
  return fail('overloaded', { message, retryAfterMs: RETRY_AFTER_MS })
}
