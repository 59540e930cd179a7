// The table of the gateway's own metrics, in the order of the page. The layout in memory (layout.ts), the sums over event loops
// (cells.ts), the page (series.ts, exposition.ts) and the reference page in docs/ are derived from it; metrics.ts counts.
//
// Two rules need no column: a series of a counter or histogram is shown once it has counted, and an event loop that restarts
// resets its gauges while its counters continue.
import {
  ATTEMPT_RESULTS,
  type Axis,
  BUDGET_SCOPES,
  CACHE_RESULTS,
  CONNECTION_STATE,
  DELIVERY_STATES,
  DIRECTION,
  FLOOD_KINDS,
  JOB_RUN_RESULTS,
  JOB_STATES,
  KEPT_SCOPES,
  LIMIT_KINDS,
  LIMIT_SCOPES,
  labelled,
  NOT_KEPT_REASONS,
  OFFLOAD_PLACES,
  OFFLOAD_TASKS,
  OUTCOME,
  PROVIDER,
  READER_HOWS,
  READER_RESULTS,
  REDIS_USES,
  RELOAD_RESULTS,
  RETRY_KINDS,
  SPAN_RESULTS,
  STATUS,
  STORED_KINDS,
  STREAM_STORE_RESULTS,
  TRANSPORTS,
  WEBHOOK_RESULTS,
} from './labels.js'

// The upper bounds of the buckets of all histograms, in seconds, rising.
/** Time to first token and between tokens as OpenTelemetry's GenAI conventions advise, and 30, 60 for reasoning. */
const TTFT_BOUNDS: readonly number[] = Object.freeze([
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
])
const INTER_TOKEN_BOUNDS: readonly number[] = Object.freeze([
  0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
])
/** Up to the longest an exchange may take by default (totalMs). */
const DURATION_BOUNDS: readonly number[] = Object.freeze([
  0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600,
])
/** The gateway's own share: 50 microseconds to 250 ms. */
const OVERHEAD_BOUNDS: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
])
/** Codec work on one body: from a small one inline to the task timeout. */
const OFFLOAD_BOUNDS: readonly number[] = Object.freeze([
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10,
])
/** One call to Redis: from one to a healthy server nearby to one that times out. */
const REDIS_BOUNDS: readonly number[] = Object.freeze([
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
])

/** A label that a row of cells has: one row for each (surface, model, provider) seen. */
export type RowLabel = 'surface' | 'model' | 'provider'

export type Descriptor = {
  readonly name: string
  readonly help: string
  /** For metrics with cells in each row: which labels of the row are shown; rows that differ in the others are added up. */
  readonly row?: readonly RowLabel[]
  /** Further labels: one series for each combination, the last label running fastest. */
  readonly axes: readonly Axis[]
} & (
  | { readonly type: 'counter' }
  | { readonly type: 'histogram'; readonly bounds: readonly number[] }
  | {
      readonly type: 'gauge'
      /** How the event loops' values become one; `largest` and `least` of those that have set it. */
      readonly across: 'sum' | 'largest' | 'least'
      /** Whether a series is on the page from the start, or once an event loop has set it. */
      readonly shown: 'always' | 'once set'
    }
)

export type MetricKey = keyof typeof METRICS

const TARGET = ['surface', 'model', 'provider'] as const

