// The database file of the embedded store, and the versions of its schema.
import { type Connection, openDatabaseFile } from '../../sqlite/database-file.js'
import { type Heir } from '../store.js'

/** "SlJb": marks a file as ours (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x536c4a62

/** Tables whose rows belong to a gateway key. */
const OWNED = ['jobs', 'turns', 'tallies', 'stored', 'repeats'] as const

/**
 * One entry per schema version, each run once, in order, in a transaction of its own. Never edit one that was released.
 * `due_at` of a pending job is when it may start, of a processing one when its lease is over; `set_at` is when that was set,
 * so that a clock that goes back is noticed. Large texts stand in tables of their own: an update rewrites its whole row.
 */
const migrations = (heirs: readonly Heir[]): readonly string[] => [
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
  // Rows belonged to the name of a key, which another key may have later. Those of names that are not configured are found by no key.
  `CREATE TEMP TABLE heirs (name TEXT PRIMARY KEY, owner TEXT NOT NULL);
   ${heirs.map(({ name, owner }) => `INSERT INTO heirs VALUES (${quote(name)}, ${quote(owner)});`).join('\n   ')}
   ${OWNED.map(
     (
       table,
     ) => `UPDATE ${table} SET key_name = coalesce((SELECT owner FROM heirs WHERE name = key_name), 'name:' || key_name)
       WHERE key_name <> '';
     ALTER TABLE ${table} RENAME COLUMN key_name TO owner;`,
   ).join('\n   ')}
   DROP TABLE temp.heirs;`,
  // Each kind of job has a queue, turns and tallies of its own.
  `ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'chat';
   DROP INDEX jobs_by_turn;
   CREATE INDEX jobs_by_turn ON jobs (kind, owner, state, due_at, seq);
   DROP INDEX jobs_by_owner;
   CREATE INDEX jobs_by_owner ON jobs (owner, kind, seq);
   DROP INDEX jobs_by_lease;
   CREATE INDEX jobs_by_lease ON jobs (kind, due_at) WHERE state = 'processing';
   ALTER TABLE turns RENAME TO old_turns;
   CREATE TABLE turns (kind TEXT, owner TEXT, served INTEGER NOT NULL, PRIMARY KEY (kind, owner)) STRICT;
   INSERT INTO turns SELECT 'chat', owner, served FROM old_turns;
   DROP TABLE old_turns;
   DROP TRIGGER tally_new;
   DROP TRIGGER tally_change;
   DROP TRIGGER tally_gone;
   ALTER TABLE tallies RENAME TO old_tallies;
   CREATE TABLE tallies (kind TEXT, owner TEXT, state TEXT, n INTEGER NOT NULL, PRIMARY KEY (kind, owner, state)) STRICT;
   INSERT INTO tallies SELECT 'chat', owner, state, n FROM old_tallies;
   DROP TABLE old_tallies;
   CREATE TRIGGER tally_new AFTER INSERT ON jobs BEGIN
     INSERT INTO tallies VALUES (new.kind, new.owner, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
   END;
   CREATE TRIGGER tally_change AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
     UPDATE tallies SET n = n - 1 WHERE kind = old.kind AND owner = old.owner AND state = old.state;
     INSERT INTO tallies VALUES (new.kind, new.owner, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
   END;
   CREATE TRIGGER tally_gone AFTER DELETE ON jobs BEGIN
     UPDATE tallies SET n = n - 1 WHERE kind = old.kind AND owner = old.owner AND state = old.state;
     DELETE FROM requests WHERE seq = old.seq;
     DELETE FROM answers WHERE seq = old.seq;
     DELETE FROM deliveries WHERE seq = old.seq;
   END;`,
  'ALTER TABLE jobs ADD COLUMN cost_nano INTEGER;',
]

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/**
 * Opens the file, or makes it. The connection is the file's only one until it is closed or the process dies.
 * `heirs` own what a file of an earlier version has under their names.
 * @throws misconfigured, naming the file, when it cannot be had as it must be
 */
export function openJobsFile(path: string, heirs: readonly Heir[] = []): Connection {
  return openDatabaseFile(path, { noun: 'job store', applicationId: APPLICATION_ID, migrations: migrations(heirs) })
}
