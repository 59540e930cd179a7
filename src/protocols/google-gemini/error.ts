// google.rpc.Status, the error body of this wire, to ErrorData. The same object comes as an answer and within a stream.
//   {"error":{"code":429,"message":"...","status":"RESOURCE_EXHAUSTED","details":[{"@type":".../google.rpc.RetryInfo","retryDelay":"34s"}]}}
import { errorData } from '../../errors.js'
import { type ErrorCode, type ErrorData } from '../../model/error.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { KEY_REFUSED, toMessage, toPageMessage } from '../../wire/error-text.js'
import { type OverflowWords, readOverflow } from '../context-overflow.js'
import { type RpcStatus } from './wire.js'

/** HTTP status of the names, which may come without one. https://cloud.google.com/apis/design/errors#handling_errors */
const HTTP_STATUS: Readonly<Record<RpcStatus, number>> = Object.freeze({
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
})

/** This wire answers a wrong key with 400; the reason distinguishes it from an invalid request. Clients see 401, as with others. */
const INVALID_KEY = 'API_KEY_INVALID'

/** "The input token count (1196265) exceeds the maximum number of tokens allowed (1048576)." */
const TOO_LONG = /input token count\b.*\bexceeds the maximum/i
const OVERFLOW: OverflowWords = {
  max: [/maximum number of tokens allowed \(?([\d,]+)/i],
  input: [/input token count \(?([\d,]+)/i],
}

/** The status of an error without one. */
const DEFAULT_STATUS = 500

/** Reads an error answer: an object, an array of one (streams requested without `alt=sse`), or a page of text. */
export function decodeError(status: number, body: Uint8Array): ErrorData {
  const words = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  let parsed: unknown = null
  try {
    parsed = JSON.parse(words)
  } catch {
    // Not JSON, such as a proxy's page: only its beginning is shown.
  }
  const envelope: unknown = Array.isArray(parsed) ? parsed[0] : parsed
  const error = isJsonObject(envelope) ? envelope.error : undefined
  return isJsonObject(error) ? readStatus(error, status) : build(status, toPageMessage(words), null)
}

/** Reads a google.rpc.Status. `status` is the HTTP status, null for an error within a stream, whose own code then counts. */
export function readStatus(error: JsonObject, status: number | null): ErrorData {
  const message = typeof error.message === 'string' ? toMessage(error.message) : null
  return build(status ?? statusOf(error), message, error)
}

/** "Thinking is not enabled for models/x", "Thinking is not supported by this model"; not an error about a budget out of range. */
export function refusesThinking({ code, status, message }: ErrorData): boolean {
  return (
    code === 'upstream_rejected' &&
    status < 500 &&
    /\bthinking (?:is|are) not (?:enabled|supported)|unknown name "thinking/i.test(message)
  )
}

function statusOf(error: JsonObject): number {
  const code = error.code
  if (typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599) return code
  const name = error.status
  return isRpcStatus(name) ? HTTP_STATUS[name] : DEFAULT_STATUS
}

function build(status: number, message: string | null, error: JsonObject | null): ErrorData {
  const rpcStatus = error?.status
  const details = isJsonArray(error?.details) ? error.details.filter(isJsonObject) : []
  const reason = findText(details, 'reason')
  if (status === 401 || reason === INVALID_KEY) {
    return errorData('upstream_rejected', { message: KEY_REFUSED, status: 401, upstreamStatus: status })
  }
  // "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent."
  const isModelMissing = status === 404 && message?.startsWith('models/') === true
  const isTooLong = status === 400 && TOO_LONG.test(message ?? '')
  const overflow = isTooLong ? readOverflow(message ?? '', OVERFLOW) : null
  return errorData(isTooLong ? 'context_length_exceeded' : codeOf(status), {
    ...(overflow === null ? {} : { overflow }),
    ...(message === null ? {} : { message }),
    ...(status === 504 ? {} : { status }),
    retryable: status === 408 || status === 429 || status >= 500,
    upstreamStatus: status,
    upstreamType: typeof rpcStatus === 'string' ? rpcStatus : null,
    upstreamCode: isModelMissing ? 'model_not_found' : reason,
    retryAfterMs: toMs(findText(details, 'retryDelay')),
  })
}

/** 429 and 503: the same request may succeed later; a missed deadline is a timeout; everything else is a refusal. */
function codeOf(status: number): ErrorCode {
  if (status === 429) return 'rate_limited'
  if (status === 503) return 'upstream_overloaded'
  return status === 504 ? 'upstream_timeout' : 'upstream_rejected'
}

/** ErrorInfo has `reason` (`API_KEY_INVALID`), RetryInfo `retryDelay`; no other detail has a member of that name. */
function findText(details: readonly JsonObject[], member: string): string | null {
  for (const detail of details) {
    const value = detail[member]
    if (typeof value === 'string' && value !== '') return value
  }
  return null
}

/** google.protobuf.Duration as JSON: seconds with up to nine decimals and an `s`. */
function toMs(duration: string | null): number | null {
  const match = duration === null ? null : /^(\d{1,9}(?:\.\d{1,9})?)s$/.exec(duration)
  return match === null ? null : Math.ceil(Number(match[1]) * 1000)
}

function isRpcStatus(value: JsonValue | undefined): value is RpcStatus {
  return typeof value === 'string' && Object.hasOwn(HTTP_STATUS, value)
}
