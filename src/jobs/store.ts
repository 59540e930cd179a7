// The contract of a job store. SQLite (one node) and Redis (several) implement it, and one test suite covers both. A resolved
// promise means that the change is on disk (Redis: according to its AOF setting). The store has its own clock: durations are
// passed in, points in time are only returned. No secret is stored: a job has only the owner of its key.
//
//   accept --> pending --claim--> processing --complete--> completed --.
//                ^  \               |   \ `--fail---------> error ------+--> delivery (if it has a webhook) --> cleanUp
//                |   cancel: gone   |    `--cancel--------> error       |
//                '-- retry, release, lease over <-'                 (no delivery after a cancel)
import { type ErrorData } from '../model/error.js'
import { type JsonObject } from '../model/json.js'

/**
 * What a job is. Each kind has a queue, turns and caps of its own; the bytes of all count together. A `chat` is listed, and kept with its
 * answer until `cleanUp`. A `response` has its answer in the store of responses: when its run ends, nothing of it stays here.
 */
export const JOB_KINDS = ['chat', 'response'] as const
export type JobKind = (typeof JOB_KINDS)[number]

export const JOB_STATES = ['pending', 'processing', 'completed', 'error'] as const
export type JobState = (typeof JOB_STATES)[number]

/** An idempotency key is remembered this long. */
export const IDEMPOTENCY_MS = 24 * 3_600_000
/** Most that one call of list, claim, claimDeliveries or cleanUp takes. */
export const MAX_BATCH = 1000

/** A gateway key of the configuration: earlier versions kept jobs under its name, and now its owner has them. */
export type Heir = { readonly name: string; readonly owner: string }

/** The client's Idempotency-Key and a digest of all that decides the answer; per gateway key. */
export type Idempotency = { readonly key: string; readonly digest: string }

export type NewJob = {
  /** Unique, with a prefix of ours; made by the caller. */
  readonly id: string
  readonly kind: JobKind
  /** Whose it is: the owner of the gateway key; empty on a gateway without keys. Never the key. */
  readonly owner: string
  /** The request's JSON text. */
  readonly request: string
  /** Further context of its run, such as the request id and headers. Never a secret. */
  readonly context: JsonObject
  readonly webhookUrl: string | null
  readonly idempotency: Idempotency | null
}

/** A job without its big texts. */
export type JobHead = {
  readonly id: string
  readonly kind: JobKind
  readonly owner: string
  readonly state: JobState
  readonly context: JsonObject
  /** Runs that were started, including those of killed processes; a released run does not count. */
  readonly attempts: number
  readonly acceptedAtMs: number
  /** Of the last change of state. */
  readonly changedAtMs: number
  /** Of its runs together, in nano-dollars; null where no price is known. A run that was broken off is not in it. */
  readonly costNano: number | null
  /** Of the last failed run, also while it waits for the next one. */
  readonly error: ErrorData | null
  readonly webhook: WebhookStatus | null
}

export type Job = JobHead & {
  readonly request: string
  /** The answer's JSON text, once completed. */
  readonly answer: string | null
}

export const DELIVERY_STATES = ['waiting', 'due', 'delivered', 'dead'] as const
/** `waiting`: the job has not ended. `due`: to be sent, now or later. `dead`: given up; `lastError` says why. */
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export type WebhookStatus = {
  readonly url: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly lastError: string | null
}

export type Acceptance =
  /** A new job. `queuePosition` counts from 1 in the order in which jobs will start; `activeRequests` are processing now. */
  | {
      readonly kind: 'accepted'
      readonly job: JobHead
      readonly queuePosition: number
      readonly activeRequests: number
    }
  /** The key was used before for the same request; `job` is null when its retention is over. */
  | {
      readonly kind: 'repeated'
      readonly id: string
      readonly job: JobHead | null
      readonly queuePosition: number
      readonly activeRequests: number
    }
  /** The key was used before for another request: 422. */
  | { readonly kind: 'mismatch' }
  /** As many wait as may: of this gateway key (429), or of all (503). Nothing was accepted. */
  | { readonly kind: 'full'; readonly scope: 'key' | 'all' }
  /** It does not fit into the bytes that may be kept: of this gateway key (429), or of all (507). Nothing was accepted. */
  | { readonly kind: 'no-room'; readonly scope: 'key' | 'all' }

/** Most jobs of its kind that may wait. A retry, a release or a lost lease puts a job back all the same: it was accepted. */
export type PendingCaps = { readonly perKey: number; readonly all: number }
/**
 * Most bytes that may be kept: requests with their contexts, answers of jobs, answers kept for repetitions. Counted by the
 * store itself, so exact over all nodes that share it. The answer of an accepted job is always kept.
 */
export type StoredCaps = { readonly perKey: number; readonly all: number }
/** The bounds for a new job; without `stored`, bytes are not bounded. */
export type JobCaps = PendingCaps & { readonly stored?: StoredCaps }

export type ListQuery = {
  readonly owner: string
  readonly state: JobState | null
  /** 1 to MAX_BATCH. */
  readonly limit: number
  /** Id of the last job of the previous page; an unknown one yields an empty page. */
  readonly after: string | null
}

/** The right to end one run of one job. A later claim, a cancel or an end makes it void. */
export type Lease = { readonly id: string; readonly fence: number }

export type ClaimedJob = {
  readonly job: Job
  readonly lease: Lease
  /** Running time of its earlier runs. */
  readonly spentMs: number
}

export type ClaimOptions = {
  readonly kind: JobKind
  /** 1 to MAX_BATCH. */
  readonly limit: number
  readonly leaseMs: number
  /** A job whose lease is over and that has been begun this often ends as error instead of running again. */
  readonly maxAttempts: number
}

