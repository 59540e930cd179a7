// Metrics on the hot path: plain additions into the slab of its own event loop. No allocation, no string is built, no label is
// validated; names and labels are built only at a scrape (scrape.ts).
import { OUTCOMES } from '../../model/event.js'
import {
  type AttemptResult,
  type CacheResult,
  type ExchangeRecord,
  type FloodKind,
  type JobCounts,
  type JobRunResult,
  type Metrics,
  type OffloadTask,
  type RedisUse,
  type ReloadResult,
  type RetryKind,
  type SpanResult,
  type StreamReaderHow,
  type StreamReaderResult,
  type StreamStoreResult,
  type Transport,
  type WebhookResult,
} from '../records.js'
import { slabOf } from './cells.js'
import {
  ATTEMPT_RESULTS,
  BUDGET_SCOPES,
  CACHE_RESULTS,
  DELIVERY_STATES,
  FLOOD_KINDS,
  JOB_RUN_RESULTS,
  JOB_STATES,
  KEPT_SCOPES,
  LIMIT_KINDS,
  LIMIT_SCOPES,
  NOT_KEPT_REASONS,
  OFFLOAD_PLACES,
  OFFLOAD_TASKS,
  READER_HOWS,
  READER_RESULTS,
  REDIS_USES,
  RELOAD_RESULTS,
  RETRY_KINDS,
  SPAN_RESULTS,
  STATUSES,
  STORED_KINDS,
  STREAM_STORE_RESULTS,
  TRANSPORTS,
  WEBHOOK_RESULTS,
} from './labels.js'
import { beginnings, createLayout, type Layout, type MetricsConfig, type Place } from './layout.js'
import { METRIC_LIST, METRICS, type MetricKey } from './table.js'

const MS_PER_SEC = 1000
const NANO_PER_DOLLAR = 1_000_000_000

/** Metrics of one event loop, their only writer. Gauges of a former loop with the same index are reset, counters continue. */
export function createMetrics(config: MetricsConfig, cells: SharedArrayBuffer, loopIndex: number): LoopMetrics {
  const layout = createLayout(config)
  return new CellMetrics(layout, slabOf(layout, cells, loopIndex))
}

/** Metrics whose configuration may be replaced by one with more names; existing users continue under the same labels. */
export type LoopMetrics = Metrics & {
  /** Existing names keep their positions, so the capacity must be the same. */
  adopt(config: MetricsConfig): void
  configReload(result: ReloadResult): void
  /** A connection was closed because of its demands on one turn of its event loop. */
  flood(kind: FloodKind): void
  /** A listener accepts no connections, because descriptors are short; or accepts them again. */
  listenerPaused(isPaused: boolean): void
  /** Memory reserved for a use (positive) or released. */
  reserved(use: 'receiving' | 'fetched' | 'kept', bytes: number): void
  /** A stream is kept from now on, or forgotten. */
  keptStreams(change: 1 | -1): void
  /** A stream found no room to be kept. */
  streamNotKept(scope: (typeof KEPT_SCOPES)[number]): void
  /** A reader has left a kept stream. */
  streamReader(how: StreamReaderHow, result: StreamReaderResult): void
  /** An answer of a model that shares its answers. */
  cacheAnswer(result: CacheResult): void
  /** Memory taken by cached answers (positive) or released. */
  cacheBytes(bytes: number): void
  /** Nothing more of a kept stream goes to Redis. */
  streamStored(result: StreamStoreResult): void
  /** An answer with an Idempotency-Key is not kept: too large, or not taken by the store. */
  answerNotKept(reason: (typeof NOT_KEPT_REASONS)[number]): void
  /** Spans that the collector has taken, or that are lost. */
  spans(result: SpanResult, count: number): void
}

class CellMetrics implements LoopMetrics {
  #layout: Layout
  // Positions stay the same, whatever names are added.
  readonly #places: Layout['places']
  readonly #at: Readonly<Record<MetricKey, number>>
  readonly #cells: Float64Array
  readonly #outcomes = indexByValue(OUTCOMES)
  readonly #statuses = indexByValue(STATUSES)
  /** (surface, provider, model) as one number -> where its row begins. */
  readonly #rows = new Map<number, number>()
  #rowsUsed = 0

  constructor(layout: Layout, cells: Float64Array) {
    this.#layout = layout
    this.#places = layout.places
    this.#at = beginnings(layout)
    this.#cells = cells
    for (const [key, { type }] of METRIC_LIST) {
      if (type === 'gauge') cells.fill(0, layout.places[key].at, layout.places[key].end)
    }
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
    this.#add(this.#at.active, 1)
  }

