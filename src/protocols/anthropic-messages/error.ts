// Errors of the Messages API, both ways: {"type":"error","error":{"type","message"},"request_id"}, whole or as an
// `event: error` frame. Never lets a key-like token of an upstream's message through.
// @see https://platform.claude.com/docs/en/api/errors
import { type ErrorOptions, errorData } from '../../errors.js'
import { type ErrorCode, type ErrorData } from '../../model/error.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { KEY_REFUSED, toMessage, toPageMessage } from '../../wire/error-text.js'
import { encodeSseFrame } from '../../wire/sse.js'
import { type OverflowWords, readOverflow } from '../context-overflow.js'
import { type ErrorAnswer } from '../contract/protocol.js'
import { type WireErrorType } from './wire.js'

/** Null: the type follows from the status, which is then the upstream's own. */
const TYPE_OF_CODE: Readonly<Record<ErrorCode, WireErrorType | null>> = Object.freeze({
  invalid_request: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found_error',
  model_not_found: 'not_found_error',
  method_not_allowed: 'invalid_request_error',
  conflict: 'invalid_request_error',
  misdirected: 'invalid_request_error',
  stream_gone: 'not_found_error',
  precondition_failed: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  payload_too_large: 'request_too_large',
  context_length_exceeded: 'invalid_request_error',
  rate_limited: 'rate_limit_error',
  budget_exceeded: 'rate_limit_error',
  client_gone: 'invalid_request_error',
  slow_reader: 'timeout_error',
  upstream_unreachable: 'api_error',
  upstream_timeout: 'timeout_error',
  upstream_rejected: null,
  upstream_auth: 'api_error',
  upstream_overloaded: 'overloaded_error',
  upstream_malformed: 'api_error',
  upstream_cut: 'api_error',
  overloaded: 'overloaded_error',
  storage_full: 'api_error',
  storage_unavailable: 'api_error',
  draining: 'overloaded_error',
  maintenance: 'overloaded_error',
  misconfigured: 'api_error',
  internal: 'api_error',
})

/** The vendor's own table. In a stream an error has no status; this is the one it "would normally correspond to". */
const STATUS_OF_TYPE: Readonly<Record<WireErrorType, number>> = Object.freeze({
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
})

/** Statuses for "try later" that tell a client's retry logic more than our 503. */
const OVERLOAD_STATUSES: readonly number[] = [429, 503, 529]

/** `details.error_code` of a 429 for which waiting does not help, such as `contract_spend_limit_reached`. */
const SPEND_LIMIT = /_spend_limit_reached$/

/** "prompt is too long: 208310 tokens > 200000 maximum"; "input length and `max_tokens` exceed context limit: 190000 + ..." */
const TOO_LONG = /^prompt is too long\b|exceed context limit/i
const OVERFLOW: OverflowWords = {
  max: [/> ([\d,]+)/],
  input: [/too long: ([\d,]+) tokens/i, /context limit: ([\d,]+) \+/i],
  output: [/\+ ([\d,]+) >/],
}

/** The envelope for an answer that has not begun. An overloaded upstream's own status (429, 503, 529) is kept. */
export function encodeError(error: ErrorData, requestId: string): ErrorAnswer {
  const own = error.upstreamStatus
  const keepsOwn = error.code === 'upstream_overloaded' && own !== null && OVERLOAD_STATUSES.includes(own)
  const status = error.code === 'context_length_exceeded' ? TOO_LONG_STATUS : error.status
  return { status: keepsOwn ? own : status, body: encodeEnvelope(error, requestId) }
}

/** The in-band error frame of a stream that has begun. */
export function encodeErrorFrame(error: ErrorData, requestId: string): string {
  return encodeSseFrame(JSON.stringify(encodeEnvelope(error, requestId)), 'error')
}

function encodeEnvelope(error: ErrorData, requestId: string): JsonObject {
  // The envelope has no member for the field's path; the vendor's messages also begin with it.
  const isNamed = error.param === null || error.message.includes(error.param)
  const message =
    error.code === 'context_length_exceeded'
      ? overflowMessage(error)
      : isNamed
        ? error.message
        : `${error.param}: ${error.message}`
  return { type: 'error', error: { type: encodeType(error), message }, request_id: requestId }
}

/** The vendor's status for a request that is too long. */
const TOO_LONG_STATUS = 400

/**
 * The vendor's own wording, by which its clients recognize that they must shorten the conversation or request less output;
 * without figures it at least begins with the vendor's first words.
 */
