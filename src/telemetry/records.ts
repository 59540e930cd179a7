// What the pipeline reports to telemetry. One ExchangeRecord per exchange, at settle, is the source of both the metrics and the
// log line.
import { type EndpointId } from '../model/endpoint.js'
import { type ErrorData } from '../model/error.js'
import { type FinishReason, type Outcome } from '../model/event.js'
import { type Usage, type UsageSource } from '../model/usage.js'

/** `bytes`: a stream that is not made of frames, such as audio. */
export type Transport = 'json' | 'sse' | 'ndjson' | 'bytes' | 'websocket'

/** The origin of a request, for the log only. Everything except `method` is the client's own text. */
export type ClientOrigin = {
  readonly method: string
  /** Without its query, which may hold a key. */
  readonly path: string
  /** The client's address, possibly forwarded by trusted proxies; empty if unknown. */
  readonly address: string
  /** The User-Agent header; empty without one. */
  readonly agent: string
  /** On a WebSocket: the id of the socket in the log, and the client's id of the chat; null if it is not about a chat. */
  readonly socket?: { readonly connection: string; readonly chat: string | null }
}

/** One request to an upstream of an exchange that needed several. */
export type Try = {
  readonly provider: string
  readonly model: string
  readonly result: AttemptResult
  /** Why it failed; null if it did not, or was aborted for another one. */
  readonly error: ErrorData | null
  readonly ms: number
  /** Only of a traced request. */
  readonly traced?: TracedTry
}

/** What the span of a try shows besides. */
export type TracedTry = {
  /** From accept until it was sent; null if it never was. */
  readonly startMs: number | null
  /** How long the connection took that was made for it; null if it took an open one. */
  readonly connectMs: number | null
  /** The status of the upstream's answer; null without one. */
  readonly status: number | null
  /** Another one that ran beside it had content first. */
  readonly isHedgeLoser: boolean
  /** The id under which the upstream knows the span; null where it does not. */
  readonly spanId: string | null
}

/** The place of a request in a trace. The ids are lower-case hex. @see telemetry/traces */
export type RequestTrace = {
  readonly traceId: string
  /** Of the request's own span. */
  readonly spanId: string
  /** The caller's span; null for a trace that begins here. */
  readonly parentId: string | null
  /** Its spans are exported. */
  readonly isSampled: boolean
  /** The caller's `tracestate`; empty without one. */
  readonly state: string
}

/** What the pipeline and the server need of traces. Everything is synchronous, and waits for nothing. */
export type Tracer = {
  /** Takes a request into the trace of its caller, or begins one; null if there is nothing to trace. `headers`: by lower-case name. */
  begin(headers: Readonly<Record<string, string>>): RequestTrace | null
  /** The headers by which a provider learns of the trace, and the span that they name; null where it does not. */
  passTo(provider: string, trace: RequestTrace): PassedTrace | null
  settled(record: ExchangeRecord): void
  /** A client that came back to a stream has read it, or has left it. */
  resumed(reading: StreamReading): void
}

/** One time that a client came back to a kept stream: no exchange of its own. */
export type StreamReading = {
  readonly trace: RequestTrace
  /** The traceparent of the request whose answer it is; null if that one was not traced. */
  readonly producer: string | null
  readonly requestId: string
  readonly surface: string
  readonly origin: ClientOrigin
  /** The beginning of the id of the stream. */
  readonly stream: string
  readonly result: StreamReaderResult
  readonly totalMs: number
}
export type PassedTrace = { readonly headers: Readonly<Record<string, string>>; readonly spanId: string }

