// Answers: the headers of an exchange, and the JSON bytes of results and errors.
import { ERROR_CATALOGUE } from '../../errors.js'
import { limitHeaders } from '../../limit/headers.js'
import { type ErrorData } from '../../model/error.js'
import { type Outcome } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { targetName } from '../../model/target.js'
import { toDollars } from '../../prices/cost.js'
import { type ErrorSubject, type Surface } from '../../protocols/contract/protocol.js'
import { type ExchangeView } from '../exchange.js'
import { type Answer, type HeaderList } from '../sink.js'

type Headers = (readonly [string, string])[]

/** Header values are ASCII; a configured name that is not is left out rather than mangled. */
const PRINTABLE = /^[\x20-\x7e]*$/
/** Statuses of overload, by any limit; 529 is one vendor's 503. */
const BUSY_STATUSES: ReadonlySet<number> = new Set([429, 503, 529])
/** Retry-After of a busy answer without a time: clients without one retry immediately. */
const DEFAULT_RETRY_AFTER_MS = 1000
/** The same if a short wait cannot help, such as for an exhausted quota. */
const HOPELESS_RETRY_AFTER_MS = 60_000
const BAD_GATEWAY = 502
/**
 * Client libraries retry 408, 409, 429 and 5xx unless this header says otherwise (openai 6, anthropic 0.6x, `shouldRetry`);
 * some agents retry all the rest as well. Our own verdict is better than the status.
 */
const SHOULD_RETRY = {
  yes: ['x-should-retry', 'true'],
  no: ['x-should-retry', 'false'],
} as const
/** A provider's 409: a lock timeout, which passes, or a state, which does not. The client library's own rule applies. */
const CONFLICT = 409
/** Codes of the catalogue that no client ever sees. */
const CLIENT_GONE_STATUS = ERROR_CATALOGUE.client_gone.status
const SLOW_READER_STATUS = ERROR_CATALOGUE.slow_reader.status

/** Headers of every answer of an exchange, as far as they are known now. */
export function exchangeHeaders(exchange: ExchangeView): Headers {
  const headers: Headers = limitHeaders(exchange.context.limiter.snapshot(exchange.request.key.index))
  const target = exchange.current.routed?.target
  if (target !== undefined) {
    pushPrintable(headers, 'x-sluice-target', targetName(target.provider, target.model))
    headers.push(['x-sluice-attempts', String(exchange.attempts)])
  }
  const { dropped } = exchange.current
  if (dropped.length > 0) pushPrintable(headers, 'x-sluice-dropped', dropped.join(', '))
  if (exchange.sharedHeaders !== null) headers.push(...exchange.sharedHeaders)
  return headers
}

/** Time the gateway itself took: all but the time between sending to each upstream and its last byte. Null before dispatch. */
export function overheadMs(exchange: ExchangeView, nowMs: number): number | null {
  const { upstreamSpentMs } = exchange
  const { startedAtMs, endedAtMs } = exchange.current
  if (startedAtMs === null && upstreamSpentMs === 0) return null
  const lastMs = startedAtMs === null ? 0 : (endedAtMs ?? nowMs) - startedAtMs
  return Math.max(0, nowMs - exchange.request.acceptedAtMs - upstreamSpentMs - lastMs)
}

/** A whole successful answer. */
export function resultAnswer(exchange: ExchangeView, made: Uint8Array): Answer {
  const { routed } = exchange.current
  const body = routed === null ? made : exchange.context.secrets.of(routed.provider)(made)
  const headers = exchangeHeaders(exchange)
  const overhead = overheadMs(exchange, exchange.context.clock.nowMs())
  if (overhead !== null) headers.push(['x-sluice-overhead-ms', overhead.toFixed(3)])
  if (exchange.costNano !== null) headers.push(['x-sluice-cost', toDollars(exchange.costNano)])
  const { wholeHead } = exchange.current
  if (wholeHead === null) return { status: 200, headers, body, error: null }
  headers.push(['content-type', mediaTypeOf(wholeHead)])
  return { status: wholeHead.status, headers, body, error: null }
}

