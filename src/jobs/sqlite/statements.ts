// The SQL of the embedded store's jobs, prepared once per connection.

import { type Connection } from '../../sqlite/database-file.js'
import { HEAD_COLUMNS, HEAD_TABLES, JOB_COLUMNS, JOB_TABLES } from './job-row.js'

/**
 * The clock was set back: what was set "later" than now keeps its length and begins now, or it would wait for the clock to
 * come round again.
 */
const REWINDS = [
  `UPDATE jobs SET due_at = :now + max(0, due_at - set_at), set_at = :now
   WHERE set_at > :now AND state IN ('pending', 'processing')`,
  'UPDATE jobs SET accepted_at = min(accepted_at, :now), changed_at = min(changed_at, :now) WHERE changed_at > :now',
  'UPDATE deliveries SET due_at = :now + max(0, due_at - set_at), set_at = :now WHERE set_at > :now',
  'UPDATE repeats SET due_at = :now + max(0, due_at - set_at), set_at = :now WHERE set_at > :now',
]

const RETURN_ENDED = 'RETURNING seq, webhook_url'
/** Null as long as no run has a cost that is known. */
const ADD_COST = 'cost_nano = coalesce(cost_nano + :cost, cost_nano, :cost)'
const HELD = "id = :id AND fence = :fence AND state = 'processing'"

/** All statements on jobs. */
export function prepareJobs(connection: Connection) {
  return {
    rewinds: REWINDS.map((sql) => connection.prepare(sql)),
    ...prepareDesk(connection),
    ...prepareQueue(connection),
  }
}

function prepareDesk(connection: Connection) {
  return {
    insert: connection.prepare(
      `INSERT INTO jobs (id, kind, owner, state, context, webhook_url, idempotency_key, bytes, accepted_at, changed_at, set_at, due_at)
       VALUES (:id, :kind, :owner, 'pending', :context, :webhookUrl, :key, :bytes, :now, :now, :now, :now)`,
    ),
    insertRequest: connection.prepare('INSERT INTO requests (seq, request) VALUES (:seq, :request)'),
    insertTurn: connection.prepare('INSERT OR IGNORE INTO turns (kind, owner, served) VALUES (:kind, :owner, 0)'),
    get: connection.prepare(`SELECT ${JOB_COLUMNS} FROM ${JOB_TABLES} WHERE j.id = :id`),
    head: connection.prepare(`SELECT ${HEAD_COLUMNS} FROM ${HEAD_TABLES} WHERE j.id = :id`),
    list: connection.prepare(
      `SELECT ${HEAD_COLUMNS} FROM ${HEAD_TABLES}
       WHERE j.owner = :owner AND j.kind = 'chat' AND (:state IS NULL OR j.state = :state)
         AND (:after IS NULL OR j.seq < (SELECT seq FROM jobs WHERE id = :after AND owner = :owner))
       ORDER BY j.seq DESC LIMIT :limit`,
    ),
    place: connection.prepare(
      `SELECT seq, kind, state, owner, idempotency_key AS idempotencyKey, due_at AS dueAt FROM jobs WHERE id = :id`,
    ),
    remove: connection.prepare('DELETE FROM jobs WHERE seq = :seq'),
    cancel: connection.prepare(
      `UPDATE jobs SET state = 'error', error = :error, webhook_url = NULL, changed_at = :now WHERE seq = :seq`,
    ),
    ahead: connection.prepare(
      `SELECT count(*) AS n FROM (
         SELECT 1 FROM jobs
         WHERE kind = :kind AND owner = :owner AND state = 'pending' AND (due_at, seq) <= (:dueAt, :seq) LIMIT :limit
       )`,
    ),
    // The keys take turns: of each other key as many go first as of the job's own.
    others: connection.prepare(
      `SELECT coalesce(sum(min(n, :own)), 0) AS n FROM tallies
       WHERE kind = :kind AND state = 'pending' AND owner <> :owner`,
    ),
    tally: connection.prepare("SELECT n FROM tallies WHERE kind = :kind AND owner = :owner AND state = 'pending'"),
    stored: connection.prepare('SELECT coalesce(sum(bytes), 0) AS n FROM stored WHERE owner = :owner'),
    storedInAll: connection.prepare('SELECT coalesce(sum(bytes), 0) AS n FROM stored'),
    storedByKind: connection.prepare('SELECT kind, sum(bytes) AS n FROM stored GROUP BY kind'),
    states: connection.prepare('SELECT state, sum(n) AS n FROM tallies GROUP BY state'),
    inState: connection.prepare('SELECT coalesce(sum(n), 0) AS n FROM tallies WHERE kind = :kind AND state = :state'),
    oldest: connection.prepare(
      `SELECT accepted_at AS acceptedAt FROM jobs WHERE state = 'pending' AND due_at <= :now ORDER BY accepted_at LIMIT 1`,
    ),
  }
}