export type ExchangeRecord = {
  readonly requestId: string
  readonly surface: string
  readonly transport: Transport
  /** Name of the gateway key, never the key; null without one. */
  readonly keyName: string | null
  /** The name that the client sent; goes into the log, never into a label. */
  readonly model: string | null
  /** The end user whom the client names; for the log only. */
  readonly endUser: string | null
  /** Provider and upstream model of the attempt that answered, or of the last one. */
  readonly provider: string | null
  readonly targetModel: string | null
  readonly outcome: Outcome
  /** HTTP status the client got; 200 for a stream that broke later. */
  readonly status: number
  readonly error: ErrorData | null
  /** Why the model stopped, in the canonical vocabulary; null if the provider gave no reason. */
  readonly finish: FinishReason | null
  /** The cause of an `internal` error, only for the log. */
  readonly cause: unknown
  readonly usage: Usage
  readonly usageSource: UsageSource
  readonly attempts: number
  /** Of all its attempts, in nano-dollars; null if no cost is known. */
  readonly costNano: number | null
  /** Attempts whose cost is not known; 0 where none is computed. */
  readonly unpricedAttempts: number
  readonly totalMs: number
  /** From accept to the first token; null if none came. */
  readonly timeToFirstTokenMs: number | null
  /** Time spent in the gateway itself: accept to upstream request sent, plus upstream answer to client; null before dispatch. */
  readonly overheadMs: number | null
  /** How long it waited for a slot of a limit; null if it did not. */
  readonly queuedMs: number | null
  /** How long the connection took that was made for the attempt that answered, or for the last one; null if none was made. */
  readonly connectMs: number | null
  /** From the last byte of the upstream's answer to the end: the client has yet to take the rest. Null if no upstream answered. */
  readonly settleMs: number | null
  readonly requestBytes: number
  readonly responseBytes: number
  readonly dropped: readonly string[]
  /** Null if unknown. */
  readonly origin: ClientOrigin | null
  /** All requests to upstreams, in the order of their ends, if one of them failed or the request is traced; null: none has. */
  readonly tries: readonly Try[] | null
  /** Null where traces are off. */
  readonly trace: RequestTrace | null
  /** What it asked for; null for a chat, and for what was refused before that was known. */
  readonly endpoint: EndpointId | null
  /** The answer's own id, and the model that it names; null where it is not traced, or has none where it begins. */
  readonly answerId: string | null
  readonly answerModel: string | null
  /** The answering upstream's own id of the request; null if it sent none. */
  readonly upstreamRequestId: string | null
  /** The beginning of the id of the kept stream that bears its answer; null if it is not kept. */
  readonly stream: string | null
  /** Set if it was answered from what another request got. */
  readonly shared: SharedRecord | null
  /** Name of the operator's key who cancelled it; null if none did. */
  readonly cancelledBy: string | null
}

/** `follower`: of a running stream; `retry`: of the request that it repeats; `hit`: from the cache. */
export type SharedHow = 'follower' | 'retry' | 'hit'
/** `requestId`, and `trace` as a traceparent: of the request that ran. */
export type SharedRecord = { readonly how: SharedHow; readonly requestId: string; readonly trace?: string }

/** Takes each record beside log and metrics, once somebody wants them. */
export type RecordTap = { take: ((record: ExchangeRecord) => void) | null }

