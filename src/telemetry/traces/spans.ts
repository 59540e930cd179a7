// Makes the spans of a request from its record, when it has settled. Pure. No prompt, no answer and no error text is in them, and what
// clients and providers name is searched for secrets. Tokens are counted once, in the span of the model's operation.
//
//   caller's span --> SERVER  POST openai-chat --> CLIENT  chat gpt-4.1 --> CLIENT  POST   a try
//                                                                      '-> CLIENT  POST   the next one, or the second of a hedge
import { type EndpointId } from '../../model/endpoint.js'
import { type FinishReason, type Outcome } from '../../model/event.js'
import { targetName } from '../../model/target.js'
import { toDollars } from '../../prices/cost.js'
import { type ClientOrigin, type ExchangeRecord, type RequestTrace, type StreamReading, type Try } from '../records.js'
import { type Span } from './otlp.js'
import { readTraceparent } from './trace-context.js'

/** What is the same for all spans of one configuration. */
export type SpanGround = {
  readonly resource: Span['resource']
  readonly scope: Span['instrumentationScope']
  readonly providers: ReadonlyMap<string, ProviderFacts>
  /** The text without secrets, and not too long. */
  readonly clean: (text: string) => string
  /** Of the listener: http or https. */
  readonly scheme: string
  readonly createSpanId: () => string
}

/** A provider as OpenTelemetry's conventions describe it. */
export type ProviderFacts = { readonly name: string; readonly address: string; readonly port: number }

type Attributes = Span['attributes']
type Context = ReturnType<Span['spanContext']>

/** OpenTelemetry's numbers for the kind of a span and for its status. */
const INTERNAL = 0
const SERVER = 1
const CLIENT = 2
const UNSET = { code: 0 } as const
const FAILED = { code: 2 } as const
const SAMPLED = 1
const FIRST_SERVER_ERROR = 500
const FIRST_ERROR = 400
const MS_PER_SEC = 1000
const NS_PER_MS = 1_000_000

const NOTHING: never[] = []

/** The spans of a settled request, that of the request itself first. `endMs`: Unix time of its end. */
export function spansOf(record: ExchangeRecord, trace: RequestTrace, ground: SpanGround, endMs: number): Span[] {
  const startMs = endMs - record.totalMs
  const request = createSpan(ground, {
    name: requestName(record),
    kind: record.origin === null ? INTERNAL : SERVER,
    context: contextOf(trace, trace.spanId),
    parent: callerOf(trace),
    startMs,
    endMs,
    status: isServersFault(record) ? FAILED : UNSET,
    attributes: requestAttributes(record, ground),
    links: linksTo(record.shared?.trace ?? null),
  })
  const tries = record.tries ?? NOTHING
  if (tries.length === 0 || record.provider === null) return [request]
  const operation = contextOf(trace, ground.createSpanId())
  const firstMs = Math.min(...tries.map((each) => each.traced?.startMs ?? record.totalMs))
  const lastMs = Math.max(firstMs, ...tries.map((each) => (each.traced?.startMs ?? firstMs) + each.ms))
  const name = `${operationName(record)} ${ground.clean(record.targetModel ?? '')}`.trimEnd()
  const client = createSpan(ground, {
    name,
    kind: CLIENT,
    context: operation,
    parent: request.spanContext(),
    startMs: startMs + firstMs,
    endMs: startMs + lastMs,
    status: record.error === null || OF_CLIENTS.has(record.outcome) ? UNSET : FAILED,
    attributes: operationAttributes(record, ground, firstMs),
  })
  const ofTries = tries.map((each, index) => {
    const fromMs = startMs + (each.traced?.startMs ?? firstMs)
    return createSpan(ground, {
      name: HTTP_METHOD,
      kind: CLIENT,
      context: contextOf(trace, each.traced?.spanId ?? ground.createSpanId()),
      parent: operation,
      startMs: fromMs,
      endMs: fromMs + each.ms,
      status: each.error === null ? UNSET : FAILED,
      attributes: tryAttributes(each, index, ground),
    })
  })
  return [request, client, ...ofTries]
}

