// Which series exist, and where each lives in an event loop's slab of numbers. Pure. Labels come from configuration and
// the fixed lists below alone; whatever a client writes that is not among them counts under `other`.
//
//   slab  fixed section | row | row | row ...     one row for each (surface, provider, model) seen, MAX_ROWS at most
//   row   tag | requests by outcome x status | input and output tokens | four histograms
import { OUTCOMES } from '../../model/event.js'
import {
  type AttemptResult,
  type FloodKind,
  type JobRunResult,
  type JobState,
  type OffloadTask,
  type RedisUse,
  type ReloadResult,
  type RetryKind,
  type Transport,
  type WebhookResult,
} from '../records.js'

/** The slices of the configuration that labels are made of. */
export type MetricsConfig = {
  /** Ids of the surfaces that are served. */
  readonly surfaces: readonly string[]
  readonly providers: readonly { readonly name: string; readonly knownModels: readonly string[] }[]
  readonly models: readonly { readonly name: string }[]
  /** How many of each there may come to be, by appending: places stay where they are. As many as there are unless given. */
  readonly room?: { readonly providers: number; readonly models: number }
}

/** The label of all that configuration does not name. */
export const OTHER = 'other'
/** What the gateway answers (errors.ts), what it passes on from upstreams, and what browsers and sockets need. */
export const STATUSES: readonly number[] = Object.freeze([
  101, 200, 202, 204, 400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 422, 424, 426, 429, 499, 500, 501, 502, 503,
  504, 507, 529,
])
export const TRANSPORTS: readonly Transport[] = Object.freeze(['json', 'sse', 'ndjson', 'websocket'])
export const ATTEMPT_RESULTS: readonly AttemptResult[] = Object.freeze([
  'ok',
  'rejected',
  'unreachable',
  'timeout',
  'malformed',
  'cut',
  'aborted',
])
export const RETRY_KINDS: readonly RetryKind[] = Object.freeze(['again', 'elsewhere', 'hedge', 'denied'])
export const LIMIT_SCOPES = Object.freeze(['gateway', 'key', 'provider'] as const)
export const LIMIT_KINDS = Object.freeze(['requests', 'tokens', 'concurrency', 'lag', 'receiving', 'stored'] as const)
export const OFFLOAD_TASKS: readonly OffloadTask[] = Object.freeze(['decode', 'encode', 'aggregate'])
export const RELOAD_RESULTS: readonly ReloadResult[] = Object.freeze(['ok', 'unchanged', 'rejected'])
export const FLOOD_KINDS: readonly FloodKind[] = Object.freeze(['requests', 'messages', 'chunks'])
export const OFFLOAD_PLACES = Object.freeze(['inline', 'worker'] as const)
export const JOB_STATES: readonly JobState[] = Object.freeze(['pending', 'processing', 'completed', 'error'])
export const DELIVERY_STATES = Object.freeze(['due', 'dead'] as const)
export const STORED_KINDS = Object.freeze(['jobs', 'answers'] as const)
export const NOT_KEPT_REASONS = Object.freeze(['size', 'store'] as const)
export const JOB_RUN_RESULTS: readonly JobRunResult[] = Object.freeze([
  ...(['completed', 'retried', 'failed', 'released', 'void'] as const),
])
export const WEBHOOK_RESULTS: readonly WebhookResult[] = Object.freeze(['delivered', 'retry', 'dead'])
export const REDIS_USES: readonly RedisUse[] = Object.freeze(['limits', 'jobs'])

/** Upper bounds in seconds. Time to first token and between tokens as OpenTelemetry's GenAI conventions advise, and 30, 60 for reasoning. */
export const TTFT_BOUNDS: readonly number[] = Object.freeze([
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
])
export const INTER_TOKEN_BOUNDS: readonly number[] = Object.freeze([
  0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
])
/** Up to the longest an exchange may take by default (totalMs). */
export const DURATION_BOUNDS: readonly number[] = Object.freeze([
  0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600,
])
/** The gateway's own share: 50 microseconds to 250 ms. */
export const OVERHEAD_BOUNDS: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
])
/** Codec work on one body: from a small one inline to the task timeout. */
export const OFFLOAD_BOUNDS: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10,
])

/** One call to Redis: from a healthy one beside us to one that is given up. */
export const REDIS_BOUNDS: readonly number[] = Object.freeze([
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
])

/** Bounds memory (about 2.4 KB a row and event loop) and the length of a scrape; combinations beyond count as `other`. */
const MAX_ROWS = 512

/** Where a histogram begins; it takes one cell for each bound, one for what is above all, and one for the sum. */
export type HistogramPlace = { readonly at: number; readonly bounds: readonly number[] }

export type Layout = {
  readonly surfaces: NameTable
  readonly providers: NameTable
  readonly models: NameTable
  /** Offsets in the fixed section. */
  readonly active: number
  /** Open streams by transport. */
  readonly streams: number
  readonly offloadQueue: number
  readonly eventLoopLag: number
  readonly listenersPaused: number
  readonly receivingBytes: number
  /** By provider x result. */
  readonly attempts: number
  /** By provider x kind. */
  readonly retries: number
  /** By provider. */
  readonly implausible: number
  /** By provider. */
  readonly unsolicited: number
  /** By provider: told at all (0 or 1), busy, idle. */
  readonly connections: number
  /** By provider: 0 if never told, else 1 + the state of its worst target. */
  readonly breakers: number
  /** By scope x kind. */
  readonly rejections: number
  /** By result. */
  readonly reloads: number
  /** By kind. */
  readonly floods: number
  /** By task x place. */
  readonly offloadTasks: number
  readonly offloadSeconds: readonly HistogramPlace[]
  /** Whether they were told, then by state; the queue's age in seconds; deliveries by state; stored bytes by kind. */
  readonly jobs: number
  readonly jobRuns: number
  readonly webhooks: number
  /** By reason. */
  readonly answersNotKept: number
  /** By use: event loops that told a state, and those of them that are down. */
  readonly redisStates: number
  /** By use. */
  readonly redisFailures: number
  readonly redisSeconds: readonly HistogramPlace[]
  readonly row: RowLayout
  readonly firstRow: number
  readonly rows: number
  /** Numbers in the slab of one event loop. */
  readonly slabLength: number
}

