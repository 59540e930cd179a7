// The vocabulary of failure. Every failure of an exchange is one ErrorData: plain, free of secrets, fit to cross a thread.
// The catalogue that gives each code its status and default message is src/errors.ts.

/** By whose fault: the client's down to `slow_reader`, then the upstream's, from `overloaded` on ours. */
export type ErrorCode =
  | 'invalid_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'model_not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'misdirected'
  | 'stream_gone'
  | 'precondition_failed'
  | 'unsupported_media_type'
  | 'payload_too_large'
  | 'context_length_exceeded'
  | 'rate_limited'
  | 'budget_exceeded'
  | 'client_gone'
  | 'slow_reader'
  | 'upstream_unreachable'
  | 'upstream_timeout'
  | 'upstream_rejected'
  | 'upstream_auth'
  | 'upstream_overloaded'
  | 'upstream_malformed'
  | 'upstream_cut'
  | 'overloaded'
  | 'storage_full'
  | 'storage_unavailable'
  | 'draining'
  | 'maintenance'
  | 'misconfigured'
  | 'internal'

export type ErrorData = {
  /** The contract; everything else is for people or the client's retry logic. */
  readonly code: ErrorCode
  readonly message: string
  /** Whether the same request may succeed if it is sent again, here or to another target. */
  readonly retryable: boolean
  /** The HTTP status the client sees before the first byte: the catalogue's, or the upstream's own for `upstream_rejected`. */
  readonly status: number
  /** The upstream's HTTP status, if it answered at all. */
  readonly upstreamStatus: number | null
  /** Dotted path of the offending request field, such as `messages.2.content`. */
  readonly param: string | null
  /** The upstream's own error type, such as `insufficient_quota`; passed on in the client's envelope. */
  readonly upstreamType: string | null
  /** The upstream's own error code, such as `context_length_exceeded`. */
  readonly upstreamCode: string | null
  /** The code of the client's API for this very failure, such as `previous_response_not_found`; absent for that of `code`. */
  readonly ownCode?: string
  /** How long to wait, from Retry-After or our own buckets. */
  readonly retryAfterMs: number | null
  /** For `context_length_exceeded`, if the upstream reported the figures. */
  readonly overflow?: ContextOverflow
}

/** Tokens of a request that is too long for its model: the input alone, or together with the requested output. */
export type ContextOverflow = {
  readonly inputTokens: number
  /** 0 if the output did not count. */
  readonly outputTokens: number
  readonly maxTokens: number
}