export type RetryOptions = {
  readonly delayMs: number
  readonly error: ErrorData
  readonly spentMs: number
  /** Of the run; absent or null where it is not known. */
  readonly costNano?: number | null
  /** The run came to nothing through a limit of ours: it is no attempt. */
  readonly isUncounted?: boolean
}

/** One webhook to be sent now. The job is complete: its body is made of it. One job has one delivery, so its id serves for both. */
export type ClaimedDelivery = {
  readonly job: Job
  readonly url: string
  readonly lease: Lease
  /** Sends begun, this one included. */
  readonly attempts: number
  /** When the job ended. */
  readonly endedAtMs: number
}

export type DeliveryClaimOptions = {
  readonly limit: number
  readonly leaseMs: number
  /** Origins (`https://host:port`) to skip now, so that a bad endpoint does not delay others. */
  readonly exceptOrigins: readonly string[]
  /** At most so many of one origin in this call. */
  readonly perOrigin: number
}

export type DeliveryResult =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly error: string }
  | { readonly kind: 'dead'; readonly error: string }

/** A stored answer to a direct request. */
export type StoredAnswer = {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

export type DirectRequest = { readonly owner: string; readonly idempotency: Idempotency }

export type DirectBeginning =
  /** The key is unused: run the request, then call `storeAnswer` or `forget`. */
  | { readonly kind: 'new'; readonly lease: Lease }
  /** The first request still runs: 409. */
  | { readonly kind: 'running' }
  | { readonly kind: 'answered'; readonly answer: StoredAnswer }
  /** Used for another request, or for a job: 422. */
  | { readonly kind: 'mismatch' }

export type StoreCounts = {
  readonly jobs: Readonly<Record<JobState, number>>
  /** Of the job that may start and has waited longest since it was accepted; 0 without one. */
  readonly queueAgeMs: number
  readonly deliveries: { readonly due: number; readonly dead: number }
  /** Texts of jobs, and answers kept for repetitions. */
  readonly storedBytes: { readonly jobs: number; readonly answers: number }
}

export type StoreEvent =
  /** There may be something to claim. */
  | { readonly type: 'work' }
  /** There may be a webhook to send. */
  | { readonly type: 'delivery' }
  /** A job was cancelled or removed while it ran, here or on another node. */
  | { readonly type: 'cancelled'; readonly id: string }

/** For answering clients. */
export type JobApi = {
  /**
   * Accepts a job, once per idempotency key; a repetition is answered even if the queue is full.
   * @throws storage_full when nothing more can be kept
   */
  accept(job: NewJob, caps?: JobCaps): Promise<Acceptance>
  get(id: string): Promise<Job | null>
  /** A caller's own chats, newest first. */
  list(query: ListQuery): Promise<readonly JobHead[]>
  /** Removes a pending job and its idempotency key; ends a processing one as error. Null when there is no such job or it has ended. */
  cancel(id: string, error: ErrorData): Promise<'removed' | 'ended' | null>
  /** Removes a job that has not ended, whatever its state; a run of it is told. False when there is none. */
  remove(id: string): Promise<boolean>
  begin(request: DirectRequest, leaseMs: number): Promise<DirectBeginning>
  /** Keeps the answer for repetitions of the request. False if the lease has expired or there is no space: then the key is free. */
  storeAnswer(request: DirectRequest, lease: Lease, answer: StoredAnswer, caps?: StoredCaps): Promise<boolean>
  /** The request came to no answer worth repeating: the key is free again. */
  forget(request: DirectRequest, lease: Lease): Promise<boolean>
  counts(): Promise<StoreCounts>
}

/** For the runner. Each act on a lease answers false when it is void. */
export type JobQueue = {
  /** Takes jobs that may start, the keys in turn, each key's in order. */
  claim(options: ClaimOptions): Promise<readonly ClaimedJob[]>
  renew(lease: Lease, leaseMs: number): Promise<boolean>
  /** Ends it with its answer; its delivery becomes due in the same transaction. `costNano`: as in RetryOptions, here and below. */
  complete(lease: Lease, answer: string, costNano?: number | null): Promise<boolean>
  /** Ends it with its error; its delivery becomes due in the same transaction. */
  fail(lease: Lease, error: ErrorData, costNano?: number | null): Promise<boolean>
  /** Ends it, and leaves nothing of it. */
  discard(lease: Lease): Promise<boolean>
  /** Back to the queue, for later. */
  retry(lease: Lease, options: RetryOptions): Promise<boolean>
  /** Back to the queue as if it had not been begun. */
  release(lease: Lease, costNano?: number | null): Promise<boolean>
  /** Removes up to MAX_BATCH jobs that ended (and whose delivery did) so long ago, and idempotency keys past their day. */
  cleanUp(retentionMs: number): Promise<number>
}

/** For the sender of webhooks. */
export type DeliveryQueue = {
  /** Takes deliveries that are due, the origins in turn. */
  claimDeliveries(options: DeliveryClaimOptions): Promise<readonly ClaimedDelivery[]>
  settleDelivery(lease: Lease, result: DeliveryResult): Promise<boolean>
}

/** The whole contract of a store. */
export type StoreCalls = JobApi & JobQueue & DeliveryQueue

/**
 * A store of jobs. Every call fails with `overloaded` (503) while the store cannot be reached, within seconds, and with
 * `storage_unavailable` where only its operator can help; what was asked may have happened all the same.
 */
export type JobStore = StoreCalls & {
  /** Events are hints: one may be missed or arrive twice, so a subscriber must also poll. Returns the function to unsubscribe. */
  subscribe(listener: (event: StoreEvent) => void): () => void
  close(): Promise<void>
}
