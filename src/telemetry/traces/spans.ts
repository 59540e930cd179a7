// Writes the spans of a request from its record, when it has settled. Pure. No prompt, no answer and no error text is in them, and what
// clients and providers name is searched for secrets. Tokens are counted once, in the span of the model's operation.
//
//   caller's span --> SERVER  POST openai-chat --> INTERNAL  queue                     where it waited for a slot
//                                              '-> CLIENT  chat gpt-4.1 --> CLIENT  POST   a try --> INTERNAL  connect   if one was made
//                                                                       '-> CLIENT  POST   the next one, or the second of a hedge
import { type EndpointId } from '../../model/endpoint.js'
import { type FinishReason, type Outcome } from '../../model/event.js'
import { targetName } from '../../model/target.js'
import { toDollars } from '../../prices/cost.js'
import { type ClientOrigin, type ExchangeRecord, type RequestTrace, type StreamReading, type Try } from '../records.js'
import { type KnownAttributes } from './encoding/known-attributes.js'
import {
  attributeName,
  CLIENT,
  encodeAttribute,
  INTERNAL,
  SERVER,
  type SpanBatch,
  type SpanStart,
} from './encoding/span-batch.js'
import { readTraceparent } from './trace-context.js'

/** What is the same for all spans of one configuration. */
export type SpanGround = {
  readonly providers: ReadonlyMap<string, ProviderFacts>
  /** The text without secrets, and not too long. */
  readonly clean: (text: string) => string
  /** The same for the id of a request. */
  readonly cleanId: (id: string) => string
  /** The same for what an upstream named: it never has a gateway key. */
  readonly cleanAnswer: (id: string) => string
  readonly known: KnownAttributes
  /** Of the listener: http or https. */
  readonly scheme: string
}

/** A provider as OpenTelemetry's conventions describe it. `address`: attributes, encoded. @see addressOf */
export type ProviderFacts = { readonly name: string; readonly address: Uint8Array }

/** A request at its end. `endMs`: Unix time. */
export type Settled = { readonly record: ExchangeRecord; readonly trace: RequestTrace; readonly endMs: number }

const FIRST_SERVER_ERROR = 500
const FIRST_ERROR = 400
const MS_PER_SEC = 1000

/** The places of spans in a request, by which their ids differ. */
const OF_REQUEST = 0
const OF_OPERATION = 1
const OF_QUEUE = 2
/** And of its connection the next one. */
const OF_FIRST_TRY = 3
const PLACES_OF_TRY = 2

const NO_TRIES: readonly Try[] = []

/** How many spans a request has. */
export function countSpans(record: ExchangeRecord): number {
  const own = record.queuedMs === null ? 1 : 2
  if (record.tries === null || !hasOperation(record)) return own
  let count = own + 1 + record.tries.length
  for (const { traced } of record.tries) if (traced != null && traced.connectMs !== null) count += 1
  return count
}

function hasOperation({ tries, provider }: ExchangeRecord): boolean {
  return tries !== null && tries.length > 0 && provider !== null
}

/** Writes all of them, that of the request itself first. */
export function writeSpans(batch: SpanBatch, { record, trace, endMs }: Settled, ground: SpanGround): void {
  const startMs = endMs - record.totalMs
  batch.startSpan({
    traceId: trace.traceId,
    spanId: trace.spanId,
    place: OF_REQUEST,
    parentId: trace.parentId,
    parentPlace: 0,
    isParentRemote: trace.parentId !== null,
    state: trace.state,
    name: requestName(record),
    kind: record.origin === null ? INTERNAL : SERVER,
    startMs,
    endMs,
  })
  writeRequest(batch, record, ground)
  writeLink(batch, record.shared?.trace ?? null)
  batch.endSpan(isServersFault(record))
  if (record.queuedMs !== null)
    writePhase(batch, trace, {
      ...{ name: 'queue', place: OF_QUEUE, parentId: trace.spanId, parentPlace: OF_REQUEST },
      ...{ startMs, endMs: startMs + record.queuedMs },
    })
  if (hasOperation(record)) writeOperation(batch, { record, trace, endMs }, ground)
}