/** The span of a client that came back to a stream: linked to the request whose answer it is, and without tokens. */
export function spanOfReading(reading: StreamReading, ground: SpanGround, endMs: number): Span {
  const { trace, producer, origin, surface, totalMs } = reading
  const attributes: Attributes = {
    'sluice.request_id': ground.clean(reading.requestId),
    'sluice.surface': surface,
    'sluice.stream': reading.stream,
    'sluice.result': reading.result,
    ...originAttributes(origin, ground),
  }
  return createSpan(ground, {
    ...{ name: `resume ${surface}`, kind: SERVER, context: contextOf(trace, trace.spanId), parent: callerOf(trace) },
    ...{ startMs: endMs - totalMs, endMs, status: UNSET, attributes, links: linksTo(producer) },
  })
}

function linksTo(traceparent: string | null): Span['links'] {
  const producer = traceparent === null ? null : readTraceparent(traceparent)
  if (producer === null) return NOTHING
  const { traceId, spanId, isSampled } = producer
  return [{ context: { traceId, spanId, traceFlags: isSampled ? SAMPLED : 0, isRemote: true } }]
}

/** Few different names: paths may hold names of models, and ids. */
function requestName({ origin, surface }: ExchangeRecord): string {
  if (origin === null) return `run ${surface}`
  return origin.socket === undefined ? `${origin.method} ${surface}` : `WS ${surface}`
}

function requestAttributes(record: ExchangeRecord, ground: SpanGround): Attributes {
  const { clean } = ground
  const { origin, error, status, model, keyName, stream, shared, cancelledBy } = record
  const attributes: Attributes = {
    'sluice.request_id': clean(record.requestId),
    'sluice.surface': record.surface,
    'sluice.transport': record.transport,
    'sluice.outcome': record.outcome,
    'http.response.status_code': status,
  }
  if (origin !== null) Object.assign(attributes, originAttributes(origin, ground))
  if (error !== null) attributes['error.type'] = error.code
  else if (status >= FIRST_ERROR) attributes['error.type'] = String(status)
  if (model !== null) attributes['sluice.model'] = clean(model)
  if (keyName !== null) attributes['sluice.key'] = keyName
  if (stream !== null) attributes['sluice.stream'] = stream
  if (shared !== null) attributes['sluice.shared'] = shared.how
  if (cancelledBy !== null) attributes['sluice.cancelled_by'] = cancelledBy
  return attributes
}

function originAttributes({ method, path, address, agent }: ClientOrigin, { clean, scheme }: SpanGround): Attributes {
  const attributes: Attributes = { 'http.request.method': method, 'url.scheme': scheme, 'url.path': clean(path) }
  if (address !== '') attributes['client.address'] = address
  if (agent !== '') attributes['user_agent.original'] = clean(agent)
  return attributes
}

function operationAttributes(record: ExchangeRecord, { clean, providers }: SpanGround, firstMs: number): Attributes {
  const { provider, targetModel, error, finish, usage, costNano, timeToFirstTokenMs, answerId, answerModel } = record
  const facts = providers.get(provider ?? '')
  const attributes: Attributes = {
    'gen_ai.operation.name': operationName(record),
    'gen_ai.provider.name': facts?.name ?? provider ?? '',
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    'sluice.usage_source': record.usageSource,
    'sluice.attempts': record.attempts,
  }
  if (targetModel !== null && targetModel !== '') attributes['gen_ai.request.model'] = clean(targetModel)
  if (record.transport !== 'json') attributes['gen_ai.request.stream'] = true
  if (answerModel !== null) attributes['gen_ai.response.model'] = clean(answerModel)
  if (answerId !== null) attributes['gen_ai.response.id'] = clean(answerId)
  if (finish !== null) attributes['gen_ai.response.finish_reasons'] = [FINISH_WORDS[finish]]
  if (usage.cachedInputTokens > 0) attributes['gen_ai.usage.cache_read.input_tokens'] = usage.cachedInputTokens
  if (usage.cacheWriteTokens > 0) attributes['gen_ai.usage.cache_creation.input_tokens'] = usage.cacheWriteTokens
  if (usage.reasoningTokens > 0) attributes['gen_ai.usage.reasoning.output_tokens'] = usage.reasoningTokens
  if (timeToFirstTokenMs !== null && record.transport !== 'json')
    attributes['gen_ai.response.time_to_first_chunk'] = Math.max(0, timeToFirstTokenMs - firstMs) / MS_PER_SEC
  if (record.upstreamRequestId !== null) attributes['sluice.upstream_id'] = clean(record.upstreamRequestId)
  if (costNano !== null) attributes['sluice.cost'] = Number(toDollars(costNano))
  if (error !== null) attributes['error.type'] = error.code
  return facts === undefined ? attributes : Object.assign(attributes, addressOf(facts))
}