/** Offsets in a row. The tag is 1 + the row's (surface, provider, model) as one number, 0 while the row is free. */
export type RowLayout = {
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly duration: HistogramPlace
  readonly timeToFirstToken: HistogramPlace
  readonly interToken: HistogramPlace
  readonly overhead: HistogramPlace
  readonly length: number
}

export const CELLS_PER_CONNECTIONS = 3
export const CELLS_PER_REDIS_STATE = 2

/** Label values by index, and every name that leads to one; index 0 is `other`. */
export type NameTable = {
  readonly names: readonly string[]
  readonly indexOf: ReadonlyMap<string, number>
  /** How many names it may come to hold; what comes beyond counts as `other`. */
  readonly room: number
}

/** The same configuration always gives the same layout, on every event loop; one with more names and the same room, the same places. */
export function createLayout(config: MetricsConfig): Layout {
  const surfaces = createNameTable(config.surfaces)
  const providers = createNameTable(
    config.providers.map((provider) => provider.name),
    config.room?.providers,
  )
  const models = createModelTable(config)
  const row = createRowLayout()
  const place = new Placer()
  const fixed = {
    active: place.cells(1),
    streams: place.cells(TRANSPORTS.length),
    offloadQueue: place.cells(1),
    eventLoopLag: place.cells(1),
    listenersPaused: place.cells(1),
    receivingBytes: place.cells(1),
    attempts: place.cells(providers.room * ATTEMPT_RESULTS.length),
    retries: place.cells(providers.room * RETRY_KINDS.length),
    implausible: place.cells(providers.room),
    unsolicited: place.cells(providers.room),
    connections: place.cells(providers.room * CELLS_PER_CONNECTIONS),
    breakers: place.cells(providers.room),
    rejections: place.cells(LIMIT_SCOPES.length * LIMIT_KINDS.length),
    reloads: place.cells(RELOAD_RESULTS.length),
    floods: place.cells(FLOOD_KINDS.length),
    offloadTasks: place.cells(OFFLOAD_TASKS.length * OFFLOAD_PLACES.length),
    offloadSeconds: OFFLOAD_TASKS.map(() => place.histogram(OFFLOAD_BOUNDS)),
    jobs: place.cells(1 + JOB_STATES.length + 1 + DELIVERY_STATES.length + STORED_KINDS.length),
    jobRuns: place.cells(JOB_RUN_RESULTS.length),
    webhooks: place.cells(WEBHOOK_RESULTS.length),
    answersNotKept: place.cells(NOT_KEPT_REASONS.length),
    redisStates: place.cells(REDIS_USES.length * CELLS_PER_REDIS_STATE),
    redisFailures: place.cells(REDIS_USES.length),
    redisSeconds: REDIS_USES.map(() => place.histogram(REDIS_BOUNDS)),
  }
  const rows = Math.min(MAX_ROWS, surfaces.room * providers.room * models.room)
  const firstRow = place.length
  return { surfaces, providers, models, ...fixed, row, firstRow, rows, slabLength: firstRow + rows * row.length }
}

function createRowLayout(): RowLayout {
  const place = new Placer()
  place.cells(1)
  return {
    requests: place.cells(OUTCOMES.length * (STATUSES.length + 1)),
    inputTokens: place.cells(1),
    outputTokens: place.cells(1),
    duration: place.histogram(DURATION_BOUNDS),
    timeToFirstToken: place.histogram(TTFT_BOUNDS),
    interToken: place.histogram(INTER_TOKEN_BOUNDS),
    overhead: place.histogram(OVERHEAD_BOUNDS),
    length: place.length,
  }
}

/** Hands out consecutive places. */
class Placer {
  length = 0

  cells(count: number): number {
    const at = this.length
    this.length += count
    return at
  }

  histogram(bounds: readonly number[]): HistogramPlace {
    return { at: this.cells(bounds.length + 2), bounds }
  }
}

function createNameTable(names: readonly string[], roomForNames?: number): NameTable {
  const all = [...new Set([OTHER, ...names])]
  const room = roomForNames === undefined ? all.length : roomForNames + 1
  const unique = all.slice(0, room)
  return { names: unique, indexOf: new Map(unique.map((name, index) => [name, index])), room }
}

/** Configured and known names, which a client may also write with the provider in front. */
function createModelTable(config: MetricsConfig): NameTable {
  const names = [
    ...config.models.map((model) => model.name),
    ...config.providers.flatMap((provider) => provider.knownModels),
  ]
  const table = createNameTable(names, config.room?.models)
  const indexOf = new Map(table.indexOf)
  for (const { name, knownModels } of config.providers) {
    for (const model of knownModels) {
      const alias = `${name}/${model}`
      if (!indexOf.has(alias)) indexOf.set(alias, table.indexOf.get(model) ?? 0)
    }
  }
  return { ...table, indexOf }
}