  exchangeSettled(record: ExchangeRecord): void {
    this.#add(this.#at.active, -1)
    const places = this.#at
    const at = this.slot(record.surface, record.provider, record.model)
    const outcome = this.#outcomes.get(record.outcome) ?? 0
    const status = this.#statuses.get(record.status) ?? STATUSES.length
    this.#add(at + places.requests + outcome * (STATUSES.length + 1) + status, 1)
    this.#count(at + places.tokens, record.usage.inputTokens)
    this.#count(at + places.tokens + 1, record.usage.outputTokens)
    const { totalMs, timeToFirstTokenMs: firstMs, overheadMs } = record
    this.#observe(at + places.duration, METRICS.duration.bounds, totalMs / MS_PER_SEC)
    const { timeToFirstToken, overhead } = METRICS
    if (firstMs !== null) this.#observe(at + places.timeToFirstToken, timeToFirstToken.bounds, firstMs / MS_PER_SEC)
    if (overheadMs !== null) this.#observe(at + places.overhead, overhead.bounds, overheadMs / MS_PER_SEC)
  }

  streamOpened(transport: Transport): void {
    this.#add(this.#at.streams + TRANSPORTS.indexOf(transport), 1)
  }

  streamClosed(transport: Transport): void {
    this.#add(this.#at.streams + TRANSPORTS.indexOf(transport), -1)
  }

  interToken(slot: number, seconds: number): void {
    this.#observe(slot + this.#at.interToken, METRICS.interToken.bounds, seconds)
  }

  attemptCost(slot: number, nano: number): void {
    this.#add(slot + this.#at.cost, nano / NANO_PER_DOLLAR)
  }

  unpricedAttempt(slot: number): void {
    this.#add(slot + this.#at.unpriced, 1)
  }

  upstreamAttempt(provider: string, result: AttemptResult): void {
    const index = this.#layout.providers.indexOf.get(provider) ?? 0
    this.#add(this.#at.attempts + index * ATTEMPT_RESULTS.length + ATTEMPT_RESULTS.indexOf(result), 1)
  }

  upstreamRetry(provider: string, kind: RetryKind): void {
    const index = this.#layout.providers.indexOf.get(provider) ?? 0
    this.#add(this.#at.retries + index * RETRY_KINDS.length + RETRY_KINDS.indexOf(kind), 1)
  }

  implausibleUsage(provider: string): void {
    this.#add(this.#at.implausible + (this.#layout.providers.indexOf.get(provider) ?? 0), 1)
  }

  unsolicitedBytes(provider: string): void {
    this.#add(this.#at.unsolicited + (this.#layout.providers.indexOf.get(provider) ?? 0), 1)
  }

  limitRejection(scope: (typeof LIMIT_SCOPES)[number], limit: (typeof LIMIT_KINDS)[number]): void {
    const offset = LIMIT_SCOPES.indexOf(scope) * LIMIT_KINDS.length + LIMIT_KINDS.indexOf(limit)
    this.#add(this.#at.rejections + offset, 1)
  }

  budgetRefused(scope: (typeof BUDGET_SCOPES)[number]): void {
    this.#add(this.#at.budgetRefusals + BUDGET_SCOPES.indexOf(scope), 1)
  }

  budgetDebt(nano: number): void {
    this.#add(this.#at.budgetDebt, nano / NANO_PER_DOLLAR)
  }

  reserved(use: 'receiving' | 'fetched' | 'kept', bytes: number): void {
    this.#add(this.#at[use], bytes)
  }

  keptStreams(change: 1 | -1): void {
    this.#add(this.#at.keptStreams, change)
  }

  streamNotKept(scope: (typeof KEPT_SCOPES)[number]): void {
    this.#add(this.#at.notKept + KEPT_SCOPES.indexOf(scope), 1)
  }

  streamReader(how: StreamReaderHow, result: StreamReaderResult): void {
    const offset = READER_HOWS.indexOf(how) * READER_RESULTS.length + READER_RESULTS.indexOf(result)
    this.#add(this.#at.streamReaders + offset, 1)
  }

  cacheAnswer(result: CacheResult): void {
    this.#add(this.#at.cacheAnswers + CACHE_RESULTS.indexOf(result), 1)
  }

  cacheBytes(bytes: number): void {
    this.#add(this.#at.cacheBytes, bytes)
  }