function tryAttributes(each: Try, index: number, { clean, providers }: SpanGround): Attributes {
  const { provider, model, result, error, traced } = each
  const facts = providers.get(provider)
  const attributes: Attributes = {
    'http.request.method': HTTP_METHOD,
    'sluice.try': index + 1,
    'sluice.target': clean(targetName(provider, model)),
    'sluice.result': result,
  }
  if (index > 0) attributes['http.request.resend_count'] = index
  if (traced?.status != null) attributes['http.response.status_code'] = traced.status
  if (traced?.isHedgeLoser === true) attributes['sluice.hedge_loser'] = true
  if (error !== null) attributes['error.type'] = error.code
  return facts === undefined ? attributes : Object.assign(attributes, addressOf(facts))
}

function addressOf({ address, port }: ProviderFacts): Attributes {
  return { 'server.address': address, 'server.port': port }
}

/** What the conventions name; the others have our own names, as they provide. */
const OPERATIONS: Partial<Record<EndpointId, string>> = { completions: 'text_completion', input_tokens: 'count_tokens' }

function operationName({ endpoint }: ExchangeRecord): string {
  return endpoint === null ? 'chat' : (OPERATIONS[endpoint] ?? endpoint.replace('/', '_'))
}

/** What is asked of a model is posted; the few requests for files and batches are not worth a member of their own. */
const HTTP_METHOD = 'POST'

/** The reasons as the conventions' messages name them. */
const FINISH_WORDS: Readonly<Record<FinishReason, string>> = Object.freeze({
  ...{ stop: 'stop', 'stop-sequence': 'stop', length: 'length', 'tool-calls': 'tool_call' },
  ...{ 'content-filter': 'content_filter', other: 'other' },
})

/** Outcomes that the client has caused: the model's operation did not fail. */
const OF_CLIENTS: ReadonlySet<Outcome> = new Set(['client_gone', 'slow_reader'])
/** Outcomes of a stream that broke after its status was sent. */
const BROKEN: ReadonlySet<Outcome> = new Set(['upstream_cut', 'stalled', 'failed', 'drained'])

/** A status of 4xx is no error of a server's span. */
function isServersFault({ status, outcome }: ExchangeRecord): boolean {
  return status >= FIRST_SERVER_ERROR || BROKEN.has(outcome)
}

function contextOf({ traceId, state }: RequestTrace, spanId: string): Context {
  const context = { traceId, spanId, traceFlags: SAMPLED }
  return state === '' ? context : { ...context, traceState: { serialize: () => state } as TraceState }
}

type TraceState = NonNullable<Context['traceState']>

function callerOf({ traceId, parentId }: RequestTrace): Context | null {
  return parentId === null ? null : { traceId, spanId: parentId, traceFlags: SAMPLED, isRemote: true }
}

type SpanParts = {
  readonly name: string
  readonly kind: Span['kind']
  readonly context: Context
  readonly parent: Context | null
  readonly startMs: number
  readonly endMs: number
  readonly status: Span['status']
  readonly attributes: Attributes
  readonly links?: Span['links']
}

/** Member by member, here and above: spreads take 2 us (V8 11.3). */
function createSpan({ resource, scope }: SpanGround, parts: SpanParts): Span {
  const { context, parent, startMs, endMs } = parts
  const span: Mutable<Span> = {
    name: parts.name,
    kind: parts.kind,
    spanContext: () => context,
    startTime: timeOf(startMs),
    endTime: timeOf(endMs),
    status: parts.status,
    attributes: parts.attributes,
    links: parts.links ?? NOTHING,
    events: NOTHING,
    duration: timeOf(endMs - startMs),
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
  if (parent !== null) span.parentSpanContext = parent
  return span
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Seconds and nanoseconds. */
function timeOf(ms: number): [number, number] {
  const seconds = Math.floor(ms / MS_PER_SEC)
  return [seconds, Math.round((ms - seconds * MS_PER_SEC) * NS_PER_MS)]
}

/** What sends the spans, by its attributes. */
export function resourceOf(attributes: Readonly<Record<string, string>>): Span['resource'] {
  const resource: Span['resource'] = {
    attributes,
    merge: (other) => other ?? resource,
    getRawAttributes: () => Object.entries(attributes),
  }
  return resource
}
