// The calls of the embedded store, as plain functions on its one connection: each runs inside a transaction of the caller, who
// reports the result only after the commit. The file has a single owner, so jobs that a previous process left as processing are
// released when the next one opens it.
import { errorData } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type Connection } from '../../sqlite/database-file.js'
import {
  type Acceptance,
  type ClaimedDelivery,
  type ClaimedJob,
  type ClaimOptions,
  type DeliveryClaimOptions,
  type DeliveryResult,
  type DirectBeginning,
  type DirectRequest,
  type Job,
  type JobCaps,
  type JobHead,
  type JobKind,
  type JobState,
  type Lease,
  type ListQuery,
  MAX_BATCH,
  type NewJob,
  type RetryOptions,
  type StoreCalls,
  type StoreCounts,
  type StoredAnswer,
  type StoredCaps,
  type StoreEvent,
} from '../store.js'
import { SqliteDeliveries } from './deliveries.js'
import { type HeadRow, headOf, type JobRow, jobOf } from './job-row.js'
import { SqliteRepeats } from './repeats.js'
import { prepareJobs } from './statements.js'

/** The calls of a store, each answered at once. */
export type PlainCalls = {
  readonly [K in keyof StoreCalls]: (...args: Parameters<StoreCalls[K]>) => Awaited<ReturnType<StoreCalls[K]>>
}

/** Less than this is no clock that was set back. */
const CLOCK_BACK_MS = 1000
/** Jobs ahead of one within its key are counted up to here; beyond that the exact position does not matter. */
const MAX_COUNTED = 10_000

/** Whose turn it is among the jobs of a kind. */
type Turn = { readonly kind: JobKind; readonly owner: string }
type Ended = { readonly seq: number; readonly webhook_url: string | null }
type Place = {
  readonly seq: number
  readonly kind: JobKind
  readonly state: JobState
  readonly owner: string
  readonly idempotencyKey: string | null
  readonly dueAt: number
}

/** Jobs, deliveries and idempotency keys over one connection. */
export class SqliteJobs implements PlainCalls {
  readonly #statements: ReturnType<typeof prepareJobs>
  readonly #deliveries: SqliteDeliveries
  readonly #repeats: SqliteRepeats
  readonly #readClock: () => number
  #lastMs = Number.POSITIVE_INFINITY
  #events: StoreEvent[] = []

  constructor(connection: Connection, nowMs: () => number) {
    this.#statements = prepareJobs(connection)
    this.#readClock = nowMs
    this.#deliveries = new SqliteDeliveries(connection)
    this.#repeats = new SqliteRepeats(connection)
    // Their runners died with their process: all leases are over.
    connection.exec("UPDATE jobs SET due_at = set_at WHERE state = 'processing'")
  }

  /** Returns the events since the last call: to be published after the commit, or dropped without one. */
  takeEvents(): StoreEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  accept(job: NewJob, caps?: JobCaps): Acceptance {
    const nowMs = this.#nowMs()
    const { id, kind, owner, context, webhookUrl, idempotency } = job
    const repeat = this.#repeats.takeForJob(job, nowMs)
    if (repeat.kind === 'mismatch') return { kind: 'mismatch' }
    if (repeat.kind === 'repeated') return this.#repeated(repeat.id)
    const contextText = JSON.stringify(context)
    const bytes = Buffer.byteLength(job.request) + Buffer.byteLength(contextText)
    const refusal = this.#refusal({ kind, owner, bytes }, caps)
    if (refusal !== null) {
      if (idempotency !== null) this.#repeats.freeJob(owner, idempotency.key)
      return refusal
    }
    const fields = { id, kind, owner, context: contextText, webhookUrl, bytes, now: nowMs }
    const { lastInsertRowid } = this.#statements.insert.run({ ...fields, key: idempotency?.key ?? null })
    this.#statements.insertRequest.run({ seq: Number(lastInsertRowid), request: job.request })
    this.#statements.insertTurn.run({ kind, owner })
    this.#events.push({ type: 'work' })
    const webhook =
      webhookUrl === null ? null : ({ url: webhookUrl, state: 'waiting', attempts: 0, lastError: null } as const)
    const times = { acceptedAtMs: nowMs, changedAtMs: nowMs }
    return {
      kind: 'accepted',
      job: { id, kind, owner, state: 'pending', context, attempts: 0, ...times, costNano: null, error: null, webhook },
      queuePosition: this.#positionAfter({ kind, owner }, countOf(this.#statements.tally.get({ kind, owner }))),
      activeRequests: this.#inState(kind, 'processing'),
    }
  }

  get(id: string): Job | null {
    const row = this.#statements.get.get({ id }) as JobRow | undefined
    return row === undefined ? null : jobOf(row)
  }

  list({ owner, state, limit, after }: ListQuery): JobHead[] {
    const rows = this.#statements.list.all({ owner, state, after, limit: Math.min(limit, MAX_BATCH) })
    return (rows as HeadRow[]).map(headOf)
  }

