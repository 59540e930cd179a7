// Jobs as clients see them, member by member as in the system that Sluice replaces. Requests and answers are inserted as the
// stored JSON texts, so that no number in them is rewritten.
import { type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'
import { type JsonObject } from '../model/json.js'
import { outcomeOf } from '../pipeline/outcome.js'
import { toDollars } from '../prices/cost.js'
import { type Surface } from '../protocols/contract/protocol.js'
import { type Acceptance, type Job, type JobHead } from './store.js'

/** Prefix of every job id, which distinguishes it from ids of answers. */
export const JOB_ID_PREFIX = 'job_'

/** An error in a job's status and webhook. */
export type JobError = { readonly message: string; readonly type: string; readonly attempts: number }

/** The answer to a request that became a job, or that repeats one. */
export function encodeAcceptance(acceptance: Extract<Acceptance, { kind: 'accepted' | 'repeated' }>): Buffer {
  const { job, queuePosition, activeRequests } = acceptance
  const id = acceptance.kind === 'repeated' ? acceptance.id : acceptance.job.id
  const status = job?.state ?? 'pending'
  return encode({ request_id: id, status, queue_position: queuePosition, active_requests: activeRequests })
}

/** The status of a job, whatever its state. */
export function encodeJob(job: Job): Buffer {
  const members = [`"request":${job.request}`]
  if (job.answer !== null) members.push(`"response":${job.answer}`)
  const error = job.state === 'completed' ? null : jobErrorOf(job)
  if (error !== null) members.push(`"error":${JSON.stringify(error)}`)
  const webhook = webhookOf(job)
  if (webhook !== null) members.push(`"webhook":${JSON.stringify(webhook)}`)
  const { id, state } = job
  const head = JSON.stringify({ request_id: id, status: state, ...outcomeMember(job), ...costMember(job) }).slice(0, -1)
  return Buffer.from(`${head},${members.join(',')},"timestamp":${Math.round(job.changedAtMs)}}`)
}

/** A page of a caller's jobs, newest first, without their requests and answers. */
export function encodeJobList(jobs: readonly JobHead[], hasMore: boolean): Buffer {
  const entries = jobs.map((job) => {
    const error = jobErrorOf(job)
    const webhook = webhookOf(job)
    return {
      request_id: job.id,
      status: job.state,
      ...outcomeMember(job),
      ...costMember(job),
      attempts: job.attempts,
      ...(error === null || job.state === 'completed' ? {} : { error }),
      ...(webhook === null ? {} : { webhook }),
      created: Math.round(job.acceptedAtMs),
      timestamp: Math.round(job.changedAtMs),
    }
  })
  return encode({ object: 'list', data: entries, has_more: hasMore })
}

/** How it ended, in the word that metric and log have for its last exchange; nothing while it has not. */
function outcomeMember({ state, error }: JobHead): { readonly outcome?: Outcome } {
  if (state === 'completed') return { outcome: 'complete' }
  return state === 'error' && error !== null ? { outcome: outcomeOf(error, false) } : {}
}

/** In dollars, as in the header of direct answers; nothing where no price is known. */
function costMember({ costNano }: JobHead): { readonly cost?: number } {
  return costNano === null ? {} : { cost: Number(toDollars(costNano)) }
}

/** The answer to a DELETE. */
export function encodeCancelled(id: string): Buffer {
  return encode({ request_id: id, status: 'cancelled' })
}

/** Why a job failed, or its last attempt did. */
export function jobErrorOf({ error, attempts }: JobHead): JobError | null {
  return error === null ? null : { message: error.message, type: error.code, attempts }
}

/** A surface whose refusals on the way of jobs are those that the replaced system documents; all others are its own. */
export function jobSurface(surface: Surface): Surface {
  return {
    ...surface,
    encodeError(error, requestId, subject) {
      return jobRefusal(error) ?? surface.encodeError(error, requestId, subject)
    },
  }
}

const INVALID_STATUS = 400
const NOT_FOUND_STATUS = 404

function jobRefusal({ code, status, param, message }: ErrorData): { status: number; body: JsonObject } | null {
  if (code === 'not_found') {
    const error = { message: 'Request not found', type: 'request_not_found' }
    return { status: NOT_FOUND_STATUS, body: { error } }
  }
  if (code !== 'invalid_request' || status !== INVALID_STATUS) return null
  const details = [{ path: param ?? '', message }]
  return { status, body: { error: { message: 'Invalid request body', type: 'validation_error', details } } }
}

function webhookOf({ webhook }: JobHead): JsonObject | null {
  if (webhook === null) return null
  const { url, state, attempts, lastError } = webhook
  return { url, state, attempts, last_error: lastError }
}

function encode(body: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(body))
}