export const METRICS = {
  requests: {
    name: 'sluice_requests_total',
    help: 'Finished requests, by outcome and HTTP status.',
    ...{ type: 'counter', row: TARGET, axes: [OUTCOME, STATUS] },
  },
  duration: {
    name: 'sluice_request_duration_seconds',
    help: 'Time from accepting a request to the end of its answer.',
    ...{ type: 'histogram', bounds: DURATION_BOUNDS, row: TARGET, axes: [] },
  },
  timeToFirstToken: {
    name: 'sluice_time_to_first_token_seconds',
    help: 'Time from accepting a request to its first token.',
    ...{ type: 'histogram', bounds: TTFT_BOUNDS, row: TARGET, axes: [] },
  },
  interToken: {
    name: 'sluice_inter_token_seconds',
    help: 'Time between two pieces of a streamed answer.',
    ...{ type: 'histogram', bounds: INTER_TOKEN_BOUNDS, row: TARGET, axes: [] },
  },
  overhead: {
    name: 'sluice_overhead_seconds',
    help: 'Time spent in the gateway itself.',
    ...{ type: 'histogram', bounds: OVERHEAD_BOUNDS, row: TARGET, axes: [] },
  },
  // Over all surfaces: the consumer of tokens does not depend on the API of the request.
  tokens: {
    name: 'sluice_tokens_total',
    help: 'Tokens, by direction: input includes cached, output includes reasoning tokens.',
    ...{ type: 'counter', row: ['model', 'provider'], axes: [DIRECTION] },
  },
  cost: {
    name: 'sluice_cost_dollars_total',
    help: 'What providers charge, in dollars, by the configured prices; where prices.enabled.',
    ...{ type: 'counter', row: ['model', 'provider'], axes: [] },
  },
  unpriced: {
    name: 'sluice_unpriced_attempts_total',
    help: 'Attempts that a provider charges for without a known price; where prices.enabled.',
    ...{ type: 'counter', row: ['model', 'provider'], axes: [] },
  },
  active: {
    name: 'sluice_active_requests',
    help: 'Requests in progress.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  streams: {
    name: 'sluice_active_streams',
    help: 'Streams open to clients.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [labelled('transport', TRANSPORTS)] },
  },
  reloads: {
    name: 'sluice_config_reloads_total',
    help: 'Reloads of the configuration, by result.',
    ...{ type: 'counter', axes: [labelled('result', RELOAD_RESULTS)] },
  },
  rejections: {
    name: 'sluice_limit_rejections_total',
    help: 'Requests rejected by a limit.',
    ...{ type: 'counter', axes: [labelled('scope', LIMIT_SCOPES), labelled('limit', LIMIT_KINDS)] },
  },
  receiving: {
    name: 'sluice_receiving_bytes',
    help: 'Memory reserved for requests that are still arriving.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  fetched: {
    name: 'sluice_fetched_bytes',
    help: 'Memory reserved for images and documents fetched by URL.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  keptStreams: {
    name: 'sluice_kept_streams',
    help: 'Kept streams, running or ended.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  kept: {
    name: 'sluice_kept_bytes',
    help: 'Memory of kept streams.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  notKept: {
    name: 'sluice_streams_not_kept_total',
    help: 'Streams that should have been kept but found no room, by whose limit it was.',
    ...{ type: 'counter', axes: [labelled('scope', KEPT_SCOPES)] },
  },
  streamReaders: {
    name: 'sluice_stream_readers_total',
    help: 'Readers of kept streams that have left, by how they came and what became of them.',
    ...{ type: 'counter', axes: [labelled('how', READER_HOWS), labelled('result', READER_RESULTS)] },
  },
  cacheAnswers: {
    name: 'sluice_cache_answers_total',
    help: 'Answers of models with cache or coalesce, by where they came from: cache, provider, or a stream that ran.',
    ...{ type: 'counter', axes: [labelled('result', CACHE_RESULTS)] },
  },
  cacheBytes: {
    name: 'sluice_cache_bytes',
    help: 'Memory of cached answers.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  streamStores: {
    name: 'sluice_stream_stores_total',
    help: 'Kept streams of which nothing more goes to Redis: stored whole, closed in their place by a reader elsewhere (fenced), or ended at a gap.',
    ...{ type: 'counter', axes: [labelled('result', STREAM_STORE_RESULTS)] },
  },
  floods: {
    name: 'sluice_floods_total',
    help: 'Connections closed because they demanded too much of one event loop turn.',
    ...{ type: 'counter', axes: [labelled('kind', FLOOD_KINDS)] },
  },
  eventLoopLag: {
    name: 'sluice_event_loop_lag_seconds',
    help: 'Largest recent delay of any event loop.',
    ...{ type: 'gauge', across: 'largest', shown: 'always', axes: [] },
  },
  listenersPaused: {
    name: 'sluice_listeners_paused',
    help: 'Listeners that are paused because file descriptors are low.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  attempts: {
    name: 'sluice_upstream_attempts_total',
    help: 'Requests sent to providers, by result.',
    ...{ type: 'counter', axes: [PROVIDER, labelled('result', ATTEMPT_RESULTS)] },
  },
  budgetRefusals: {
    name: 'sluice_budget_refusals_total',
    help: 'Reservations that a budget had no room for, by what the budget applies to.',
    ...{ type: 'counter', axes: [labelled('scope', BUDGET_SCOPES)] },
  },
  budgetDebt: {
    name: 'sluice_budget_debt_dollars_total',
    help: 'Dollars that were spent beyond budgets, because providers counted more than was reserved.',
    ...{ type: 'counter', axes: [] },
  },
  retries: {
    name: 'sluice_upstream_retries_total',
    help: 'Retries of requests: at the same target (again), at another one (elsewhere), by hedging (hedge), or denied by the budget (denied).',
    ...{ type: 'counter', axes: [PROVIDER, labelled('kind', RETRY_KINDS)] },
  },
  implausible: {
    name: 'sluice_implausible_usage_total',
    help: 'Answers with an implausible usage (negative, malformed or too large), which was replaced by an estimate.',
    ...{ type: 'counter', axes: [PROVIDER] },
  },
  unsolicited: {
    name: 'sluice_upstream_unsolicited_total',
    help: 'Times that a provider sent bytes no request had asked for; its connections are then not reused for a minute.',
    ...{ type: 'counter', axes: [PROVIDER] },
  },
  connections: {
    name: 'sluice_upstream_connections',
    help: 'Open connections to providers, busy or idle.',
    ...{ type: 'gauge', across: 'sum', shown: 'once set', axes: [PROVIDER, CONNECTION_STATE] },
  },
  breakers: {
    name: 'sluice_breaker_state',
    help: "State of the provider's worst target on any event loop: 0 closed, 1 half-open, 2 open.",
    ...{ type: 'gauge', across: 'largest', shown: 'once set', axes: [PROVIDER] },
  },
  offloadTasks: {
    name: 'sluice_offload_tasks_total',
    help: 'Codec tasks, by where they ran.',
    ...{ type: 'counter', axes: [labelled('task', OFFLOAD_TASKS), labelled('where', OFFLOAD_PLACES)] },
  },
  offloadSeconds: {
    name: 'sluice_offload_seconds',
    help: 'Duration of a codec task, including the wait for a worker.',
    ...{ type: 'histogram', bounds: OFFLOAD_BOUNDS, axes: [labelled('task', OFFLOAD_TASKS)] },
  },
  offloadQueue: {
    name: 'sluice_offload_queue',
    help: 'Codec tasks waiting for a worker.',
    ...{ type: 'gauge', across: 'sum', shown: 'always', axes: [] },
  },
  jobs: {
    name: 'sluice_jobs',
    help: 'Jobs in the store, by state; background responses that are jobs among them.',
    ...{ type: 'gauge', across: 'sum', shown: 'once set', axes: [labelled('state', JOB_STATES)] },
  },
  queueAge: {
    name: 'sluice_jobs_queue_age_seconds',
    help: 'Age of the oldest waiting job.',
    ...{ type: 'gauge', across: 'sum', shown: 'once set', axes: [] },
  },
  deliveries: {
    name: 'sluice_webhooks_waiting',
    help: 'Webhooks that are pending (due) or were given up (dead).',
    ...{ type: 'gauge', across: 'sum', shown: 'once set', axes: [labelled('state', DELIVERY_STATES)] },
  },
  storedBytes: {
    name: 'sluice_stored_bytes',
    help: 'Bytes in the job store, for jobs and for answers kept by Idempotency-Key.',
    ...{ type: 'gauge', across: 'sum', shown: 'once set', axes: [labelled('kind', STORED_KINDS)] },
  },
  answersNotKept: {
    name: 'sluice_answers_not_kept_total',
    help: 'Answers with an Idempotency-Key that were not kept: too large (size) or rejected by the store (store).',
    ...{ type: 'counter', axes: [labelled('reason', NOT_KEPT_REASONS)] },
  },
  jobRuns: {
    name: 'sluice_job_runs_total',
    help: 'Finished job runs, by result.',
    ...{ type: 'counter', axes: [labelled('result', JOB_RUN_RESULTS)] },
  },
  webhooks: {
    name: 'sluice_webhook_attempts_total',
    help: 'Attempts to deliver a webhook, by result.',
    ...{ type: 'counter', axes: [labelled('result', WEBHOOK_RESULTS)] },
  },
  redisUp: {
    name: 'sluice_redis_up',
    help: '1 while every event loop can reach Redis, otherwise 0.',
    ...{ type: 'gauge', across: 'least', shown: 'once set', axes: [labelled('use', REDIS_USES)] },
  },
  redisSeconds: {
    name: 'sluice_redis_seconds',
    help: 'Duration of a call to Redis.',
    ...{ type: 'histogram', bounds: REDIS_BOUNDS, axes: [labelled('use', REDIS_USES)] },
  },
  redisFailures: {
    name: 'sluice_redis_failures_total',
    help: 'Calls to Redis that failed or took too long.',
    ...{ type: 'counter', axes: [labelled('use', REDIS_USES)] },
  },
  accountsUp: {
    name: 'sluice_accounts_up',
    help: '1 while the account database answers, 0 while keys are those that were known before.',
    ...{ type: 'gauge', across: 'least', shown: 'once set', axes: [] },
  },
  journalBytes: {
    name: 'sluice_budget_journal_bytes',
    help: 'Bytes of the journals of budgets: they grow while the account database is away.',
    ...{ type: 'gauge', across: 'largest', shown: 'once set', axes: [] },
  },
  spans: {
    name: 'sluice_trace_spans_total',
    help: 'Spans that the collector has taken (exported), or that are lost (dropped): no room, or no collector.',
    ...{ type: 'counter', axes: [labelled('result', SPAN_RESULTS)] },
  },
} as const satisfies Readonly<Record<string, Descriptor>>

/** All metrics with their keys, in the order of the page. */
export const METRIC_LIST: readonly (readonly [key: MetricKey, descriptor: Descriptor])[] = Object.freeze(
  Object.entries(METRICS).map(([key, descriptor]) => [key as MetricKey, descriptor] as const),
)

/** The names of a metric's labels, in the order of the page. */
export function labelNames({ row = [], axes }: Descriptor): readonly string[] {
  return [...row, ...axes.map(({ label }) => label)]
}