function prepareQueue(connection: Connection) {
  return {
    overdue: connection.prepare(
      `SELECT id, fence, attempts FROM jobs
       WHERE kind = :kind AND state = 'processing' AND due_at <= :now ORDER BY due_at LIMIT :limit`,
    ),
    // The key that was served longest ago, of those that have something to start; its oldest.
    next: connection.prepare(
      `SELECT seq FROM (
         SELECT served, (
           SELECT seq FROM jobs j WHERE j.kind = t.kind AND j.owner = t.owner AND state = 'pending' AND due_at <= :now
           ORDER BY due_at, seq LIMIT 1
         ) AS seq FROM turns t WHERE t.kind = :kind
       ) WHERE seq IS NOT NULL ORDER BY served LIMIT 1`,
    ),
    take: connection.prepare(
      `UPDATE jobs SET state = 'processing', attempts = attempts + 1, fence = fence + 1,
         changed_at = :now, set_at = :now, due_at = :due WHERE seq = :seq`,
    ),
    serve: connection.prepare(
      `UPDATE turns SET served = (SELECT max(served) + 1 FROM turns)
       WHERE (kind, owner) = (SELECT kind, owner FROM jobs WHERE seq = :seq)`,
    ),
    read: connection.prepare(`SELECT ${JOB_COLUMNS} FROM ${JOB_TABLES} WHERE j.seq = :seq`),
    renew: connection.prepare(`UPDATE jobs SET set_at = :now, due_at = :due WHERE ${HELD}`),
    complete: connection.prepare(
      `UPDATE jobs SET state = 'completed', error = NULL, ${ADD_COST}, bytes = bytes + :bytes, changed_at = :now WHERE ${HELD} ${RETURN_ENDED}`,
    ),
    insertAnswer: connection.prepare('INSERT INTO answers (seq, answer) VALUES (:seq, :answer)'),
    fail: connection.prepare(
      `UPDATE jobs SET state = 'error', error = :error, ${ADD_COST}, changed_at = :now WHERE ${HELD} ${RETURN_ENDED}`,
    ),
    discard: connection.prepare(`DELETE FROM jobs WHERE ${HELD}`),
    retry: connection.prepare(
      `UPDATE jobs SET state = 'pending', attempts = attempts - :uncounted, error = :error, spent_ms = :spentMs, ${ADD_COST},
         changed_at = :now, set_at = :now, due_at = :due
       WHERE ${HELD}`,
    ),
    // To the head of its key's queue, where it came from.
    release: connection.prepare(
      `UPDATE jobs SET state = 'pending', attempts = attempts - :uncounted, ${ADD_COST}, changed_at = :now, set_at = :now,
         due_at = min(accepted_at, :now) WHERE ${HELD}`,
    ),
    cleanUp: connection.prepare(
      `DELETE FROM jobs WHERE seq IN (
         SELECT j.seq FROM jobs j LEFT JOIN deliveries d ON d.seq = j.seq
         WHERE j.state IN ('completed', 'error') AND j.changed_at <= :before
           AND (d.seq IS NULL OR (d.state <> 'due' AND d.set_at <= :before))
         ORDER BY j.changed_at LIMIT :limit
       )`,
    ),
  }
}
