// The database file of stored answers, and the versions of its schema.
import { type Connection, openDatabaseFile } from '../../sqlite/database-file.js'

/** "SlRs": marks a file as ours (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x536c5273

/**
 * One entry per schema version, each run once, in order, in a transaction of its own. Never edit one that was released. `seq` is the order in
 * which answers were stored. The large texts stand in tables of their own: an update rewrites its whole row, and the input never changes.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE responses (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, model TEXT NOT NULL,
     phase TEXT NOT NULL, stream_id TEXT, input_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL, expires_at REAL NOT NULL
   ) STRICT;
   CREATE INDEX responses_by_owner ON responses (owner, seq);
   CREATE INDEX responses_by_end ON responses (expires_at);
   CREATE INDEX responses_running ON responses (seq) WHERE phase = 'running';
   CREATE TABLE inputs (seq INTEGER PRIMARY KEY, input BLOB NOT NULL) STRICT;
   CREATE TABLE answers (seq INTEGER PRIMARY KEY, response BLOB NOT NULL) STRICT;
   CREATE TABLE items (
     owner TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
     PRIMARY KEY (owner, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX items_by_response ON items (seq);
   CREATE TABLE owners (owner TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX owners_by_bytes ON owners (bytes);
   CREATE TABLE total (bytes INTEGER NOT NULL) STRICT;
   INSERT INTO total VALUES (0);
   CREATE TRIGGER response_stored AFTER INSERT ON responses BEGIN
     INSERT INTO owners VALUES (new.owner, new.bytes) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
     UPDATE total SET bytes = bytes + new.bytes;
   END;
   CREATE TRIGGER response_changed AFTER UPDATE OF bytes ON responses BEGIN
     UPDATE owners SET bytes = bytes + new.bytes - old.bytes WHERE owner = old.owner;
     UPDATE total SET bytes = bytes + new.bytes - old.bytes;
   END;
   CREATE TRIGGER response_gone AFTER DELETE ON responses BEGIN
     UPDATE owners SET bytes = bytes - old.bytes WHERE owner = old.owner;
     DELETE FROM owners WHERE owner = old.owner AND bytes <= 0;
     UPDATE total SET bytes = bytes - old.bytes;
     DELETE FROM inputs WHERE seq = old.seq;
     DELETE FROM answers WHERE seq = old.seq;
     DELETE FROM items WHERE seq = old.seq;
   END;`,
]

/**
 * Opens the file, or makes it. The process that had it before is dead: what ran in it is lost.
 * @throws misconfigured, naming the file, when it cannot be had as it must be
 */
export function openResponsesFile(path: string): Connection {
  const connection = openDatabaseFile(path, {
    ...{ noun: 'response store', applicationId: APPLICATION_ID, migrations: MIGRATIONS },
  })
  connection.exec("UPDATE responses SET phase = 'lost' WHERE phase = 'running'")
  return connection
}
