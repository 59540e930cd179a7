// Runs the jobs of a store: a bounded number at once, keys in turn (the store's order), each by the injected execution. Hints of
// the store wake it; it also polls, for due retries and for expired leases of others. It knows nothing about HTTP.
import { toGatewayError } from '../../errors.js'
import { type ClaimedJob, type JobKind, type JobQueue, type JobStore, MAX_BATCH } from '../store.js'
import { ClaimLoop } from './claim-loop.js'
import { type Execute, JobRun, type RunResult } from './job-run.js'
import { TIMERS, type Timers } from './timers.js'

/** Options that a reload may change. */
export type RunnerSettings = {
  /** Maximum number of concurrent jobs. */
  readonly concurrency: number
  readonly attempts: number
  /** Longest running time of a job, over all of its runs. */
  readonly timeoutMs: number
  /** How long a finished job is kept. */
  readonly retentionMs: number
  /** After this time without a renewal another runner may take the job. */
  readonly leaseMs: number
}

export type RunnerOptions = {
  /** Of the jobs that it runs. */
  readonly kind: JobKind
  readonly store: JobQueue & Pick<JobStore, 'subscribe'>
  readonly execute: Execute
  /** Read for each claim, run and clean-up. */
  readonly settings: () => RunnerSettings
  readonly random: () => number
  readonly timers?: Timers
  /** One run has ended. */
  readonly onRunEnd?: (result: RunResult, attempts: number, jobId: string) => void
  /** The store became unavailable or available: one log line each. */
  readonly onTrouble?: (message: string) => void
}

/** Longest delay of a due retry. */
const POLL_MS = 500
const CLEAN_UP_EVERY_MS = 30_000
/** How long a stopping runner waits for the store to take its jobs back. */
const RELEASE_MS = 5000

/** The runner of one process. */
export class JobRunner {
  readonly #options: RunnerOptions
  readonly #timers: Timers
  readonly #runs = new Map<JobRun, Promise<void>>()
  readonly #loop: ClaimLoop
  #isStoreDown = false
  #callOffCleanUp: () => void = () => undefined
  #unsubscribe: () => void = () => undefined

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#timers = options.timers ?? TIMERS
    this.#loop = new ClaimLoop({
      ...{ pollMs: POLL_MS, timers: this.#timers },
      hasRoom: () => this.#freePlaces() > 0,
      claim: () => this.#claim(),
    })
  }

  /** Running jobs. */
  get activeCount(): number {
    return this.#runs.size
  }

  /** Starts to claim jobs. */
  start(): void {
    this.#unsubscribe = this.#options.store.subscribe((event) => {
      if (event.type === 'work') this.#loop.wake()
      if (event.type === 'cancelled') this.#checkRuns(event.id)
    })
    this.#loop.start()
    this.#cleanUpLater()
  }

  /** Claims no more; jobs that do not end within `graceMs` return to the queue, and the run does not count as an attempt. */
  async stop(graceMs: number): Promise<void> {
    this.#unsubscribe()
    this.#callOffCleanUp()
    const stopped = this.#loop.stop()
    const callOffs = [
      this.#timers.after(graceMs, () => this.#each((run) => run.stop())),
      this.#timers.after(graceMs + RELEASE_MS, () => this.#each((run) => run.abandon())),
    ]
    await stopped
    await Promise.all(this.#runs.values())
    for (const callOff of callOffs) callOff()
  }

  #each(act: (run: JobRun) => void): void {
    for (const run of this.#runs.keys()) act(run)
  }

  #checkRuns(id: string): void {
    this.#each((run) => {
      if (run.jobId === id) void run.checkLease()
    })
  }

  #freePlaces(): number {
    return this.#options.settings().concurrency - this.#runs.size
  }

  async #claim(): Promise<boolean> {
    const { kind, store, settings } = this.#options
    const { attempts, leaseMs } = settings()
    const limit = Math.min(MAX_BATCH, this.#freePlaces())
    try {
      const claimed = await store.claim({ kind, limit, leaseMs, maxAttempts: attempts })
      for (const each of claimed) this.#begin(each)
      this.#tellReached()
      return true
    } catch (thrown) {
      this.#tellDown(thrown)
      return false
    }
  }

  #begin(claimed: ClaimedJob): void {
    const { store, execute, settings, random, onRunEnd } = this.#options
    const { attempts, timeoutMs, leaseMs } = settings()
    const run = new JobRun(claimed, {
      ...{ queue: store, execute, attempts, timeoutMs, leaseMs, random, timers: this.#timers },
    })
    // Claimed in the moment of the stop.
    if (this.#loop.isStopping) run.stop()
    const ended = run.run().then((result) => {
      this.#runs.delete(run)
      onRunEnd?.(result, claimed.job.attempts, claimed.job.id)
      this.#loop.wake()
    })
    this.#runs.set(run, ended)
  }

  #cleanUpLater(): void {
    if (this.#loop.isStopping) return
    const { retentionMs } = this.#options.settings()
    this.#callOffCleanUp = this.#timers.after(Math.min(CLEAN_UP_EVERY_MS, retentionMs), () => {
      void this.#cleanUp().finally(() => this.#cleanUpLater())
    })
  }

  async #cleanUp(): Promise<void> {
    try {
      // In batches, so that other calls run between two of them.
      while (
        !this.#loop.isStopping &&
        (await this.#options.store.cleanUp(this.#options.settings().retentionMs)) >= MAX_BATCH
      );
    } catch (thrown) {
      this.#tellDown(thrown)
    }
  }

  #tellDown(thrown: unknown): void {
    if (this.#isStoreDown) return
    this.#isStoreDown = true
    this.#options.onTrouble?.(`job store unavailable (runner): ${toGatewayError(thrown).message}`)
  }

  #tellReached(): void {
    if (!this.#isStoreDown) return
    this.#isStoreDown = false
    this.#options.onTrouble?.('job store available (runner)')
  }
}
