// The database file of the embedded store: created completely or not at all, checked, and migrated to this version's schema
// before anything is read from it. A file that is damaged, foreign, newer or in use is an error that names it; it is never
// replaced by an empty one.
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import { GatewayError } from '../../errors.js'

/** The one connection to the file. */
export type Connection = InstanceType<typeof Database>

/** "SlJb": marks a file as ours (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x536c4a62
/** A log file that grew in a burst is cut back to this after its checkpoint. */
const MAX_WAL_BYTES = 67_108_864
/** Holds prompts and answers: for the owner alone. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/**
 * One entry per schema version, each run once, in order, in a transaction of its own. Never edit one that was released.
 * `due_at` of a pending job is when it may start, of a processing one when its lease is over; `set_at` is when that was set,
 * so that a clock that goes back is noticed. Large texts stand in tables of their own: an update rewrites its whole row.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE jobs (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key_name TEXT NOT NULL, state TEXT NOT NULL,
     context TEXT NOT NULL, webhook_url TEXT, idempotency_key TEXT, error TEXT,
     attempts INTEGER NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0, spent_ms REAL NOT NULL DEFAULT 0,
     accepted_at REAL NOT NULL, changed_at REAL NOT NULL, set_at REAL NOT NULL, due_at REAL NOT NULL
   ) STRICT;
   CREATE INDEX jobs_by_turn ON jobs (key_name, state, due_at, seq);
   CREATE INDEX jobs_by_owner ON jobs (key_name, seq);
   CREATE INDEX jobs_by_lease ON jobs (due_at) WHERE state = 'processing';
   CREATE INDEX jobs_by_age ON jobs (accepted_at) WHERE state = 'pending';
   CREATE INDEX jobs_by_end ON jobs (changed_at) WHERE state IN ('completed', 'error');
   CREATE TABLE requests (seq INTEGER PRIMARY KEY, request TEXT NOT NULL) STRICT;
   CREATE TABLE answers (seq INTEGER PRIMARY KEY, answer TEXT NOT NULL) STRICT;
   CREATE TABLE turns (key_name TEXT PRIMARY KEY, served INTEGER NOT NULL) STRICT;
   CREATE TABLE tallies (key_name TEXT, state TEXT, n INTEGER NOT NULL, PRIMARY KEY (key_name, state)) STRICT;
   CREATE TRIGGER tally_new AFTER INSERT ON jobs BEGIN
     INSERT INTO tallies VALUES (new.key_name, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
   END;
   CREATE TRIGGER tally_change AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
     UPDATE tallies SET n = n - 1 WHERE key_name = old.key_name AND state = old.state;
     INSERT INTO tallies VALUES (new.key_name, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
   END;
   CREATE TRIGGER tally_gone AFTER DELETE ON jobs BEGIN
     UPDATE tallies SET n = n - 1 WHERE key_name = old.key_name AND state = old.state;
     DELETE FROM requests WHERE seq = old.seq;
     DELETE FROM answers WHERE seq = old.seq;
     DELETE FROM deliveries WHERE seq = old.seq;
   END;
   CREATE TABLE deliveries (
     seq INTEGER PRIMARY KEY, origin TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
     fence INTEGER NOT NULL DEFAULT 0, is_held INTEGER NOT NULL DEFAULT 0, last_error TEXT,
     ended_at REAL NOT NULL, set_at REAL NOT NULL, due_at REAL NOT NULL
   ) STRICT;
   CREATE INDEX deliveries_by_origin ON deliveries (origin, due_at) WHERE state = 'due';
   CREATE INDEX deliveries_dead ON deliveries (seq) WHERE state = 'dead';
   CREATE TABLE repeats (
     fence INTEGER PRIMARY KEY AUTOINCREMENT, key_name TEXT NOT NULL, idempotency_key TEXT NOT NULL, digest TEXT NOT NULL,
     kind TEXT NOT NULL, job_id TEXT, answer TEXT, set_at REAL NOT NULL, due_at REAL NOT NULL,
     UNIQUE (key_name, idempotency_key)
   ) STRICT;
   CREATE INDEX repeats_by_end ON repeats (due_at);`,
  // Bytes are counted where they are written: to measure a text again when it goes would mean to read all of it.
  `ALTER TABLE jobs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE repeats ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
   UPDATE jobs SET bytes = length(CAST(context AS BLOB))
     + (SELECT length(CAST(request AS BLOB)) FROM requests r WHERE r.seq = jobs.seq)
     + coalesce((SELECT length(CAST(answer AS BLOB)) FROM answers a WHERE a.seq = jobs.seq), 0);
   UPDATE repeats SET bytes = length(CAST(answer AS BLOB)) WHERE answer IS NOT NULL;
   CREATE TABLE stored (
     key_name TEXT NOT NULL, kind TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (key_name, kind)
   ) STRICT;
   INSERT INTO stored SELECT key_name, 'jobs', sum(bytes) FROM jobs GROUP BY key_name;
   INSERT INTO stored SELECT key_name, 'answers', sum(bytes) FROM repeats GROUP BY key_name;
   CREATE TRIGGER job_stored AFTER INSERT ON jobs BEGIN
     INSERT INTO stored VALUES (new.key_name, 'jobs', new.bytes) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
   END;
   CREATE TRIGGER job_grown AFTER UPDATE OF bytes ON jobs BEGIN
     UPDATE stored SET bytes = bytes + new.bytes - old.bytes WHERE key_name = old.key_name AND kind = 'jobs';
   END;
   CREATE TRIGGER job_freed AFTER DELETE ON jobs BEGIN
     UPDATE stored SET bytes = bytes - old.bytes WHERE key_name = old.key_name AND kind = 'jobs';
   END;
   CREATE TRIGGER answer_stored AFTER UPDATE OF bytes ON repeats BEGIN
     INSERT INTO stored VALUES (old.key_name, 'answers', new.bytes - old.bytes)
       ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
   END;
   CREATE TRIGGER answer_freed AFTER DELETE ON repeats WHEN old.bytes > 0 BEGIN
     UPDATE stored SET bytes = bytes - old.bytes WHERE key_name = old.key_name AND kind = 'answers';
   END;`,
]

/**
 * Opens the file, or makes it. The connection is the file's only one until it is closed or the process dies.
 * @throws misconfigured, naming the file, when it cannot be had as it must be
 */
