// One run of one job: calls the injected execution, renews the lease meanwhile, and settles the job with the result. A run whose
// lease is lost settles nothing: the job belongs to another runner now, or was cancelled.
//
//   execute --answer--> complete          renewals: every third of the lease; refused -> `void`
//      |---retryable--> retry, backoff    deadline: the job's total running time  -> `overdue`
//      '---final------> fail              stop of the gateway                     -> `stopped` -> release
import { errorData, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type ClaimedJob, type Job, type JobQueue } from '../store.js'
import { backoffMs } from './backoff.js'
import { type Timers } from './timers.js'

/**
 * Executes a job: resolves with the answer's JSON text, rejects with a GatewayError. When the signal aborts, nobody waits for
 * it any longer. `onCost` hears before its end what it has cost, in nano-dollars, if that is known.
 */
export type Execute = (job: Job, signal: AbortSignal, onCost: (nano: number) => void) => Promise<string>

export type RunResult = 'completed' | 'retried' | 'failed' | 'released' | 'void'

export type RunOptions = {
  readonly queue: JobQueue
  readonly execute: Execute
  readonly attempts: number
  /** Longest running time of a job, over all of its runs. */
  readonly timeoutMs: number
  readonly leaseMs: number
  readonly random: () => number
  readonly timers: Timers
}

/** How often a lease is renewed within its length: two renewals may fail. */
const RENEWALS_PER_LEASE = 3
/** Interval of reporting the end of a run again while the store is unavailable. */
const SETTLE_AGAIN_MS = 1000

type Ending = 'void' | 'overdue' | 'stopped'
type Result = { readonly answer: string } | { readonly error: ErrorData }

/** Nobody waits for the execution any longer; why is in the run's ending. */
const BROKEN: Result = Object.freeze({ error: errorData('client_gone') })

/** A run in progress. */
export class JobRun {
  readonly #claimed: ClaimedJob
  readonly #options: RunOptions
  readonly #abort = new AbortController()
  readonly #startedMs: number
  #ending: Ending | null = null
  #isAbandoned = false
  /** Null: not known. */
  #costNano: number | null = null
  #callOffs: (() => void)[] = []

  constructor(claimed: ClaimedJob, options: RunOptions) {
    this.#claimed = claimed
    this.#options = options
    this.#startedMs = options.timers.nowMs()
  }

  get jobId(): string {
    return this.#claimed.job.id
  }

  /** Runs the job and settles it. Never rejects. */
  async run(): Promise<RunResult> {
    const { timeoutMs, timers } = this.#options
    this.#renewLater()
    const leftMs = Math.max(0, timeoutMs - this.#claimed.spentMs)
    this.#callOffs.push(timers.after(leftMs, () => this.#end('overdue')))
    const result = await this.#execute()
    const settled = await this.#settle(result)
    for (const callOff of this.#callOffs) callOff()
    return settled
  }

  /** Checks whether the lease is still valid, and aborts the run if not. */
  async checkLease(): Promise<void> {
    const { queue, leaseMs } = this.#options
    try {
      if (!(await queue.renew(this.#claimed.lease, leaseMs))) this.#end('void')
    } catch {
      // While the store is unavailable, no other runner can take the job over.
    }
  }

  /** The gateway stops: the job goes back to the queue. */
  stop(): void {
    this.#end('stopped')
  }

  /** Time is up: what was not reported to the store by now is resolved when the lease expires. */
  abandon(): void {
    this.stop()
    this.#isAbandoned = true
  }

  #end(ending: Ending): void {
    if (this.#ending !== null) return
    this.#ending = ending
    this.#abort.abort(ending)
  }

  #renewLater(): void {
    const { timers, leaseMs } = this.#options
    const callOff = timers.after(leaseMs / RENEWALS_PER_LEASE, () => {
      this.#callOffs = this.#callOffs.filter((each) => each !== callOff)
      this.#renewLater()
      void this.checkLease()
    })
    this.#callOffs.push(callOff)
  }

  /** The result of the execution or its abortion, whichever is first, so that a hanging one blocks nothing. */
  async #execute(): Promise<Result> {
    const { execute } = this.#options
    const { signal } = this.#abort
    if (signal.aborted) return BROKEN
    const broken = new Promise<Result>((resolve) => {
      signal.addEventListener('abort', () => resolve(BROKEN), { once: true })
    })
    const executed = Promise.resolve()
      .then(() => execute(this.#claimed.job, signal, (nano) => this.#noteCost(nano)))
      .then(
        (answer): Result => ({ answer }),
        (thrown: unknown): Result => ({ error: toGatewayError(thrown).data }),
      )
    return Promise.race([executed, broken])
  }

  #noteCost(nano: number): void {
    this.#costNano = nano
  }

  async #settle(result: Result): Promise<RunResult> {
    while (!this.#isAbandoned) {
      try {
        return await this.#tell(result)
      } catch {
        await new Promise<void>((resolve) => this.#options.timers.after(SETTLE_AGAIN_MS, resolve))
      }
    }
    return 'void'
  }

  async #tell(result: Result): Promise<RunResult> {
    const { queue } = this.#options
    const { lease } = this.#claimed
    const costNano = this.#costNano
    const unless = (isDone: boolean, told: RunResult): RunResult => (isDone ? told : 'void')
    if (this.#ending === 'void') return 'void'
    if ('answer' in result) return unless(await queue.complete(lease, result.answer, costNano), 'completed')
    if (this.#ending === 'stopped' || result.error.code === 'draining') {
      return unless(await queue.release(lease, costNano), 'released')
    }
    if (this.#ending === 'overdue') return unless(await queue.fail(lease, this.#overdueError(), costNano), 'failed')
    if (isOwnLimit(result.error)) {
      const delayMs = backoffMs(1, { random: this.#options.random, retryAfterMs: result.error.retryAfterMs })
      const retry = { delayMs, error: result.error, spentMs: this.#spentMs(), costNano, isUncounted: true }
      return unless(await queue.retry(lease, retry), 'retried')
    }
    const delayMs = this.#retryDelayMs(result.error)
    if (delayMs === null) return unless(await queue.fail(lease, result.error, costNano), 'failed')
    const spentMs = this.#spentMs()
    return unless(await queue.retry(lease, { delayMs, error: result.error, spentMs, costNano }), 'retried')
  }

  /** Null: another attempt is no use, or not granted. */
  #retryDelayMs(error: ErrorData): number | null {
    const { attempts, random, timeoutMs } = this.#options
    const made = this.#claimed.job.attempts
    if (!error.retryable || made >= attempts || this.#spentMs() >= timeoutMs) return null
    return backoffMs(made, { random, retryAfterMs: error.retryAfterMs })
  }

  #spentMs(): number {
    return this.#claimed.spentMs + this.#options.timers.nowMs() - this.#startedMs
  }

  #overdueError(): ErrorData {
    return errorData('upstream_timeout', {
      message: `The job exceeded its time limit of ${this.#options.timeoutMs} ms.`,
    })
  }
}

/** A limit of the gateway itself rejected it: no provider was called, so it does not count as an attempt. */
function isOwnLimit({ code, retryable, upstreamStatus, upstreamType, upstreamCode }: ErrorData): boolean {
  if (!retryable || (code !== 'rate_limited' && code !== 'overloaded')) return false
  return upstreamStatus === null && upstreamType === null && upstreamCode === null
}