  cancel(id: string, error: ErrorData): 'removed' | 'ended' | null {
    const place = this.#statements.place.get({ id }) as Place | undefined
    if (place?.state === 'pending') {
      this.#statements.remove.run({ seq: place.seq })
      if (place.idempotencyKey !== null) this.#repeats.freeJob(place.owner, place.idempotencyKey)
      return 'removed'
    }
    if (place?.state !== 'processing') return null
    this.#statements.cancel.run({ seq: place.seq, error: JSON.stringify(error), now: this.#nowMs() })
    this.#events.push({ type: 'cancelled', id })
    return 'ended'
  }

  remove(id: string): boolean {
    const place = this.#statements.place.get({ id }) as Place | undefined
    if (place?.state !== 'pending' && place?.state !== 'processing') return false
    this.#statements.remove.run({ seq: place.seq })
    if (place.state === 'processing') this.#events.push({ type: 'cancelled', id })
    return true
  }

  begin(request: DirectRequest, leaseMs: number): DirectBeginning {
    return this.#repeats.begin(request, leaseMs, this.#nowMs())
  }

  storeAnswer(request: DirectRequest, lease: Lease, answer: StoredAnswer, caps?: StoredCaps): boolean {
    const text = JSON.stringify(answer)
    const bytes = Buffer.byteLength(text)
    if (this.#fullScope(request.owner, bytes, caps) === null) {
      return this.#repeats.storeAnswer(request, lease, { text, bytes, nowMs: this.#nowMs() })
    }
    this.#repeats.forget(request, lease)
    return false
  }

  forget(request: DirectRequest, lease: Lease): boolean {
    return this.#repeats.forget(request, lease)
  }