/** The content type of an answer that passes unchanged, if it is one. */
export function mediaTypeOf(head: { readonly contentType: string } | null): string {
  return head !== null && MEDIA_TYPE.test(head.contentType) ? head.contentType : UNKNOWN_TYPE
}

/** RFC 9110, 8.3.1, restricted to what APIs use. */
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(?:; ?[\w-]+=[\w."-]+)*$/
const UNKNOWN_TYPE = 'application/octet-stream'

/** The outcome of an answer, and for the log the thrown value. */
export type AnswerOutcome = { readonly outcome: Outcome; readonly cause: unknown }

/** Hands a whole answer to the client and settles with it. Never throws. */
export function reply(exchange: ExchangeView, answer: Answer, { outcome, cause }: AnswerOutcome): void {
  if (exchange.isEnded) return
  try {
    exchange.sink.reply(answer, exchange.costNano)
  } catch (thrown) {
    exchange.giveUp(thrown)
    return
  }
  const { status, error, body } = answer
  exchange.settle({ outcome, status, error, cause, responseBytes: body.length })
}

/** What an error answer depends on besides the error. */
export type ErrorContext = {
  /** Null if the path belongs to no surface: then the envelope is the plain one. */
  readonly surface: Surface | null
  readonly requestId: string
  readonly subject: ErrorSubject
  readonly headers: HeaderList
  /** Add everything that is known about the error as the member `details`. */
  readonly hasDetails: boolean
  /** Absent or null where it is not traced. */
  readonly traceId?: string | null
}

/** A whole error answer in the surface's own envelope. */
export function errorAnswer(error: ErrorData, context: ErrorContext): Answer {
  const { surface, requestId, subject, headers, hasDetails, traceId = null } = context
  const shown = presentable(error)
  const { status, body } = surface === null ? plainError(shown) : surface.encodeError(shown, requestId, subject)
  const told = hasDetails ? { ...body, details: detailsOf(error, requestId, traceId) } : body
  return { status, headers: [...headers, ...retryHeaders(error, status)], body: jsonBytes(told), error }
}

/** The error data, without the thrown value. */
function detailsOf(error: ErrorData, requestId: string, traceId: string | null): JsonObject {
  const { code, message, param, retryable, upstreamStatus, upstreamType, upstreamCode } = error
  const upstream = { status: upstreamStatus, type: upstreamType, code: upstreamCode }
  const details = { code, message, param, retryable, upstream, request_id: requestId }
  return traceId === null ? details : { ...details, trace_id: traceId }
}

/** A status of the upstream's that would mislead the client: a redirect, or one that is only for our own log. */
function presentable(error: ErrorData): ErrorData {
  const { code, status } = error
  if (code === 'client_gone' || code === 'slow_reader') return error
  const isTellable = status >= 400 && status <= 599 && status !== CLIENT_GONE_STATUS && status !== SLOW_READER_STATUS
  return isTellable ? error : { ...error, status: BAD_GATEWAY }
}

function plainError(error: ErrorData): { status: number; body: JsonObject } {
  const { code, message, param } = error
  return { status: error.status, body: { error: { message, type: code, param, code } } }
}

function retryHeaders(error: ErrorData, status: number): Headers {
  const fallbackMs = error.retryable ? DEFAULT_RETRY_AFTER_MS : HOPELESS_RETRY_AFTER_MS
  // Of a budget's window only its message says when it ends: hours away, or never.
  const isBusy = BUSY_STATUSES.has(status) && error.code !== 'budget_exceeded'
  const ms = error.retryAfterMs ?? (isBusy ? fallbackMs : null)
  const headers: Headers = error.upstreamStatus === CONFLICT ? [] : [SHOULD_RETRY[error.retryable ? 'yes' : 'no']]
  if (ms === null) return headers
  headers.push(['retry-after', String(Math.ceil(ms / 1000))], ['retry-after-ms', String(Math.ceil(ms))])
  return headers
}

function jsonBytes(body: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(body))
}

function pushPrintable(headers: Headers, name: string, value: string): void {
  if (PRINTABLE.test(value)) headers.push([name, value])
}