/** The span of a client that came back to a stream: linked to the request whose answer it is, and without tokens. */
export function writeReading(batch: SpanBatch, reading: StreamReading, ground: SpanGround, endMs: number): void {
  const { trace, producer, origin, surface, totalMs } = reading
  const { known } = ground
  batch.startSpan({
    traceId: trace.traceId,
    spanId: trace.spanId,
    place: OF_REQUEST,
    parentId: trace.parentId,
    parentPlace: 0,
    isParentRemote: trace.parentId !== null,
    state: trace.state,
    name: `resume ${surface}`,
    kind: SERVER,
    startMs: endMs - totalMs,
    endMs,
  })
  batch.text(NAMES.requestId, ground.cleanId(reading.requestId))
  batch.encoded(known.surface.of(surface))
  batch.text(NAMES.stream, reading.stream)
  batch.encoded(known.result.of(reading.result))
  writeOrigin(batch, origin, ground)
  writeLink(batch, producer)
  batch.endSpan(false)
}

/** The address of a provider, for its facts. */
export function addressOf(address: string, port: number): Uint8Array {
  return Buffer.concat([encodeAttribute('server.address', address), encodeAttribute('server.port', port)])
}

/** The model's operation, and its tries. */
function writeOperation(batch: SpanBatch, { record, trace, endMs }: Settled, ground: SpanGround): void {
  const tries = record.tries ?? NO_TRIES
  const startMs = endMs - record.totalMs
  let firstMs = Number.POSITIVE_INFINITY
  for (const { traced } of tries) firstMs = Math.min(firstMs, traced?.startMs ?? record.totalMs)
  let lastMs = firstMs
  for (const { traced, ms } of tries) lastMs = Math.max(lastMs, (traced?.startMs ?? firstMs) + ms)
  const model = record.targetModel ?? ''
  batch.startSpan({
    traceId: trace.traceId,
    spanId: trace.spanId,
    place: OF_OPERATION,
    parentId: trace.spanId,
    parentPlace: OF_REQUEST,
    isParentRemote: false,
    state: trace.state,
    name: model === '' ? operationName(record) : `${operationName(record)} ${ground.clean(model)}`,
    kind: CLIENT,
    startMs: startMs + firstMs,
    endMs: startMs + lastMs,
  })
  writeModel(batch, record, ground)
  writeUsage(batch, record, ground)
  if (record.timeToFirstTokenMs !== null && record.transport !== 'json')
    batch.double(NAMES.firstChunk, Math.max(0, record.timeToFirstTokenMs - firstMs) / MS_PER_SEC)
  if (record.error !== null) batch.encoded(ground.known.errorType.of(record.error.code))
  batch.endSpan(record.error !== null && !OF_CLIENTS.has(record.outcome))
  for (let index = 0; index < tries.length; index++) {
    const each = tries[index] as Try
    const fromMs = startMs + (each.traced?.startMs ?? firstMs)
    // Of a try whose upstream knows its span.
    const told = each.traced?.spanId ?? null
    const place = OF_FIRST_TRY + PLACES_OF_TRY * index
    batch.startSpan({
      traceId: trace.traceId,
      spanId: told ?? trace.spanId,
      place: told === null ? place : 0,
      parentId: trace.spanId,
      parentPlace: OF_OPERATION,
      isParentRemote: false,
      state: trace.state,
      name: HTTP_METHOD,
      kind: CLIENT,
      startMs: fromMs,
      endMs: fromMs + each.ms,
    })
    writeTry(batch, { each, index }, ground)
    batch.endSpan(each.error !== null)
    const connectMs = each.traced?.connectMs ?? null
    if (connectMs !== null)
      writePhase(batch, trace, {
        ...{
          name: 'connect',
          place: place + 1,
          parentId: told ?? trace.spanId,
          parentPlace: told === null ? place : 0,
        },
        ...{ startMs: fromMs, endMs: fromMs + connectMs },
      })
  }
}

