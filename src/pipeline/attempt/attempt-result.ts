// How a failed attempt is named in the counters of its provider, and shown to a client, which must not mistake a rejection of the
// gateway's key for one of its own.
import { GatewayError } from '../../errors.js'
import { type ErrorCode } from '../../model/error.js'
import { type AttemptResult } from '../../telemetry/records.js'
import { type Secretive } from '../../upstream/conceal.js'

const RESULT_OF: Partial<Record<ErrorCode, AttemptResult>> = {
  upstream_unreachable: 'unreachable',
  upstream_timeout: 'timeout',
  upstream_malformed: 'malformed',
  upstream_cut: 'cut',
}

const UNAUTHENTICATED = 401
const FORBIDDEN = 403

/** The result for an error that ended an attempt; `rejected` for all without a specific one. */
export function resultOf(code: ErrorCode): AttemptResult {
  return RESULT_OF[code] ?? 'rejected'
}

/**
 * A provider's 401 or 403 as `upstream_auth`, unless the key was the caller's: it is about credentials that the client neither
 * has nor can change. The provider's message with a 403 (a region, a right of the project) helps the operator and is kept.
 */
export function blameKey(error: GatewayError, { callerKey }: Secretive): GatewayError {
  const { code, status, upstreamStatus, message } = error.data
  const isOfKey = code === 'upstream_rejected' && (status === UNAUTHENTICATED || status === FORBIDDEN)
  if (!isOfKey || (callerKey ?? null) !== null) return error
  const cause = error.cause === undefined ? {} : { cause: error.cause }
  const words = status === FORBIDDEN ? { message: `The provider denied the gateway access (403): ${message}` } : {}
  return new GatewayError('upstream_auth', { upstreamStatus: upstreamStatus ?? status, ...words, ...cause })
}