  offloadTask(task: OffloadTask, where: 'inline' | 'worker', seconds: number): void {
    const index = OFFLOAD_TASKS.indexOf(task)
    this.#add(this.#at.offloadTasks + index * OFFLOAD_PLACES.length + OFFLOAD_PLACES.indexOf(where), 1)
    const { at, cellsPerSeries } = this.#places.offloadSeconds
    this.#observe(at + index * cellsPerSeries, METRICS.offloadSeconds.bounds, seconds)
  }

  offloadQueue(length: number): void {
    this.#cells[this.#at.offloadQueue] = length
  }

  configReload(result: ReloadResult): void {
    this.#add(this.#at.reloads + RELOAD_RESULTS.indexOf(result), 1)
  }

  flood(kind: FloodKind): void {
    this.#add(this.#at.floods + FLOOD_KINDS.indexOf(kind), 1)
  }

  upstreamConnections(provider: string, open: number, busy: number): void {
    const index = this.#layout.providers.indexOf.get(provider) ?? 0
    this.#set(this.#places.connections, 2 * index, busy)
    this.#set(this.#places.connections, 2 * index + 1, open - busy)
  }

  breakerState(provider: string, state: number): void {
    this.#set(this.#places.breakers, this.#layout.providers.indexOf.get(provider) ?? 0, state)
  }

  eventLoopLag(seconds: number): void {
    this.#cells[this.#at.eventLoopLag] = seconds
  }

  listenerPaused(isPaused: boolean): void {
    this.#add(this.#at.listenersPaused, isPaused ? 1 : -1)
  }

  redisState(use: RedisUse, isUp: boolean): void {
    this.#set(this.#places.redisUp, REDIS_USES.indexOf(use), isUp ? 1 : 0)
  }

  accountsState(isUp: boolean, journalBytes: number): void {
    this.#set(this.#places.accountsUp, 0, isUp ? 1 : 0)
    this.#set(this.#places.journalBytes, 0, journalBytes)
  }

  redisCall(use: RedisUse, seconds: number, isOk: boolean): void {
    const index = REDIS_USES.indexOf(use)
    if (!isOk) this.#add(this.#at.redisFailures + index, 1)
    const { at, cellsPerSeries } = this.#places.redisSeconds
    this.#observe(at + index * cellsPerSeries, METRICS.redisSeconds.bounds, seconds)
  }

  jobCounts({ jobs, queueAgeMs, deliveries, storedBytes }: JobCounts): void {
    for (const [i, state] of JOB_STATES.entries()) this.#set(this.#places.jobs, i, jobs[state])
    this.#set(this.#places.queueAge, 0, queueAgeMs / MS_PER_SEC)
    for (const [i, state] of DELIVERY_STATES.entries()) this.#set(this.#places.deliveries, i, deliveries[state])
    for (const [i, kind] of STORED_KINDS.entries()) this.#set(this.#places.storedBytes, i, storedBytes[kind])
  }

  jobRun(result: JobRunResult): void {
    this.#add(this.#at.jobRuns + JOB_RUN_RESULTS.indexOf(result), 1)
  }

  webhook(result: WebhookResult): void {
    this.#add(this.#at.webhooks + WEBHOOK_RESULTS.indexOf(result), 1)
  }

  streamStored(result: StreamStoreResult): void {
    this.#add(this.#at.streamStores + STREAM_STORE_RESULTS.indexOf(result), 1)
  }

  answerNotKept(reason: (typeof NOT_KEPT_REASONS)[number]): void {
    this.#add(this.#at.answersNotKept + NOT_KEPT_REASONS.indexOf(reason), 1)
  }

  spans(result: SpanResult, count: number): void {
    this.#add(this.#at.spans + SPAN_RESULTS.indexOf(result), count)
  }

  #add(at: number, count: number): void {
    this.#cells[at] = (this.#cells[at] ?? 0) + count
  }

  /** Counters only grow; NaN would spoil the sum for good. */
  #count(at: number, count: number): void {
    if (count > 0 && count < Number.POSITIVE_INFINITY) this.#add(at, count)
  }

  /** Sets a gauge that is shown once it is set. */
  #set({ at, flagsAt }: Place, series: number, value: number): void {
    this.#cells[at + series] = value
    if (flagsAt !== null) this.#cells[flagsAt + series] = 1
  }

  #observe(at: number, bounds: readonly number[], seconds: number): void {
    if (!(seconds >= 0) || seconds === Number.POSITIVE_INFINITY) return
    let bucket = 0
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++
    this.#add(at + bucket, 1)
    this.#add(at + bounds.length + 1, seconds)
  }

  #rowAt(index: number): number {
    return this.#layout.firstRow + index * this.#layout.rowLength
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
