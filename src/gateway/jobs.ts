// The jobs of one event loop: its access to the store, and on loop 0 the runner and the webhook courier. They survive reloads
// and follow them: options are read each time, and a job runs on the current generation.
import { randomBytes } from 'node:crypto'
import { type MessagePort } from 'node:worker_threads'
import { needsKeys } from '../config/resolve/gateway-keys.js'
import { type Config } from '../config/types.js'
import { JOB_ID_PREFIX } from '../jobs/job-json.js'
import { openRedisStore } from '../jobs/redis/store.js'
import { createExecute } from '../jobs/run/execute.js'
import { type Execute } from '../jobs/run/job-run.js'
import { createLazyStore, type LazyStore } from '../jobs/run/lazy-store.js'
import { JobRunner, type RunnerOptions, type RunnerSettings } from '../jobs/run/runner.js'
import { connectSqlite } from '../jobs/sqlite/store.js'
import { type ClaimedDelivery, type DeliveryResult, type JobStore, type StoreCounts } from '../jobs/store.js'
import { Courier } from '../jobs/webhook/courier.js'
import { type KeyIdentity } from '../pipeline/client.js'
import { type AccountSource } from '../pipeline/context.js'
import { neededTokens } from '../pipeline/stages/admit.js'
import { closedBy, identityOf, NO_KEY } from '../pipeline/stages/authenticate.js'
import { type Surface } from '../protocols/contract/protocol.js'
import { allowedModels } from '../routing/access.js'
import { type ResponseJobs } from '../server/background/response-jobs.js'
import { type JobPolicy } from '../server/context.js'
import { type JobIntake } from '../server/intake/job-intake.js'
import { type LoopMetrics } from '../telemetry/metrics/metrics.js'
import { type Generation } from './generation.js'

/** A port of the thread that owns the embedded store's file; starts the thread if it is not running yet. */
export type ConnectJobs = () => Promise<MessagePort>

export type LoopJobsOptions = {
  readonly loopIndex: number
  readonly connectJobs: ConnectJobs
  readonly surface: Surface
  readonly metrics: LoopMetrics
  readonly current: () => Generation
  /** Keys of a database; null without one. */
  readonly accounts: AccountSource | null
  readonly nowMs: () => number
}

/** Resolves when what runs answers without clients can run them. */
export type CreateResponseJobs = (store: JobStore) => Promise<ResponseJobs>

/** Random bytes of an id, so that other clients' ids cannot be guessed. */
const ID_BYTES = 16
/** Time for webhooks in progress at the end of a drain. */
const COURIER_GRACE_MS = 2000
/** The timers of Node take no longer delay: 2^31 - 1 ms. */
const LONGEST_TIMER_MS = 2_147_483_647

/** Joined when the event loop is; opened by the first call. */
export class LoopJobs {
  readonly store: LazyStore
  readonly #options: LoopJobsOptions
  /** Set where answers without clients are jobs. */
  createResponseJobs: CreateResponseJobs | null = null
  readonly #runners: JobRunner[] = []
  #courier: Courier | null = null

  constructor(options: LoopJobsOptions) {
    this.#options = options
    this.store = createLazyStore(
      () => this.#open(),
      (reason) => this.tellFault(reason),
    )
  }

  /** The intake of jobs; `decode` checks a body in the same way as every chat. */
  createDoor(decode: JobIntake['decode']): JobIntake {
    const { surface, current, metrics } = this.#options
    return {
      ...{ surface, desk: this.store, decode, createJobId: () => this.createId() },
      tell: (fields, message) => current().log.info(fields, message),
      onNoRoom: (scope) => metrics.limitRejection(scope, 'stored'),
      onNotKept: (reason) => metrics.answerNotKept(reason),
    }
  }

  /** The store cannot be opened, or could not be. */
  tellFault(reason: string): void {
    this.#options.current().log.error({ reason }, 'job store unavailable')
  }

  /** An id for a new job. */
  createId(): string {
    return JOB_ID_PREFIX + randomBytes(ID_BYTES).toString('base64url')
  }