function overflowMessage({ message, overflow }: ErrorData): string {
  if (TOO_LONG.test(message)) return message
  const { inputTokens = 0, outputTokens = 0, maxTokens = Number.POSITIVE_INFINITY } = overflow ?? {}
  if (inputTokens > maxTokens) return `prompt is too long: ${inputTokens} tokens > ${maxTokens} maximum`
  if (inputTokens + outputTokens <= maxTokens) return `prompt is too long: ${message}`
  const sum = `${inputTokens} + ${outputTokens} > ${maxTokens}`
  return `input length and \`max_tokens\` exceed context limit: ${sum}, decrease input length or \`max_tokens\` and try again`
}

function encodeType(error: ErrorData): WireErrorType {
  const type = TYPE_OF_CODE[error.code]
  if (type !== null) return type
  // OpenAI also has `invalid_request_error` for 403 and 404, where this vendor has specific types.
  const { upstreamType } = error
  if (isWireErrorType(upstreamType) && STATUS_OF_TYPE[upstreamType] === error.status) return upstreamType
  const known = Object.entries(STATUS_OF_TYPE).find(([, status]) => status === error.status)?.[0]
  if (isWireErrorType(known)) return known
  return error.status < 500 ? 'invalid_request_error' : 'api_error'
}

function isWireErrorType(type: JsonValue | undefined): type is WireErrorType {
  return typeof type === 'string' && Object.hasOwn(STATUS_OF_TYPE, type)
}

/** Reads an upstream's error answer; the message of a body without the vendor's envelope is the beginning of its text. */
export function decodeError(status: number, body: Uint8Array): ErrorData {
  const text = new TextDecoder().decode(body)
  let envelope: unknown = null
  try {
    envelope = JSON.parse(text)
  } catch {
    // Not JSON: the text below is used.
  }
  if (isJsonObject(envelope) && isJsonObject(envelope.error)) return decodeErrorObject(envelope.error, status)
  return classify(status, status, { type: null, code: null, message: toPageMessage(text) })
}

/** Reads the error of an `event: error` frame, or of an error envelope with the received status. */
export function decodeErrorObject(error: JsonObject, upstreamStatus: number | null = null): ErrorData {
  const type = typeof error.type === 'string' ? error.type : null
  const details = error.details
  const code = isJsonObject(details) && typeof details.error_code === 'string' ? details.error_code : null
  const message = typeof error.message === 'string' ? toMessage(error.message) : null
  const isModelMissing = type === 'not_found_error' && message?.startsWith('model:') === true
  const inferred = isWireErrorType(error.type) ? STATUS_OF_TYPE[error.type] : STATUS_OF_TYPE.api_error
  return classify(upstreamStatus ?? inferred, upstreamStatus, {
    type,
    code: isModelMissing ? 'model_not_found' : code,
    message,
  })
}

/** `x does not support thinking`; an error about one form of it (adaptive, an effort, a budget) implies that others are supported. */
export function refusesThinking({ code, status, message }: ErrorData): boolean {
  if (code !== 'upstream_rejected' || status >= 500 || /adaptive|effort|budget|block/i.test(message)) return false
  return /does not support (?:extended )?`?thinking|\bthinking`? is not supported|^thinking: extra inputs/i.test(
    message,
  )
}

type Words = { readonly type: string | null; readonly code: string | null; readonly message: string | null }

/** `status` is the status that the error means; `upstreamStatus` the received one, null in a stream. */
function classify(status: number, upstreamStatus: number | null, words: Words): ErrorData {
  if (status === 401) return errorData('upstream_rejected', { message: KEY_REFUSED, status, upstreamStatus })
  const options: ErrorOptions = {
    ...(words.message === null ? {} : { message: words.message }),
    upstreamStatus,
    upstreamType: words.type,
    upstreamCode: words.code,
  }
  if (status === 400 && TOO_LONG.test(words.message ?? '')) {
    const overflow = readOverflow(words.message ?? '', OVERFLOW)
    return errorData('context_length_exceeded', overflow === null ? options : { ...options, overflow })
  }
  if (status === 429) return errorData('rate_limited', { ...options, retryable: !SPEND_LIMIT.test(words.code ?? '') })
  if (status === 503 || status === 529 || words.type === 'overloaded_error') {
    return errorData('upstream_overloaded', options)
  }
  if (status === 408 || status === 504) return errorData('upstream_timeout', options)
  return errorData('upstream_rejected', { ...options, status, retryable: status >= 500 })
}
