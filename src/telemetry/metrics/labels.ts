// The labels of the gateway's own metrics, and the values of each in the order of their cells. Values come only from the
// configuration and these lists; anything else that a client sends counts as `other`.
import { OUTCOMES } from '../../model/event.js'
import {
  type AttemptResult,
  type CacheResult,
  type FloodKind,
  type JobRunResult,
  type JobState,
  type LimitName,
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

/** The label of everything that the configuration does not name. */
export const OTHER = 'other'
/** What the gateway answers (errors.ts), what it passes on from upstreams, and what browsers and sockets need. */
export const STATUSES: readonly number[] = Object.freeze([
  101, 200, 202, 204, 400, 401, 402, 403, 404, 405, 408, 409, 410, 412, 413, 415, 421, 422, 424, 426, 429, 499, 500,
  501, 502, 503, 504, 507, 529,
])
export const TRANSPORTS: readonly Transport[] = Object.freeze(['json', 'sse', 'ndjson', 'bytes', 'websocket'])
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
export const LIMIT_SCOPES = Object.freeze(['gateway', 'team', 'key', 'provider'] as const)
/** To what a budget applies; never whose it is. */
export const BUDGET_SCOPES = Object.freeze(['gateway', 'team', 'key', 'model', 'tag'] as const)
export const LIMIT_KINDS: readonly LimitName[] = Object.freeze([
  ...(['requests', 'tokens', 'concurrency', 'lag', 'receiving', 'fetched', 'stored'] as const),
])
export const OFFLOAD_TASKS: readonly OffloadTask[] = Object.freeze(['decode', 'encode', 'aggregate'])
export const OFFLOAD_PLACES = Object.freeze(['inline', 'worker'] as const)
export const RELOAD_RESULTS: readonly ReloadResult[] = Object.freeze(['ok', 'unchanged', 'rejected'])
export const FLOOD_KINDS: readonly FloodKind[] = Object.freeze(['requests', 'messages', 'chunks'])
export const JOB_STATES: readonly JobState[] = Object.freeze(['pending', 'processing', 'completed', 'error'])
export const DELIVERY_STATES = Object.freeze(['due', 'dead'] as const)
export const STORED_KINDS = Object.freeze(['jobs', 'answers'] as const)
export const NOT_KEPT_REASONS = Object.freeze(['size', 'store'] as const)
export const JOB_RUN_RESULTS: readonly JobRunResult[] = Object.freeze([
  ...(['completed', 'retried', 'failed', 'released', 'void'] as const),
])
export const WEBHOOK_RESULTS: readonly WebhookResult[] = Object.freeze(['delivered', 'retry', 'dead'])
export const READER_HOWS: readonly StreamReaderHow[] = Object.freeze([
  ...(['first', 'resume', 'retry', 'follower', 'replay'] as const),
])
export const READER_RESULTS: readonly StreamReaderResult[] = Object.freeze([
  ...(['delivered', 'client_gone', 'slow_reader', 'upstream_cut', 'moved', 'gone'] as const),
])
export const CACHE_RESULTS: readonly CacheResult[] = Object.freeze(['hit', 'miss', 'follower'])
export const KEPT_SCOPES = Object.freeze(['gateway', 'key'] as const)
export const REDIS_USES: readonly RedisUse[] = Object.freeze([
  ...(['limits', 'budgets', 'jobs', 'streams', 'cache', 'responses'] as const),
])
export const SPAN_RESULTS: readonly SpanResult[] = Object.freeze(['exported', 'dropped'])
export const STREAM_STORE_RESULTS: readonly StreamStoreResult[] = Object.freeze(['stored', 'fenced', 'gap'])

/** One label of a metric; those of `providers` are the configured ones, which a reload may append to. */
export type Axis = { readonly label: string; readonly values: readonly (string | number)[] | 'providers' }

export const PROVIDER: Axis = { label: 'provider', values: 'providers' }
export const OUTCOME: Axis = { label: 'outcome', values: OUTCOMES }
export const STATUS: Axis = { label: 'status', values: [...STATUSES, OTHER] }
export const DIRECTION: Axis = { label: 'direction', values: ['input', 'output'] }
export const CONNECTION_STATE: Axis = { label: 'state', values: ['busy', 'idle'] }

/** A label of fixed values. */
export function labelled(label: string, values: readonly string[]): Axis {
  return { label, values }
}