export function openJobsFile(path: string): Connection {
  let connection: Connection | null = null
  try {
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE })
    if (!existsSync(path)) createFile(path)
    // SQLite would take an empty file for a new database, but createFile leaves none: it was cut off.
    if (statSync(path).size === 0) throw refusal(path, 'is empty and has lost its contents')
    connection = new Database(path)
    lock(connection)
    check(connection, path)
    migrate(connection)
    return connection
  } catch (thrown) {
    connection?.close()
    throw thrown instanceof GatewayError ? thrown : refusal(path, reasonOf(thrown), thrown)
  }
}

/** Leaves the whole of it in the one file. The lock goes with the thread: libsql holds a file until its statements are collected. */
export function closeJobsFile(connection: Connection): void {
  connection.pragma('wal_checkpoint(TRUNCATE)')
  connection.close()
}

/** Under another name first: a process killed in the middle leaves no half-made file behind, and of two the first wins. */
function createFile(path: string): void {
  const draft = `${path}.${process.pid}.new`
  rmSync(draft, { force: true })
  closeSync(openSync(draft, 'wx', FILE_MODE))
  const connection = new Database(draft)
  connection.exec(`PRAGMA synchronous = FULL; PRAGMA application_id = ${APPLICATION_ID}`)
  migrate(connection)
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

function check(connection: Connection, path: string): void {
  if (pragmaOf(connection, 'application_id') !== APPLICATION_ID) throw refusal(path, 'is not a Sluice job store')
  const version = Number(pragmaOf(connection, 'user_version'))
  if (version > MIGRATIONS.length) {
    throw refusal(path, `has schema version ${version}; this version of Sluice supports up to ${MIGRATIONS.length}`)
  }
  const found = pragmaOf(connection, 'quick_check')
  if (found !== 'ok') throw refusal(path, `is damaged (${String(found)})`)
}

function migrate(connection: Connection): void {
  for (let version = Number(pragmaOf(connection, 'user_version')); version < MIGRATIONS.length; version++) {
    connection.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[version]} PRAGMA user_version = ${version + 1}; COMMIT`)
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

function refusal(path: string, reason: string, cause?: unknown): GatewayError {
  const message = `The job store ${path} ${reason}. The file was left unchanged.`
  return new GatewayError('misconfigured', { message, cause })
}