type Phase = Pick<SpanStart, 'name' | 'place' | 'parentPlace' | 'startMs' | 'endMs'> & { readonly parentId: string }

/** A part of a span's time, which most requests do not have. */
function writePhase(batch: SpanBatch, { traceId, spanId, state }: RequestTrace, phase: Phase): void {
  batch.startSpan({ traceId, spanId, isParentRemote: false, state, kind: INTERNAL, ...phase })
  batch.endSpan(false)
}

/** Of what hardly ever comes again. */
const NAMES = {
  requestId: attributeName('sluice.request_id'),
  stream: attributeName('sluice.stream'),
  upstreamId: attributeName('sluice.upstream_id'),
  cost: attributeName('sluice.cost'),
  answerId: attributeName('gen_ai.response.id'),
  firstChunk: attributeName('gen_ai.response.time_to_first_chunk'),
  inputTokens: attributeName('gen_ai.usage.input_tokens'),
  outputTokens: attributeName('gen_ai.usage.output_tokens'),
  cacheRead: attributeName('gen_ai.usage.cache_read.input_tokens'),
  cacheWrite: attributeName('gen_ai.usage.cache_creation.input_tokens'),
  reasoning: attributeName('gen_ai.usage.reasoning.output_tokens'),
}

function writeLink(batch: SpanBatch, traceparent: string | null): void {
  const producer = traceparent === null ? null : readTraceparent(traceparent)
  if (producer !== null) batch.link(producer)
}

/** Few different names: paths may hold names of models, and ids. */
function requestName({ origin, surface }: ExchangeRecord): string {
  if (origin === null) return `run ${surface}`
  return origin.socket === undefined ? `${origin.method} ${surface}` : `WS ${surface}`
}

function writeRequest(batch: SpanBatch, record: ExchangeRecord, ground: SpanGround): void {
  const { known } = ground
  const { origin, error, status, model, keyName, stream, shared, cancelledBy } = record
  batch.text(NAMES.requestId, ground.cleanId(record.requestId))
  batch.encoded(known.surface.of(record.surface))
  batch.encoded(known.transport.of(record.transport))
  batch.encoded(known.outcome.of(record.outcome))
  batch.encoded(known.status.of(status))
  if (origin !== null) writeOrigin(batch, origin, ground)
  if (error !== null) batch.encoded(known.errorType.of(error.code))
  else if (status >= FIRST_ERROR) batch.encoded(known.errorType.of(String(status)))
  if (model !== null) batch.encoded(known.model.of(model))
  if (keyName !== null) batch.encoded(known.key.of(keyName))
  if (stream !== null) batch.text(NAMES.stream, stream)
  if (shared !== null) batch.encoded(known.shared.of(shared.how))
  if (cancelledBy !== null) batch.encoded(known.cancelledBy.of(cancelledBy))
}

function writeOrigin(batch: SpanBatch, { method, path, address, agent }: ClientOrigin, ground: SpanGround): void {
  const { known, scheme } = ground
  batch.encoded(known.method.of(method))
  batch.encoded(known.scheme.of(scheme))
  batch.encoded(known.path.of(path))
  if (address !== '') batch.encoded(known.client.of(address))
  if (agent !== '') batch.encoded(known.agent.of(agent))
}

function writeModel(batch: SpanBatch, record: ExchangeRecord, { known, cleanAnswer, providers }: SpanGround): void {
  const { provider, targetModel, finish, answerId, answerModel, upstreamRequestId } = record
  const facts = providers.get(provider ?? '')
  batch.encoded(known.operation.of(operationName(record)))
  batch.encoded(known.provider.of(facts?.name ?? provider ?? ''))
  if (facts !== undefined) batch.encoded(facts.address)
  if (targetModel !== null && targetModel !== '') batch.encoded(known.requestModel.of(targetModel))
  if (record.transport !== 'json') batch.encoded(IS_STREAM)
  if (answerModel !== null) batch.encoded(known.answerModel.of(answerModel))
  if (answerId !== null) batch.text(NAMES.answerId, cleanAnswer(answerId))
  if (upstreamRequestId !== null) batch.text(NAMES.upstreamId, cleanAnswer(upstreamRequestId))
  if (finish !== null) batch.encoded(FINISH_REASONS[finish])
}

