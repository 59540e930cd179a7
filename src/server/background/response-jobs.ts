// Runs of answers that wait as jobs: what a runner of them executes, and the queue that it takes them from. Their answers, and how far
// they are, are in the store of answers; the job store has their requests, and nothing more of them when they are over.
//
//   claimed: waiting -> run        running: an earlier process died, and clients may have had events -> failed        over -> nothing
//   ended:   complete -> over      fail -> failed      retry, release -> queued again, unless clients may have had events
import { errorData, GatewayError } from '../../errors.js'
import { type Execute } from '../../jobs/run/job-run.js'
import {
  type ClaimedJob,
  type Job,
  type JobQueue,
  type JobStore,
  type Lease,
  type StoreEvent,
} from '../../jobs/store.js'
import { type ErrorData } from '../../model/error.js'
import { type KeyIdentity, type Pipeline } from '../../pipeline/client.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { type OwnMembers, type StoredAnswers } from '../../protocols/contract/stored.js'
import { type NewResponse, type ResponseDesk } from '../../responses/response-desk.js'

import { type AnswerBell, type Keeping } from '../context.js'
import { storeAway } from './answer-run.js'
import { createAnswerRun } from './create-run.js'

/** What the current configuration has for a run. */
export type ResponseJobsView = {
  readonly pipeline: Pick<Pipeline, 'start'>
  readonly desk: ResponseDesk | null
  readonly keeping: Pick<Keeping, 'keep'> | null
  /** Runs that may be lost with their processes, or fail for a while. */
  readonly attempts: number
  readonly leaseMs: number
  /** Null: the key is no longer configured. */
  readonly keyOf: (owner: string) => KeyIdentity | null
}

export type ResponseJobsOptions = {
  readonly store: JobQueue & Pick<JobStore, 'subscribe'>
  readonly surface: Surface & { readonly stored: StoredAnswers }
  readonly bell: AnswerBell
  /** Read for each call. */
  readonly view: () => ResponseJobsView
  /** Monotonic milliseconds, the pipeline's own. */
  readonly nowMs: () => number
}

/** The context that is stored with its job. */
export type ResponseJobContext = {
  readonly requestId: string
  readonly members: OwnMembers
  readonly isStream: boolean
  readonly parameterHeaders: Readonly<Record<string, string>>
}

const LOST_RUNS = 'Every attempt was interrupted before it finished.'
const EVENTS_SENT = 'The gateway that ran this response ended before it was complete.'
const KEY_GONE = 'The API key that submitted this response is no longer configured.'
/** The store does not end a job whose runs were all lost: its answer would wait for ever. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER

/** For one runner. */
export class ResponseJobs implements JobQueue {
  readonly #options: ResponseJobsOptions
  readonly #owners = new WeakMap<Lease, string>()

  constructor(options: ResponseJobsOptions) {
    this.#options = options
  }

  /** Runs one, unless it is over; its answer is stored when this resolves. */
  readonly execute: Execute = async (job, signal) => {
    const { desk, attempts, keyOf } = this.#options.view()
    const record = await find(desk, job)
    // Cancelled, deleted, or complete when its process died.
    if (desk === null || record === null || record.phase === 'over') return ''
    if (record.phase !== 'waiting') throw new GatewayError('upstream_cut', { message: EVENTS_SENT, retryable: false })
    if (job.attempts > attempts) throw new GatewayError('internal', { message: LOST_RUNS })
    const key = keyOf(job.owner)
    if (key === null) throw new GatewayError('forbidden', { message: KEY_GONE })
    const run = this.#createRun(job, { record, desk, key })
    signal.addEventListener('abort', () => run.stop(), { once: true })
    const error = signal.aborted ? null : await run.run()
    if (error !== null) throw GatewayError.of(error)
    return ''
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    return this.#options.store.subscribe(listener)
  }

  async claim(options: Parameters<JobQueue['claim']>[0]): Promise<readonly ClaimedJob[]> {
    const claimed = await this.#options.store.claim({ ...options, maxAttempts: UNBOUNDED })
    for (const { job, lease } of claimed) this.#owners.set(lease, job.owner)
    return claimed
  }

  renew(lease: Lease, leaseMs: number): Promise<boolean> {
    return this.#options.store.renew(lease, leaseMs)
  }

  complete(lease: Lease): Promise<boolean> {
    return this.discard(lease)
  }

  /** The answer says why before its job is gone: a process that dies between the two leaves a job that finds its answer over. */
  async fail(lease: Lease, error: ErrorData): Promise<boolean> {
    const record = await this.#recordOf(lease)
    if (record !== null) await this.#advance(record, error)
    return this.discard(lease)
  }

  async retry(lease: Lease, options: Parameters<JobQueue['retry']>[1]): Promise<boolean> {
    if (!(await this.#requeue(lease))) return this.fail(lease, options.error)
    return this.#options.store.retry(lease, options)
  }

  async release(lease: Lease): Promise<boolean> {
    if (!(await this.#requeue(lease))) return this.fail(lease, errorData('draining'))
    return this.#options.store.release(lease)
  }

  discard(lease: Lease): Promise<boolean> {
    return this.#options.store.discard(lease)
  }

  cleanUp(retentionMs: number): Promise<number> {
    return this.#options.store.cleanUp(retentionMs)
  }

  #createRun(job: Job, { record, desk, key }: RunParts) {
    const { surface, bell, view, nowMs } = this.#options
    const { requestId, members, isStream, parameterHeaders } = job.context as unknown as ResponseJobContext
    const body = new Uint8Array(new TextEncoder().encode(job.request))
    return createAnswerRun({
      ...{ record, members, desk, bell, stored: surface.stored },
      request: { requestId, surface, body, parameterHeaders, isStream },
      ground: () => {
        const { pipeline, keeping } = view()
        return { pipeline, keeping, key, nowMs: nowMs() }
      },
    })
  }

  /** Shown as one that waits; false if its clients may have had events, or if it is over. @throws storage_unavailable */
  async #requeue(lease: Lease): Promise<boolean> {
    const record = await this.#recordOf(lease)
    return record?.phase === 'waiting' && (await this.#advance(record, null)) !== false
  }

  /** @throws storage_unavailable */
  async #recordOf(lease: Lease): Promise<NewResponse | null> {
    const { desk, leaseMs } = this.#options.view()
    // A runner that was suspended may have lost its lease without knowing: then the answer is another one's.
    if (!(await this.renew(lease, leaseMs))) return null
    return (await desk?.get(this.#owners.get(lease) ?? '', lease.id)) ?? null
  }

  /** To failed, or back to queued. @throws storage_unavailable */
  async #advance({ id, owner, phase, response, streamId }: NewResponse, error: ErrorData | null) {
    const { surface, view, bell } = this.#options
    const { stored } = surface
    const next =
      error === null
        ? ({ phase, response: stored.withStatus(response, 'queued') } as const)
        : ({ phase: 'over', response: stored.withStatus(response, 'failed', error) } as const)
    const advanced = await view().desk?.advance({ id, owner, streamId, ...next })
    if (advanced instanceof GatewayError) throw advanced
    bell.ring(id)
    return advanced
  }
}

/** @throws overloaded: no attempt of the job */
async function find(desk: ResponseDesk | null, { owner, id }: Job): Promise<NewResponse | null> {
  try {
    return (await desk?.get(owner, id)) ?? null
  } catch (thrown) {
    throw storeAway(thrown)
  }
}

type RunParts = { readonly record: NewResponse; readonly desk: ResponseDesk; readonly key: KeyIdentity }
