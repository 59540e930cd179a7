// What the hot path does for metrics: plain additions into the slab of its own event loop. No allocation, no string is
// built, no label is validated; prom-client sees the numbers only at a scrape (scrape.ts).
import { OUTCOMES } from '../../model/event.js'
import {
  type AttemptResult,
  type ExchangeRecord,
  type FloodKind,
  type JobCounts,
  type JobRunResult,
  type Metrics,
  type OffloadTask,
  type RedisUse,
  type ReloadResult,
  type RetryKind,
  type Transport,
  type WebhookResult,
} from '../records.js'
import { slabOf } from './cells.js'
import {
  ATTEMPT_RESULTS,
  CELLS_PER_CONNECTIONS,
  CELLS_PER_REDIS_STATE,
  createLayout,
  DELIVERY_STATES,
  FLOOD_KINDS,
  type HistogramPlace,
  JOB_RUN_RESULTS,
  JOB_STATES,
  type Layout,
  LIMIT_KINDS,
  LIMIT_SCOPES,
  type MetricsConfig,
  NOT_KEPT_REASONS,
  OFFLOAD_PLACES,
  OFFLOAD_TASKS,
  REDIS_USES,
  RELOAD_RESULTS,
  RETRY_KINDS,
  STATUSES,
  STORED_KINDS,
  TRANSPORTS,
  WEBHOOK_RESULTS,
} from './layout.js'

const MS_PER_SEC = 1000

/** Metrics of one event loop, its only writer. Gauges left by a former loop of the same index are reset, counts go on. */
export function createMetrics(config: MetricsConfig, cells: SharedArrayBuffer, loopIndex: number): LoopMetrics {
  const layout = createLayout(config)
  return new CellMetrics(layout, slabOf(layout, cells, loopIndex))
}

/** Metrics whose configuration may be replaced by one with more names: whoever holds them counts on under the same labels. */
export type LoopMetrics = Metrics & {
  /** The names so far keep their places, and so the room must be the same. */
  adopt(config: MetricsConfig): void
  configReload(result: ReloadResult): void
  /** A connection was closed for what it asked of one turn of its event loop. */
  flood(kind: FloodKind): void
  /** A listener accepts no connections, for want of descriptors; or does again. */
  listenerPaused(isPaused: boolean): void
  /** Memory reserved for arriving requests (above zero) or given back. */
  receiving(bytes: number): void
  /** An answer with an Idempotency-Key is not kept: too large, or not taken by the store. */
  answerNotKept(reason: (typeof NOT_KEPT_REASONS)[number]): void
}

class CellMetrics implements LoopMetrics {
  #layout: Layout
  readonly #cells: Float64Array
  readonly #outcomes = indexByValue(OUTCOMES)
  readonly #statuses = indexByValue(STATUSES)
  /** (surface, provider, model) as one number -> where its row begins. */
  readonly #rows = new Map<number, number>()
  #rowsUsed = 0