  /** Reports the content of the store to the metrics, if it is open. */
  async count(): Promise<void> {
    if (!this.store.isOpen || this.#options.loopIndex !== 0) return
    const counts: StoreCounts | null = await this.store.counts().catch(() => null)
    if (counts !== null) this.#options.metrics.jobCounts(counts)
  }

  /** Starts no further jobs; running ones may end within `graceMs`, then they return to the queue. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop(graceMs)))
    await this.#courier?.stop(COURIER_GRACE_MS)
  }

  close(): Promise<void> {
    return this.store.close()
  }

  async #open(): Promise<JobStore> {
    const store = await this.#connect()
    if (this.#options.loopIndex === 0) this.#work(store)
    return store
  }

  async #connect(): Promise<JobStore> {
    const { connectJobs, metrics, current, loopIndex } = this.#options
    const { jobs, redis, keys } = current().config
    if (jobs.store !== 'redis' || redis.url === null) return connectSqlite(await connectJobs())
    const store = openRedisStore({
      url: redis.url,
      heirs: loopIndex === 0 ? keys.map(({ name, keySha256 }) => ({ name, owner: keySha256 })) : [],
      onChange: (isUp) => {
        metrics.redisState('jobs', isUp)
        if (isUp) current().log.info({}, 'redis available (jobs)')
        else current().log.warn({}, 'redis unavailable (jobs)')
      },
      onCall: (seconds, isOk) => metrics.redisCall('jobs', seconds, isOk),
    })
    // The first call of an event loop must not fail because its connection is still being opened.
    await store.connected
    return store
  }

  #work(store: JobStore): void {
    const { current } = this.#options
    const settings = (): Config['jobs'] => current().config.jobs
    this.#startRunner({ kind: 'chat', store, execute: this.#createExecute(), settings })
    void this.createResponseJobs?.(store).then((responses) => {
      const { execute } = responses
      this.#startRunner({ kind: 'response', store: responses, execute, settings: () => this.#responseSettings() })
    })
    this.#courier = new Courier({
      ...{ store, random: Math.random, settings },
      onAttempt: (delivery, result, cause) => this.#tellDelivery(delivery, result, cause),
    })
    this.#courier.start()
  }

  /** Long answers are what they are for: only the limits of their upstreams end them. */
  #responseSettings(): RunnerSettings {
    const { jobs, responses } = this.#options.current().config
    return { ...jobs, concurrency: responses.background.concurrency, timeoutMs: LONGEST_TIMER_MS }
  }

  #startRunner(options: Pick<RunnerOptions, 'kind' | 'store' | 'execute' | 'settings'>): void {
    const { current, metrics } = this.#options
    const runner = new JobRunner({
      ...options,
      random: Math.random,
      // In maintenance waiting jobs keep waiting; the runner polls again by itself.
      settings: () =>
        current().config.server.maintenance === false ? options.settings() : { ...options.settings(), concurrency: 0 },
      onRunEnd: (result, attempts, jobId) => {
        metrics.jobRun(result)
        current().log.info({ job: jobId, result, attempts }, 'job run ended')
      },
      onTrouble: (message) => current().log.warn({}, message),
    })
    this.#runners.push(runner)
    runner.start()
  }

  /** On the generation that is current when the job begins. */
  #createExecute(): Execute {
    const { surface, current, nowMs, accounts } = this.#options
    return (job, signal, onCost) => {
      const { pipeline, config } = current()
      const execute = createExecute({ pipeline, surface, keyOf: (owner) => keyOf(config, accounts, owner), nowMs })
      return execute(job, signal, onCost)
    }
  }

  #tellDelivery({ job, attempts }: ClaimedDelivery, result: DeliveryResult, cause: unknown): void {
    const { metrics, current } = this.#options
    metrics.webhook(result.kind)
    const { log } = current()
    if (result.kind === 'delivered') {
      log.info({ job: job.id, attempts }, 'webhook delivered')
      return
    }
    const reason = cause === null ? null : cause instanceof Error ? cause.message : String(cause)
    const fields = { job: job.id, attempts, error: result.error, reason }
    log.warn(fields, result.kind === 'dead' ? 'webhook abandoned' : 'webhook attempt failed')
  }
}

/** The policy of a generation for chats that would become jobs. */
export function jobHabits({ config, router, limiter }: Pick<Generation, 'config' | 'router' | 'limiter'>): JobPolicy {
  const { maxPendingPerKey, maxPending, maxStoredBytesPerKey, maxStoredBytes, maxAnswerBytes, webhook } = config.jobs
  return {
    isAsyncByDefault: config.compat.asyncByDefault,
    webhook,
    caps: {
      ...{ perKey: maxPendingPerKey, all: maxPending },
      stored: { perKey: maxStoredBytesPerKey, all: maxStoredBytes },
    },
    maxAnswerBytes,
    countRequest: ({ index }) => limiter.countRequest(index),
    checkTokens: ({ index }, { facts, estimatedTokens }) =>
      limiter.checkTokens(index, neededTokens(facts, estimatedTokens)),
    checkRoute(key, { facts: { model, provider }, selector }) {
      // A request without a model gets the default one when it runs.
      if (model !== '')
        router.route({ model, provider, allowed: allowedModels(config, key), selector: selector ?? null })
    },
  }
}

/** Null: the key is no longer configured, or may do nothing any more, or the job is from before any keys were configured. */
export function keyOf(config: Config, accounts: AccountSource | null, owner: string): KeyIdentity | null {
  const { keys } = config
  const listed = accounts?.byId(owner) ?? null
  if (listed !== null && accounts !== null)
    return closedBy(listed, accounts.nowMs()) === null ? identityOf(listed) : null
  if (owner === '') return needsKeys(config) ? null : NO_KEY
  const index = keys.findIndex(({ keySha256 }) => keySha256 === owner)
  const key = keys[index]
  return key === undefined ? null : { index, name: key.name, owner }
}
