// The error catalogue: code -> {status, retryable, message}. Every failure in Sluice is a GatewayError made from it;
// each surface maps every code into its own envelope, and docs/reference/errors.md lists this table (both are tested).
import { type ContextOverflow, type ErrorCode, type ErrorData } from './model/error.js'

export type CatalogueEntry = { readonly status: number; readonly retryable: boolean; readonly message: string }

/** By whose fault: client, upstream, ours. 499 and 408 are for log and metric only, nobody is left to read them. */
export const ERROR_CATALOGUE: Readonly<Record<ErrorCode, CatalogueEntry>> = Object.freeze({
  invalid_request: { status: 400, retryable: false, message: 'The request is not valid.' },
  unauthenticated: { status: 401, retryable: false, message: 'Missing or unknown API key.' },
  forbidden: { status: 403, retryable: false, message: 'The API key does not permit this.' },
  not_found: { status: 404, retryable: false, message: 'No such route.' },
  model_not_found: { status: 404, retryable: false, message: 'No such model.' },
  method_not_allowed: { status: 405, retryable: false, message: 'This route does not support that method.' },
  conflict: { status: 409, retryable: false, message: 'This name is taken.' },
  misdirected: { status: 421, retryable: false, message: 'This name of the host is not served here.' },
  stream_gone: { status: 410, retryable: false, message: 'The frames after this cursor are no longer held.' },
  precondition_failed: { status: 412, retryable: false, message: 'It was changed since it was read.' },
  unsupported_media_type: { status: 415, retryable: false, message: 'The body must be application/json.' },
  payload_too_large: { status: 413, retryable: false, message: 'The request body exceeds the size limit.' },
  context_length_exceeded: {
    status: 400,
    retryable: false,
    message: 'The request exceeds the context window of the model.',
  },
  rate_limited: { status: 429, retryable: true, message: 'Rate limit exceeded.' },
  budget_exceeded: { status: 429, retryable: false, message: 'A budget has too little left for this request.' },
  client_gone: { status: 499, retryable: false, message: 'The client closed the connection.' },
  slow_reader: { status: 408, retryable: false, message: 'The client read too slowly and was cut off.' },
  upstream_unreachable: { status: 502, retryable: true, message: 'The provider could not be reached.' },
  upstream_timeout: { status: 504, retryable: true, message: 'The provider did not answer in time.' },
  upstream_rejected: { status: 502, retryable: false, message: 'The provider rejected the request.' },
  upstream_auth: { status: 502, retryable: false, message: "The provider rejected the gateway's credentials." },
  upstream_overloaded: { status: 503, retryable: true, message: 'The provider is overloaded.' },
  upstream_malformed: { status: 502, retryable: true, message: 'The provider sent a malformed response.' },
  upstream_cut: {
    status: 502,
    retryable: true,
    message: 'The provider ended the connection before its response was complete.',
  },
  overloaded: { status: 503, retryable: true, message: 'The gateway is at capacity.' },
  storage_full: { status: 507, retryable: true, message: 'The gateway has no storage space left.' },
  storage_unavailable: { status: 503, retryable: false, message: 'The job store is unavailable.' },
  draining: { status: 503, retryable: true, message: 'The gateway is shutting down.' },
  maintenance: { status: 503, retryable: true, message: 'The gateway is down for maintenance.' },
  misconfigured: { status: 500, retryable: false, message: 'The gateway is not configured for this.' },
  internal: { status: 500, retryable: false, message: 'Internal error.' },
})

export type ErrorOptions = {
  readonly message?: string
  readonly status?: number
  readonly retryable?: boolean
  readonly upstreamStatus?: number | null
  readonly param?: string | null
  readonly upstreamType?: string | null
  readonly upstreamCode?: string | null
  readonly ownCode?: string
  readonly retryAfterMs?: number | null
  readonly overflow?: ContextOverflow
  readonly cause?: unknown
}

/** Builds plain error data from the catalogue, with what is special about this case laid over it. */
export function errorData(code: ErrorCode, options: ErrorOptions = {}): ErrorData {
  const entry = ERROR_CATALOGUE[code]
  return {
    code,
    message: options.message ?? entry.message,
    retryable: options.retryable ?? entry.retryable,
    status: options.status ?? entry.status,
    upstreamStatus: options.upstreamStatus ?? null,
    param: options.param ?? null,
    upstreamType: options.upstreamType ?? null,
    upstreamCode: options.upstreamCode ?? null,
    retryAfterMs: options.retryAfterMs ?? null,
    ...(options.ownCode === undefined ? {} : { ownCode: options.ownCode }),
    ...(options.overflow === undefined ? {} : { overflow: options.overflow }),
  }
}

/** The only error that Sluice throws. `data` is what crosses threads and reaches clients; `cause` stays in the log. */
export class GatewayError extends Error {
  readonly data: ErrorData

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    const data = errorData(code, options)
    super(data.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.data = data
  }

  /**
   * For a refusal that may come in floods: made once, without a cause, and given out each time. To make an error costs more
   * than all else of a refusal, for its stack. Its data are frozen, by which others know that they may keep what they make of it.
   */
  static shared(code: ErrorCode, options: Omit<ErrorOptions, 'cause'> = {}): GatewayError {
    const error = new GatewayError(code, options)
    Object.freeze(error.data)
    return Object.freeze(error)
  }

  /** Wraps data that came from a worker or a decoder. */
  static of(data: ErrorData): GatewayError {
    return new GatewayError(data.code, data)
  }
}

/** Turns anything thrown into a GatewayError; what is not one becomes `internal`, its text kept only as the cause. */
export function toGatewayError(thrown: unknown): GatewayError {
  return thrown instanceof GatewayError ? thrown : new GatewayError('internal', { cause: thrown })
}