  counts(): StoreCounts {
    const nowMs = this.#nowMs()
    const states = this.#statements.states.all({}) as { state: JobState; n: number }[]
    const oldest = this.#statements.oldest.get({ now: nowMs }) as { acceptedAt: number } | undefined
    const jobs = { pending: 0, processing: 0, completed: 0, error: 0 }
    for (const { state, n } of states) jobs[state] = n
    const kinds = this.#statements.storedByKind.all({}) as { kind: 'jobs' | 'answers'; n: number }[]
    const storedBytes = { jobs: 0, answers: 0 }
    for (const { kind, n } of kinds) storedBytes[kind] = n
    const queueAgeMs = oldest === undefined ? 0 : Math.max(0, nowMs - oldest.acceptedAt)
    return { jobs, queueAgeMs, deliveries: this.#deliveries.counts(), storedBytes }
  }

  claim({ kind, limit, leaseMs, maxAttempts }: ClaimOptions): ClaimedJob[] {
    const nowMs = this.#nowMs()
    this.#takeBack(kind, nowMs, maxAttempts)
    const claimed: ClaimedJob[] = []
    while (claimed.length < Math.min(limit, MAX_BATCH)) {
      const next = this.#statements.next.get({ kind, now: nowMs }) as { seq: number } | undefined
      if (next === undefined) break
      const { seq } = next
      this.#statements.serve.run({ seq })
      this.#statements.take.run({ seq, now: nowMs, due: nowMs + leaseMs })
      const row = this.#statements.read.get({ seq }) as JobRow
      claimed.push({ job: jobOf(row), lease: { id: row.id, fence: row.fence }, spentMs: row.spent_ms })
    }
    return claimed
  }

  renew(lease: Lease, leaseMs: number): boolean {
    const nowMs = this.#nowMs()
    return this.#statements.renew.run({ ...held(lease), now: nowMs, due: nowMs + leaseMs }).changes === 1
  }

  complete(lease: Lease, answer: string, cost: number | null = null): boolean {
    const nowMs = this.#nowMs()
    const bound = { ...held(lease), bytes: Buffer.byteLength(answer), cost, now: nowMs }
    const ended = this.#statements.complete.get(bound) as Ended | undefined
    if (ended === undefined) return false
    this.#statements.insertAnswer.run({ seq: ended.seq, answer })
    this.#addDelivery(ended, nowMs)
    return true
  }

  fail(lease: Lease, error: ErrorData, cost: number | null = null): boolean {
    const nowMs = this.#nowMs()
    const bound = { ...held(lease), error: JSON.stringify(error), cost, now: nowMs }
    const ended = this.#statements.fail.get(bound) as Ended | undefined
    if (ended === undefined) return false
    this.#addDelivery(ended, nowMs)
    return true
  }

  discard(lease: Lease): boolean {
    return this.#statements.discard.run(held(lease)).changes === 1
  }

  retry(lease: Lease, { delayMs, error, spentMs, costNano: cost = null, isUncounted = false }: RetryOptions): boolean {
    const nowMs = this.#nowMs()
    const bound = { ...held(lease), error: JSON.stringify(error), spentMs, cost, now: nowMs, due: nowMs + delayMs }
    const uncounted = isUncounted ? 1 : 0
    return this.#statements.retry.run({ ...bound, uncounted }).changes === 1
  }

  release(lease: Lease, cost: number | null = null): boolean {
    return this.#return(lease, { nowMs: this.#nowMs(), uncounted: 1, cost })
  }

  cleanUp(retentionMs: number): number {
    const nowMs = this.#nowMs()
    const removed = this.#statements.cleanUp.run({ before: nowMs - retentionMs, limit: MAX_BATCH }).changes
    return Math.max(removed, this.#repeats.cleanUp(nowMs))
  }

  claimDeliveries(options: DeliveryClaimOptions): ClaimedDelivery[] {
    return this.#deliveries.claim(options, this.#nowMs())
  }

  settleDelivery(lease: Lease, result: DeliveryResult): boolean {
    return this.#deliveries.settle(lease, result, this.#nowMs())
  }

  #nowMs(): number {
    const nowMs = this.#readClock()
    if (nowMs < this.#lastMs - CLOCK_BACK_MS) for (const rewind of this.#statements.rewinds) rewind.run({ now: nowMs })
    this.#lastMs = nowMs
    return nowMs
  }

  #repeated(id: string): Acceptance {
    const row = this.#statements.head.get({ id }) as HeadRow | undefined
    const place = this.#statements.place.get({ id }) as Place | undefined
    const isPending = place?.state === 'pending'
    return {
      kind: 'repeated',
      id,
      job: row === undefined ? null : headOf(row),
      queuePosition: isPending ? this.#positionAfter(place, this.#countUpTo(place)) : 0,
      activeRequests: this.#inState('chat', 'processing'),
    }
  }

  /** Why a job of so many bytes is not accepted; null: it is. */
  #refusal({ kind, owner, bytes }: Turn & { bytes: number }, caps: JobCaps | undefined): Acceptance | null {
    if (caps === undefined) return null
    if (countOf(this.#statements.tally.get({ kind, owner })) >= caps.perKey) return { kind: 'full', scope: 'key' }
    if (this.#inState(kind, 'pending') >= caps.all) return { kind: 'full', scope: 'all' }
    const scope = this.#fullScope(owner, bytes, caps.stored)
    return scope === null ? null : { kind: 'no-room', scope }
  }

  /** Whose bytes are all taken; null: there is room for so many. */
  #fullScope(owner: string, bytes: number, caps: StoredCaps | undefined): 'key' | 'all' | null {
    if (caps === undefined) return null
    if (countOf(this.#statements.stored.get({ owner })) + bytes > caps.perKey) return 'key'
    return countOf(this.#statements.storedInAll.get()) + bytes > caps.all ? 'all' : null
  }

  /** Place of the job that is the n-th of its key. */
  #positionAfter({ kind, owner }: Turn, own: number): number {
    return own + countOf(this.#statements.others.get({ kind, owner, own }))
  }

  #countUpTo({ kind, owner, dueAt, seq }: Place): number {
    return countOf(this.#statements.ahead.get({ kind, owner, dueAt, seq, limit: MAX_COUNTED }))
  }

  #inState(kind: JobKind, state: JobState): number {
    return countOf(this.#statements.inState.get({ kind, state }))
  }

  /** Jobs whose lease is over run again, or end when that was their last attempt. */
  #takeBack(kind: JobKind, nowMs: number, maxAttempts: number): void {
    const overdue = this.#statements.overdue.all({ kind, now: nowMs, limit: MAX_BATCH })
    for (const { id, fence, attempts } of overdue as { id: string; fence: number; attempts: number }[]) {
      if (attempts < maxAttempts) this.#return({ id, fence }, { nowMs, uncounted: 0, cost: null })
      else this.fail({ id, fence }, errorData('internal', { message: LOST_RUNS }))
      // A run that continues without its lease is useless.
      this.#events.push({ type: 'cancelled', id })
    }
  }

  #return(lease: Lease, { nowMs, ...bound }: { nowMs: number; uncounted: number; cost: number | null }): boolean {
    const isDone = this.#statements.release.run({ ...held(lease), ...bound, now: nowMs }).changes === 1
    if (isDone) this.#events.push({ type: 'work' })
    return isDone
  }

  #addDelivery({ seq, webhook_url: url }: Ended, nowMs: number): void {
    if (url === null) return
    this.#deliveries.add(seq, url, nowMs)
    this.#events.push({ type: 'delivery' })
  }
}

/** Why a job ends whose runs were all lost with their processes. */
const LOST_RUNS = 'Every attempt was interrupted before it finished.'

function held({ id, fence }: Lease): { id: string; fence: number } {
  return { id, fence }
}

function countOf(row: unknown): number {
  return (row as { n: number } | undefined)?.n ?? 0
}
