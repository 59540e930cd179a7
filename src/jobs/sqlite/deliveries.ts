// Pending webhooks in the embedded store. A delivery is created with the end of its job, in the same transaction; while a sender
// holds it, it is not due until the sender's lease expires. Plain calls inside the caller's transaction.

import { type Connection } from '../../sqlite/database-file.js'
import { type ClaimedDelivery, type DeliveryClaimOptions, type DeliveryResult, type Lease } from '../store.js'
import { JOB_COLUMNS, JOB_TABLES, type JobRow, jobOf } from './job-row.js'

/** Deliveries over one connection. */
export class SqliteDeliveries {
  readonly #statements: ReturnType<typeof prepare>

  constructor(connection: Connection) {
    this.#statements = prepare(connection)
    // Their senders died with their process.
    connection.exec('UPDATE deliveries SET due_at = set_at, is_held = 0 WHERE is_held = 1')
  }

  /** The delivery of a job that ends now. */
  add(seq: number, webhookUrl: string, nowMs: number): void {
    this.#statements.add.run({ seq, origin: originOf(webhookUrl), now: nowMs })
  }

  claim({ limit, leaseMs, exceptOrigins, perOrigin }: DeliveryClaimOptions, nowMs: number): ClaimedDelivery[] {
    const except = JSON.stringify(exceptOrigins)
    const due = this.#statements.due.all({ except, perOrigin, limit, now: nowMs }) as { seq: number }[]
    return due.map(({ seq }) => {
      this.#statements.hold.run({ seq, now: nowMs, due: nowMs + leaseMs })
      const row = this.#statements.read.get({ seq }) as DeliveryRow
      const lease = { id: row.id, fence: row.delivery_fence }
      const job = jobOf(row)
      return { job, url: row.webhook_url, lease, attempts: row.delivery_attempts, endedAtMs: row.ended_at }
    })
  }

  settle(lease: Lease, result: DeliveryResult, nowMs: number): boolean {
    return (
      this.#statements.settle.run({
        ...{ id: lease.id, fence: lease.fence, now: nowMs },
        state: result.kind === 'retry' ? 'due' : result.kind,
        due: nowMs + (result.kind === 'retry' ? result.delayMs : 0),
        error: result.kind === 'delivered' ? null : result.error,
      }).changes === 1
    )
  }

  counts(): { due: number; dead: number } {
    const { due, dead } = this.#statements.counts.get() as { due: number; dead: number }
    return { due, dead }
  }
}

type DeliveryRow = JobRow & {
  readonly webhook_url: string
  readonly delivery_attempts: number
  readonly delivery_fence: number
  readonly ended_at: number
}

/** Scheme, host and port: whatever fails there fails for all of its deliveries. */
export function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : ''
}

function prepare(connection: Connection) {
  return {
    add: connection.prepare(
      `INSERT INTO deliveries (seq, origin, state, ended_at, set_at, due_at) VALUES (:seq, :origin, 'due', :now, :now, :now)`,
    ),
    // Skips from origin to origin along the index: ten thousand due deliveries of one origin cost no more than three.
    due: connection.prepare(
      `WITH RECURSIVE origins (origin) AS (
         SELECT min(origin) FROM deliveries WHERE state = 'due'
         UNION ALL
         SELECT (SELECT min(d.origin) FROM deliveries d WHERE d.state = 'due' AND d.origin > o.origin)
         FROM origins o WHERE o.origin IS NOT NULL
       )
       SELECT d.seq FROM origins o JOIN deliveries d ON d.seq IN (
         SELECT e.seq FROM deliveries e WHERE e.state = 'due' AND e.origin = o.origin AND e.due_at <= :now
         ORDER BY e.due_at LIMIT :perOrigin
       )
       WHERE o.origin IS NOT NULL AND o.origin NOT IN (SELECT value FROM json_each(:except))
       ORDER BY d.due_at LIMIT :limit`,
    ),
    hold: connection.prepare(
      `UPDATE deliveries SET attempts = attempts + 1, fence = fence + 1, is_held = 1, set_at = :now, due_at = :due
       WHERE seq = :seq`,
    ),
    read: connection.prepare(
      `SELECT ${JOB_COLUMNS}, d.fence AS delivery_fence, d.ended_at FROM ${JOB_TABLES} WHERE j.seq = :seq`,
    ),
    settle: connection.prepare(
      `UPDATE deliveries SET state = :state, last_error = :error, is_held = 0, set_at = :now, due_at = :due
       WHERE seq = (SELECT seq FROM jobs WHERE id = :id) AND fence = :fence AND is_held = 1`,
    ),
    counts: connection.prepare(
      `SELECT (SELECT count(*) FROM deliveries WHERE state = 'due') AS due,
              (SELECT count(*) FROM deliveries WHERE state = 'dead') AS dead`,
    ),
  }
}