  constructor(layout: Layout, cells: Float64Array) {
    this.#layout = layout
    this.#cells = cells
    const gauges = [
      layout.active,
      layout.offloadQueue,
      layout.eventLoopLag,
      layout.listenersPaused,
      layout.receivingBytes,
    ]
    for (const at of gauges) cells[at] = 0
    cells.fill(0, layout.streams, layout.streams + TRANSPORTS.length)
    cells.fill(0, layout.jobs, layout.jobRuns)
    cells.fill(0, layout.redisStates, layout.redisStates + REDIS_USES.length * CELLS_PER_REDIS_STATE)
    cells.fill(0, layout.connections, layout.connections + layout.providers.room * CELLS_PER_CONNECTIONS)
    cells.fill(0, layout.breakers, layout.breakers + layout.providers.room)
    while (this.#rowsUsed < layout.rows) {
      const at = this.#rowAt(this.#rowsUsed)
      const tag = cells[at] ?? 0
      if (tag === 0) break
      this.#rows.set(tag - 1, at)
      this.#rowsUsed += 1
    }
    // All three `other`: always there, so that there is a row to fall back to.
    if (this.#rowsUsed === 0) this.#addRow(0)
  }

  adopt(config: MetricsConfig): void {
    this.#layout = createLayout(config)
  }

  slot(surface: string, provider: string | null, model: string | null): number {
    const { surfaces, providers, models } = this.#layout
    const surfaceIndex = surfaces.indexOf.get(surface) ?? 0
    const providerIndex = provider === null ? 0 : (providers.indexOf.get(provider) ?? 0)
    const modelIndex = model === null ? 0 : (models.indexOf.get(model) ?? 0)
    const key = (surfaceIndex * providers.room + providerIndex) * models.room + modelIndex
    return this.#rows.get(key) ?? this.#addRow(key)
  }

  exchangeStarted(): void {
    this.#add(this.#layout.active, 1)
  }

  exchangeSettled(record: ExchangeRecord): void {
    this.#add(this.#layout.active, -1)
    const { row } = this.#layout
    const at = this.slot(record.surface, record.provider, record.model)
    const outcome = this.#outcomes.get(record.outcome) ?? 0
    const status = this.#statuses.get(record.status) ?? STATUSES.length
    this.#add(at + row.requests + outcome * (STATUSES.length + 1) + status, 1)
    this.#count(at + row.inputTokens, record.usage.inputTokens)
    this.#count(at + row.outputTokens, record.usage.outputTokens)
    this.#observe(at, row.duration, record.totalMs / MS_PER_SEC)
    if (record.timeToFirstTokenMs !== null) {
      this.#observe(at, row.timeToFirstToken, record.timeToFirstTokenMs / MS_PER_SEC)
    }
    if (record.overheadMs !== null) this.#observe(at, row.overhead, record.overheadMs / MS_PER_SEC)
  }

  streamOpened(transport: Transport): void {
    this.#add(this.#layout.streams + TRANSPORTS.indexOf(transport), 1)
  }

  streamClosed(transport: Transport): void {
    this.#add(this.#layout.streams + TRANSPORTS.indexOf(transport), -1)
  }

  interToken(slot: number, seconds: number): void {
    this.#observe(slot, this.#layout.row.interToken, seconds)
  }

  upstreamAttempt(provider: string, result: AttemptResult): void {
    const index = this.#layout.providers.indexOf.get(provider) ?? 0
    this.#add(this.#layout.attempts + index * ATTEMPT_RESULTS.length + ATTEMPT_RESULTS.indexOf(result), 1)
  }

  upstreamRetry(provider: string, kind: RetryKind): void {
    const index = this.#layout.providers.indexOf.get(provider) ?? 0
    this.#add(this.#layout.retries + index * RETRY_KINDS.length + RETRY_KINDS.indexOf(kind), 1)
  }

  implausibleUsage(provider: string): void {
    this.#add(this.#layout.implausible + (this.#layout.providers.indexOf.get(provider) ?? 0), 1)
  }

  unsolicitedBytes(provider: string): void {
    this.#add(this.#layout.unsolicited + (this.#layout.providers.indexOf.get(provider) ?? 0), 1)
  }

  limitRejection(scope: (typeof LIMIT_SCOPES)[number], limit: (typeof LIMIT_KINDS)[number]): void {
    const offset = LIMIT_SCOPES.indexOf(scope) * LIMIT_KINDS.length + LIMIT_KINDS.indexOf(limit)
    this.#add(this.#layout.rejections + offset, 1)
  }

  receiving(bytes: number): void {
    this.#add(this.#layout.receivingBytes, bytes)
  }

  offloadTask(task: OffloadTask, where: 'inline' | 'worker', seconds: number): void {
    const index = OFFLOAD_TASKS.indexOf(task)
    this.#add(this.#layout.offloadTasks + index * OFFLOAD_PLACES.length + OFFLOAD_PLACES.indexOf(where), 1)
    const place = this.#layout.offloadSeconds[index]
    if (place !== undefined) this.#observe(0, place, seconds)
  }

  offloadQueue(length: number): void {
    this.#cells[this.#layout.offloadQueue] = length
  }

  configReload(result: ReloadResult): void {
    this.#add(this.#layout.reloads + RELOAD_RESULTS.indexOf(result), 1)
  }

  flood(kind: FloodKind): void {
    this.#add(this.#layout.floods + FLOOD_KINDS.indexOf(kind), 1)
  }

  upstreamConnections(provider: string, open: number, busy: number): void {
    const index = this.#layout.providers.indexOf.get(provider) ?? 0
    const at = this.#layout.connections + index * CELLS_PER_CONNECTIONS
    this.#cells[at] = 1
    this.#cells[at + 1] = busy
    this.#cells[at + 2] = open - busy
  }

  breakerState(provider: string, state: number): void {
    this.#cells[this.#layout.breakers + (this.#layout.providers.indexOf.get(provider) ?? 0)] = 1 + state
  }

  eventLoopLag(seconds: number): void {
    this.#cells[this.#layout.eventLoopLag] = seconds
  }

  listenerPaused(isPaused: boolean): void {
    this.#add(this.#layout.listenersPaused, isPaused ? 1 : -1)
  }

  redisState(use: RedisUse, isUp: boolean): void {
    const at = this.#layout.redisStates + REDIS_USES.indexOf(use) * CELLS_PER_REDIS_STATE
    this.#cells[at] = 1
    this.#cells[at + 1] = isUp ? 0 : 1
  }

  redisCall(use: RedisUse, seconds: number, isOk: boolean): void {
    const index = REDIS_USES.indexOf(use)
    if (!isOk) this.#add(this.#layout.redisFailures + index, 1)
    const place = this.#layout.redisSeconds[index]
    if (place !== undefined) this.#observe(0, place, seconds)
  }

  jobCounts({ jobs, queueAgeMs, deliveries, storedBytes }: JobCounts): void {
    const states = JOB_STATES.map((state) => jobs[state])
    const waiting = DELIVERY_STATES.map((state) => deliveries[state])
    const stored = STORED_KINDS.map((kind) => storedBytes[kind])
    this.#cells.set([1, ...states, queueAgeMs / MS_PER_SEC, ...waiting, ...stored], this.#layout.jobs)
  }

  jobRun(result: JobRunResult): void {
    this.#add(this.#layout.jobRuns + JOB_RUN_RESULTS.indexOf(result), 1)
  }

  webhook(result: WebhookResult): void {
    this.#add(this.#layout.webhooks + WEBHOOK_RESULTS.indexOf(result), 1)
  }

  answerNotKept(reason: (typeof NOT_KEPT_REASONS)[number]): void {
    this.#add(this.#layout.answersNotKept + NOT_KEPT_REASONS.indexOf(reason), 1)
  }

  #add(at: number, count: number): void {
    this.#cells[at] = (this.#cells[at] ?? 0) + count
  }

  /** Counters only grow; a number that is none would spoil the sum for good. */
  #count(at: number, count: number): void {
    if (count > 0 && count < Number.POSITIVE_INFINITY) this.#add(at, count)
  }

  #observe(base: number, place: HistogramPlace, seconds: number): void {
    if (!(seconds >= 0) || seconds === Number.POSITIVE_INFINITY) return
    const { at, bounds } = place
    let bucket = 0
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++
    this.#add(base + at + bucket, 1)
    this.#add(base + at + bounds.length + 1, seconds)
  }

  #rowAt(index: number): number {
    return this.#layout.firstRow + index * this.#layout.row.length
  }

  #addRow(key: number): number {
    if (this.#rowsUsed === this.#layout.rows) return this.#rowAt(0)
    const at = this.#rowAt(this.#rowsUsed++)
    this.#cells[at] = key + 1
    this.#rows.set(key, at)
    return at
  }
}

function indexByValue<T>(values: readonly T[]): ReadonlyMap<T, number> {
  return new Map(values.map((value, index) => [value, index]))
}
