// Idempotency keys in the embedded store: the request that a key was first used for, and its result. Plain calls inside the
// caller's transaction.

import { type Connection } from '../../sqlite/database-file.js'
import {
  type DirectBeginning,
  type DirectRequest,
  IDEMPOTENCY_MS,
  type Lease,
  MAX_BATCH,
  type NewJob,
  type StoredAnswer,
} from '../store.js'

/** `due_at` is when the entry is over: of a running request its lease, of all others the key's day. */
type RepeatRow = {
  readonly digest: string
  readonly kind: 'job' | 'running' | 'answered'
  readonly job_id: string | null
  readonly answer: string | null
}

/** An answer as JSON text of so many bytes, and the time of its end. */
export type AnswerAt = { readonly text: string; readonly bytes: number; readonly nowMs: number }

/** The state of a job's key: free, used by a job, or used for something else. */
export type JobRepeat = { readonly kind: 'new' | 'mismatch' } | { readonly kind: 'repeated'; readonly id: string }

/** Idempotency keys over one connection. */
export class SqliteRepeats {
  readonly #statements: ReturnType<typeof prepare>

  constructor(connection: Connection) {
    this.#statements = prepare(connection)
    // Whoever ran these requests died with its process.
    connection.exec("DELETE FROM repeats WHERE kind = 'running'")
  }

  /** Looks a new job's key up, and takes it if it is free. */
  takeForJob({ owner, id, idempotency }: NewJob, nowMs: number): JobRepeat {
    if (idempotency === null) return { kind: 'new' }
    const found = this.#find(owner, idempotency.key, nowMs)
    if (found !== null) {
      const isSame = found.digest === idempotency.digest && found.job_id !== null
      return isSame ? { kind: 'repeated', id: found.job_id } : { kind: 'mismatch' }
    }
    this.#put({
      ...{ owner, key: idempotency.key, digest: idempotency.digest, kind: 'job', jobId: id },
      ...{ now: nowMs, due: nowMs + IDEMPOTENCY_MS },
    })
    return { kind: 'new' }
  }

  /** Frees the key of a job that was removed before it began. */
  freeJob(owner: string, key: string): void {
    this.#statements.free.run({ owner, key })
  }

  /** Begins a direct request, unless its key was used before. */
  begin({ owner, idempotency }: DirectRequest, leaseMs: number, nowMs: number): DirectBeginning {
    const found = this.#find(owner, idempotency.key, nowMs)
    if (found === null) {
      const { lastInsertRowid } = this.#put({
        ...{ owner, key: idempotency.key, digest: idempotency.digest, kind: 'running', jobId: null },
        ...{ now: nowMs, due: nowMs + leaseMs },
      })
      return { kind: 'new', lease: { id: idempotency.key, fence: Number(lastInsertRowid) } }
    }
    if (found.digest !== idempotency.digest || found.kind === 'job') return { kind: 'mismatch' }
    if (found.answer === null) return { kind: 'running' }
    return { kind: 'answered', answer: JSON.parse(found.answer) as StoredAnswer }
  }

  storeAnswer({ owner, idempotency }: DirectRequest, lease: Lease, { text, bytes, nowMs }: AnswerAt): boolean {
    const bound = { owner, key: idempotency.key, fence: lease.fence }
    const due = nowMs + IDEMPOTENCY_MS
    return this.#statements.answer.run({ ...bound, answer: text, bytes, now: nowMs, due }).changes === 1
  }

  forget({ owner, idempotency }: DirectRequest, lease: Lease): boolean {
    const bound = { owner, key: idempotency.key, fence: lease.fence }
    return this.#statements.forget.run(bound).changes === 1
  }

  /** Removes expired entries. */
  cleanUp(nowMs: number): number {
    return this.#statements.cleanUp.run({ now: nowMs, limit: MAX_BATCH }).changes
  }

  /** An entry that is over may still be there. A REPLACE would remove it without its trigger, and its bytes would stay counted. */
  #put(entry: { readonly owner: string; readonly key: string; readonly [name: string]: unknown }) {
    this.#statements.free.run({ owner: entry.owner, key: entry.key })
    return this.#statements.put.run(entry)
  }

  #find(owner: string, key: string, nowMs: number): RepeatRow | null {
    return (this.#statements.find.get({ owner, key, now: nowMs }) as RepeatRow | undefined) ?? null
  }
}

function prepare(connection: Connection) {
  return {
    find: connection.prepare(
      `SELECT digest, kind, job_id, answer FROM repeats
       WHERE owner = :owner AND idempotency_key = :key AND due_at > :now`,
    ),
    put: connection.prepare(
      `INSERT INTO repeats (owner, idempotency_key, digest, kind, job_id, set_at, due_at)
       VALUES (:owner, :key, :digest, :kind, :jobId, :now, :due)`,
    ),
    answer: connection.prepare(
      `UPDATE repeats SET kind = 'answered', answer = :answer, bytes = :bytes, set_at = :now, due_at = :due
       WHERE owner = :owner AND idempotency_key = :key AND fence = :fence AND kind = 'running'`,
    ),
    forget: connection.prepare(
      `DELETE FROM repeats WHERE owner = :owner AND idempotency_key = :key AND fence = :fence AND kind = 'running'`,
    ),
    free: connection.prepare(`DELETE FROM repeats WHERE owner = :owner AND idempotency_key = :key`),
    cleanUp: connection.prepare(
      'DELETE FROM repeats WHERE fence IN (SELECT fence FROM repeats WHERE due_at <= :now LIMIT :limit)',
    ),
  }
}