/** Metrics as the hot path sees them: plain additions into typed arrays, no allocation, no label strings. */
export type Metrics = {
  /** Resolves the series of a model and provider once per exchange; unknown names share the series `other`. */
  slot(surface: string, provider: string | null, model: string | null): number
  exchangeStarted(): void
  /** Exactly once per started exchange. */
  exchangeSettled(record: ExchangeRecord): void
  streamOpened(transport: Transport): void
  streamClosed(transport: Transport): void
  interToken(slot: number, seconds: number): void
  upstreamAttempt(provider: string, result: AttemptResult): void
  /** A further try: at the same target, at another one, at a second beside the first, or denied by a budget. */
  upstreamRetry(provider: string, kind: RetryKind): void
  /** An answer came with usage that cannot be true; it was estimated instead. */
  implausibleUsage(provider: string): void
  /** A provider sent unsolicited bytes: its connections are not reused for a while. */
  unsolicitedBytes(provider: string): void
  /** What an attempt has cost, in nano-dollars. */
  attemptCost(slot: number, nano: number): void
  /** An attempt was charged for by a provider whose price is not known. */
  unpricedAttempt(slot: number): void
  /** A budget had no room for a reservation; `scope`: to what it applies. */
  budgetRefused(scope: 'gateway' | 'team' | 'key' | 'model' | 'tag'): void
  /** Nano-dollars that were spent beyond a budget. */
  budgetDebt(nano: number): void
  limitRejection(scope: 'gateway' | 'team' | 'key' | 'provider', limit: LimitName): void
  offloadTask(task: OffloadTask, where: 'inline' | 'worker', seconds: number): void
  offloadQueue(length: number): void
  upstreamConnections(provider: string, open: number, busy: number): void
  /** `state`: 0 closed, 1 half-open, 2 open; the worst of the provider's targets. */
  breakerState(provider: string, state: number): void
  eventLoopLag(seconds: number): void
  /** The event loop's connection to Redis for this use is up or down. */
  redisState(use: RedisUse, isUp: boolean): void
  /** The account database answers, or is away; the journals of budgets have so many bytes. */
  accountsState(isUp: boolean, journalBytes: number): void
  redisCall(use: RedisUse, seconds: number, isOk: boolean): void
  /** The content of the job store; reported by one event loop. */
  jobCounts(counts: JobCounts): void
  /** One run of a job is over. */
  jobRun(result: JobRunResult): void
  /** One attempt to deliver a webhook is over. */
  webhook(result: WebhookResult): void
}

export type LimitName = 'requests' | 'tokens' | 'concurrency' | 'lag' | 'receiving' | 'fetched' | 'stored'
export type JobState = 'pending' | 'processing' | 'completed' | 'error'
export type JobCounts = {
  readonly jobs: Readonly<Record<JobState, number>>
  /** The age of the job that has waited longest. */
  readonly queueAgeMs: number
  readonly deliveries: { readonly due: number; readonly dead: number }
  readonly storedBytes: { readonly jobs: number; readonly answers: number }
}
/** `retried`: will run again; `released`: returned at a drain; `void`: cancelled, or taken over by another runner. */
export type JobRunResult = 'completed' | 'retried' | 'failed' | 'released' | 'void'
export type WebhookResult = 'delivered' | 'retry' | 'dead'

/** How a reader of a kept stream came, and how its time with it ended. @see streams/kept */
export type StreamReaderHow = 'first' | 'resume' | 'retry' | 'follower' | 'replay'
export type StreamReaderResult = 'delivered' | 'client_gone' | 'slow_reader' | 'upstream_cut' | 'moved' | 'gone'

/** How an answer of a model that shares its answers came about. */
export type CacheResult = 'hit' | 'miss' | 'follower'

/** What Redis is used for; each use has its own connection. */
export type RedisUse = 'limits' | 'budgets' | 'jobs' | 'streams' | 'cache' | 'responses'
/** What became of a kept stream's copy in Redis: whole; closed by a reader elsewhere; ended at a gap. */
export type StreamStoreResult = 'stored' | 'fenced' | 'gap'

/** `dropped`: there was no room for them, or no collector took them. */
export type SpanResult = 'exported' | 'dropped'

export type AttemptResult = 'ok' | 'rejected' | 'unreachable' | 'timeout' | 'malformed' | 'cut' | 'aborted'
/** `unchanged`: read, and the same as before. */
export type ReloadResult = 'ok' | 'unchanged' | 'rejected'
/** What a connection sent too much of in one turn of its event loop: requests, WebSocket messages, or tiny chunks of a body. */
export type FloodKind = 'requests' | 'messages' | 'chunks'
export type RetryKind = 'again' | 'elsewhere' | 'hedge' | 'denied'
export type OffloadTask = 'decode' | 'encode' | 'aggregate'

export type Log = {
  /** The one line of an exchange. */
  exchange(record: ExchangeRecord): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** Resolves when all lines are on disk or in the pipe. */
  flush(): Promise<void>
}
