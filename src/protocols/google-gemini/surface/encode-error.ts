// Errors as clients of this wire get them: a google.rpc.Status, whole or as a chunk of a stream.
//
//   {"error":{"code":429,"message":"...","status":"RESOURCE_EXHAUSTED","details":[{"@type":"...RetryInfo","retryDelay":"34s"}]}}
import { type ErrorCode, type ErrorData } from '../../../model/error.js'
import { type JsonObject } from '../../../model/json.js'
import { type ErrorAnswer } from '../../contract/protocol.js'
import { type RpcStatus } from '../wire.js'

/** Null: the name follows from the status, which is then the upstream's own. */
const STATUS_OF_CODE: Readonly<Record<ErrorCode, RpcStatus | null>> = Object.freeze({
  invalid_request: null,
  unauthenticated: 'UNAUTHENTICATED',
  forbidden: 'PERMISSION_DENIED',
  not_found: 'NOT_FOUND',
  model_not_found: 'NOT_FOUND',
  method_not_allowed: 'INVALID_ARGUMENT',
  conflict: 'FAILED_PRECONDITION',
  misdirected: 'INVALID_ARGUMENT',
  stream_gone: 'NOT_FOUND',
  precondition_failed: 'FAILED_PRECONDITION',
  unsupported_media_type: 'INVALID_ARGUMENT',
  payload_too_large: 'INVALID_ARGUMENT',
  context_length_exceeded: 'INVALID_ARGUMENT',
  rate_limited: 'RESOURCE_EXHAUSTED',
  budget_exceeded: 'RESOURCE_EXHAUSTED',
  client_gone: 'CANCELLED',
  slow_reader: 'CANCELLED',
  upstream_unreachable: 'UNAVAILABLE',
  upstream_timeout: 'DEADLINE_EXCEEDED',
  upstream_rejected: null,
  upstream_auth: 'INTERNAL',
  upstream_overloaded: 'UNAVAILABLE',
  upstream_malformed: 'INTERNAL',
  upstream_cut: 'UNAVAILABLE',
  overloaded: 'UNAVAILABLE',
  storage_full: 'RESOURCE_EXHAUSTED',
  storage_unavailable: 'UNAVAILABLE',
  draining: 'UNAVAILABLE',
  maintenance: 'UNAVAILABLE',
  misconfigured: 'INTERNAL',
  internal: 'INTERNAL',
})

const NAME_OF_STATUS: Readonly<Record<number, RpcStatus>> = Object.freeze({
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
})
const TYPES = 'type.googleapis.com/google.rpc.'
/** The vendor's reason for a missing or wrong key. */
const INVALID_KEY = 'API_KEY_INVALID'
const DOMAIN = 'googleapis.com'
const MS_PER_SECOND = 1000

/** The envelope of an answer that has not begun. */
export function encodeError(error: ErrorData): ErrorAnswer {
  return { status: error.status, body: encodeStatus(error) }
}

/** `{"error":{...}}` as the vendor has it. */
export function encodeStatus(error: ErrorData): JsonObject {
  const { code, message, status } = error
  const details = detailsOf(error)
  const name = STATUS_OF_CODE[code] ?? NAME_OF_STATUS[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL')
  return { error: { code: status, message, status: name, ...(details.length === 0 ? {} : { details }) } }
}

function detailsOf({ code, message, param, retryAfterMs, upstreamCode }: ErrorData): JsonObject[] {
  const details: JsonObject[] = []
  const reason = code === 'unauthenticated' ? INVALID_KEY : (upstreamCode ?? null)
  if (reason !== null) details.push({ '@type': `${TYPES}ErrorInfo`, reason, domain: DOMAIN })
  if (param !== null) {
    details.push({ '@type': `${TYPES}BadRequest`, fieldViolations: [{ field: param, description: message }] })
  }
  if (retryAfterMs !== null) {
    details.push({ '@type': `${TYPES}RetryInfo`, retryDelay: `${Math.ceil(retryAfterMs / MS_PER_SECOND)}s` })
  }
  return details
}