function writeUsage(batch: SpanBatch, record: ExchangeRecord, { known }: SpanGround): void {
  const { usage, usageSource, attempts, costNano } = record
  batch.int(NAMES.inputTokens, usage.inputTokens)
  batch.int(NAMES.outputTokens, usage.outputTokens)
  if (usage.cachedInputTokens > 0) batch.int(NAMES.cacheRead, usage.cachedInputTokens)
  if (usage.cacheWriteTokens > 0) batch.int(NAMES.cacheWrite, usage.cacheWriteTokens)
  if (usage.reasoningTokens > 0) batch.int(NAMES.reasoning, usage.reasoningTokens)
  batch.encoded(known.usageSource.of(usageSource))
  batch.encoded(known.attempts.of(attempts))
  if (costNano !== null) batch.double(NAMES.cost, Number(toDollars(costNano)))
}

type NumberedTry = { readonly each: Try; readonly index: number }

function writeTry(batch: SpanBatch, { each, index }: NumberedTry, { known, providers }: SpanGround): void {
  const { provider, model, result, error, traced } = each
  const facts = providers.get(provider)
  batch.encoded(known.method.of(HTTP_METHOD))
  batch.encoded(known.try.of(index + 1))
  batch.encoded(known.target.of(targetName(provider, model)))
  batch.encoded(known.result.of(result))
  if (index > 0) batch.encoded(known.resends.of(index))
  if (traced?.status != null) batch.encoded(known.status.of(traced.status))
  if (traced?.isHedgeLoser === true) batch.encoded(HEDGE_LOSER)
  if (error !== null) batch.encoded(known.errorType.of(error.code))
  if (facts !== undefined) batch.encoded(facts.address)
}

function operationName({ endpoint }: ExchangeRecord): string {
  return endpoint === null ? 'chat' : (OPERATIONS[endpoint] ?? endpoint.replace('/', '_'))
}

/** What the conventions name; the others have our own names, as they provide. */
const OPERATIONS: Partial<Record<EndpointId, string>> = { completions: 'text_completion', input_tokens: 'count_tokens' }

/** What is asked of a model is posted; the few requests for files and batches are not worth a member of their own. */
const HTTP_METHOD = 'POST'

const IS_STREAM = encodeAttribute('gen_ai.request.stream', true)
const HEDGE_LOSER = encodeAttribute('sluice.hedge_loser', true)
const finishReason = (word: string): Uint8Array => encodeAttribute('gen_ai.response.finish_reasons', [word])
/** The reasons as the conventions' messages name them. */
const FINISH_REASONS: Readonly<Record<FinishReason, Uint8Array>> = Object.freeze({
  ...{ stop: finishReason('stop'), 'stop-sequence': finishReason('stop'), length: finishReason('length') },
  ...{ 'tool-calls': finishReason('tool_call'), 'content-filter': finishReason('content_filter') },
  other: finishReason('other'),
})

/** Outcomes that the client has caused: the model's operation did not fail. */
const OF_CLIENTS: ReadonlySet<Outcome> = new Set(['client_gone', 'slow_reader'])
/** Outcomes of a stream that broke after its status was sent. */
const BROKEN: ReadonlySet<Outcome> = new Set(['upstream_cut', 'stalled', 'failed', 'drained'])

/** A status of 4xx is no error of a server's span. */
function isServersFault({ status, outcome }: ExchangeRecord): boolean {
  return status >= FIRST_SERVER_ERROR || BROKEN.has(outcome)
}
