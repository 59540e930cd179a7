// A database file of SQLite that one process owns: created completely or not at all, checked, and migrated to this version's schema
// before anything is read from it. A file that is damaged, foreign, newer or in use is an error that names it; it is never
// replaced by an empty one.
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import { GatewayError } from '../errors.js'

/** The one connection to the file. */
export type Connection = InstanceType<typeof Database>

/** What the file is. */
export type FileKind = {
  /** For messages, such as `job store`. */
  readonly noun: string
  /** Marks a file as ours (https://sqlite.org/pragma.html#pragma_application_id). */
  readonly applicationId: number
  /** SQL of one schema version each, run once, in order, in a transaction of its own. Never edit one that was released. */
  readonly migrations: readonly string[]
}

/** A log file that grew in a burst is cut back to this after its checkpoint. */
const MAX_WAL_BYTES = 67_108_864
/** Holds what users send: for the owner alone. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/**
 * Opens the file, or makes it. The connection is the file's only one until it is closed or the process dies.
 * @throws misconfigured, naming the file, when it cannot be had as it must be
 */
export function openDatabaseFile(path: string, kind: FileKind): Connection {
  let connection: Connection | null = null
  try {
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE })
    if (!existsSync(path)) createFile(path, kind)
    // SQLite would take an empty file for a new database, but createFile leaves none: it was cut off.
    if (statSync(path).size === 0) throw refusal({ path, kind }, 'is empty and has lost its contents')
    connection = new Database(path)
    lock(connection)
    check(connection, { path, kind })
    migrate(connection, kind)
    return connection
  } catch (thrown) {
    connection?.close()
    throw thrown instanceof GatewayError ? thrown : refusal({ path, kind }, reasonOf(thrown), thrown)
  }
}

/** Leaves the whole of it in the one file. The lock goes with the thread: libsql holds a file until its statements are collected. */
export function closeDatabaseFile(connection: Connection): void {
  connection.pragma('wal_checkpoint(TRUNCATE)')
  connection.close()
}

/** Under another name first: a process killed in the middle leaves no half-made file behind, and of two the first wins. */
function createFile(path: string, kind: FileKind): void {
  const draft = `${path}.${process.pid}.new`
  rmSync(draft, { force: true })
  closeSync(openSync(draft, 'wx', FILE_MODE))
  const connection = new Database(draft)
  connection.exec(`PRAGMA synchronous = FULL; PRAGMA application_id = ${kind.applicationId}`)
  migrate(connection, kind)
  connection.close()
  try {
    linkSync(draft, path)
  } catch (thrown) {
    // A file system without links.
    if (codeOf(thrown) !== 'EEXIST') renameSync(draft, path)
  }
  rmSync(draft, { force: true })
  const directory = openSync(dirname(path), 'r')
  fsyncSync(directory)
  closeSync(directory)
}

/** One process owns the file, and the lock ends with it. FULL: a commit is on disk before it is acknowledged. */
function lock(connection: Connection): void {
  connection.pragma('locking_mode = EXCLUSIVE')
  connection.pragma('journal_mode = WAL')
  connection.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`)
}

type Opened = { readonly path: string; readonly kind: FileKind }

function check(connection: Connection, opened: Opened): void {
  const { noun, applicationId, migrations } = opened.kind
  if (pragmaOf(connection, 'application_id') !== applicationId) throw refusal(opened, `is not a Sluice ${noun}`)
  const version = Number(pragmaOf(connection, 'user_version'))
  if (version > migrations.length) {
    throw refusal(opened, `has schema version ${version}; this version of Sluice supports up to ${migrations.length}`)
  }
  const found = pragmaOf(connection, 'quick_check')
  if (found !== 'ok') throw refusal(opened, `is damaged (${String(found)})`)
}

function migrate(connection: Connection, { migrations }: FileKind): void {
  for (let version = Number(pragmaOf(connection, 'user_version')); version < migrations.length; version++) {
    connection.exec(`BEGIN IMMEDIATE; ${migrations[version]} PRAGMA user_version = ${version + 1}; COMMIT`)
  }
}

function pragmaOf(connection: Connection, pragma: string): unknown {
  const [row] = connection.pragma(pragma) as Record<string, unknown>[]
  return row?.[pragma]
}

/** The code of an error of SQLite or of the file system; empty for any other. */
export function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : ''
  return typeof code === 'string' ? code : ''
}

function reasonOf(thrown: unknown): string {
  const code = codeOf(thrown)
  if (code === 'SQLITE_BUSY') return 'is in use by another process'
  if (code === 'SQLITE_NOTADB') return 'is damaged or not a database'
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return 'has no disk space left'
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return code.startsWith('SQLITE_CORRUPT') ? `is damaged (${text})` : `cannot be opened (${text})`
}

function refusal({ path, kind }: Opened, reason: string, cause?: unknown): GatewayError {
  const message = `The ${kind.noun} ${path} ${reason}. The file was left unchanged.`
  return new GatewayError('misconfigured', { message, cause })
}
