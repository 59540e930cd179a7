// A job as a row of the embedded store, and back.
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import {
  type DeliveryState,
  type Job,
  type JobHead,
  type JobKind,
  type JobState,
  type WebhookStatus,
} from '../store.js'

/** Columns of a head; `d` is its delivery, if it has one by now. */
export const HEAD_COLUMNS = `j.seq, j.id, j.kind, j.owner, j.state, j.context, j.webhook_url, j.attempts, j.fence, j.spent_ms,
  j.accepted_at, j.changed_at, j.cost_nano, j.error, d.state AS delivery_state, d.attempts AS delivery_attempts, d.last_error`
export const HEAD_TABLES = 'jobs j LEFT JOIN deliveries d ON d.seq = j.seq'
/** With the big texts. */
export const JOB_COLUMNS = `${HEAD_COLUMNS}, r.request, a.answer`
export const JOB_TABLES = `${HEAD_TABLES} JOIN requests r ON r.seq = j.seq LEFT JOIN answers a ON a.seq = j.seq`

export type HeadRow = {
  readonly seq: number
  readonly id: string
  readonly kind: JobKind
  readonly owner: string
  readonly state: JobState
  readonly context: string
  readonly webhook_url: string | null
  readonly attempts: number
  readonly fence: number
  readonly spent_ms: number
  readonly accepted_at: number
  readonly changed_at: number
  readonly cost_nano: number | null
  readonly error: string | null
  readonly delivery_state: DeliveryState | null
  readonly delivery_attempts: number | null
  readonly last_error: string | null
}

export type JobRow = HeadRow & { readonly request: string; readonly answer: string | null }

/** A row's head. */
export function headOf(row: HeadRow): JobHead {
  return {
    id: row.id,
    kind: row.kind,
    owner: row.owner,
    state: row.state,
    context: JSON.parse(row.context) as JsonObject,
    attempts: row.attempts,
    acceptedAtMs: row.accepted_at,
    changedAtMs: row.changed_at,
    costNano: row.cost_nano,
    error: row.error === null ? null : (JSON.parse(row.error) as ErrorData),
    webhook: row.webhook_url === null ? null : webhookOf(row, row.webhook_url),
  }
}

/** A row's job. */
export function jobOf(row: JobRow): Job {
  return { ...headOf(row), request: row.request, answer: row.answer }
}

function webhookOf(row: HeadRow, url: string): WebhookStatus {
  return {
    url,
    state: row.delivery_state ?? 'waiting',
    attempts: row.delivery_attempts ?? 0,
    lastError: row.last_error,
  }
}
