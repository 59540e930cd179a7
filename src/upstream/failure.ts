// Converts failures on the way to or from an upstream, undici's and Node's errors, into a GatewayError of the catalogue. The message
// names only the error code; addresses, paths and keys stay in the cause, which only the log shows.
import { GatewayError, toGatewayError } from '../errors.js'
import { type ErrorCode } from '../model/error.js'
import { PROXY_AUTHENTICATION_REQUIRED } from './proxy.js'

/** The progress of an answer: a failure before the head means that nothing was received, after it that the answer is cut. */
export type CallPhase = 'before-head' | 'after-head'

/** Which of a call's own limits ran out. */
export type TimeoutKind = 'connect' | 'first-token' | 'between-tokens' | 'total'

const TIMEOUT_TEXT: Readonly<Record<TimeoutKind, string>> = Object.freeze({
  connect: 'The provider did not accept a connection within',
  'first-token': 'The provider sent no first token within',
  'between-tokens': 'The provider paused between tokens for more than',
  total: 'The provider did not complete its response within',
})

/** Codes with the same meaning in every phase. */
const FIXED_CODES: ReadonlyMap<string, readonly [ErrorCode, string]> = new Map([
  [
    'UND_ERR_HEADERS_OVERFLOW',
    ['upstream_malformed', 'The provider sent more response headers than the gateway accepts.'],
  ],
  [
    PROXY_AUTHENTICATION_REQUIRED,
    ['upstream_auth', "The proxy in front of the provider rejected the gateway's credentials."],
  ],
  ['UND_ERR_CLOSED', ['draining', 'The gateway is closing its connections to this provider.']],
  ['UND_ERR_DESTROYED', ['draining', 'The gateway is closing its connections to this provider.']],
] as const)

/** llhttp: the data ended where the parser needed more. A cut, not malformed. */
const EOF_CODE = 'HPE_INVALID_EOF_STATE'
const EOF_REASON = 'Invalid EOF state'

const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT'

const UNSOLICITED = 'bad response'
/** undici's message for an unrequested 101, which it does not skip (client-h1.js, onHeadersComplete). */
const BAD_GRAMMAR: ReadonlySet<string> = new Set([UNSOLICITED, 'bad upgrade'])

/** What the other side may not do by RFC 9113, as `pool/http2` names it. */
const BAD_HTTP2: ReadonlySet<string> = new Set(
  ['PROTOCOL_ERROR', 'FRAME_SIZE_ERROR', 'COMPRESSION_ERROR', 'FLOW_CONTROL_ERROR'].map((name) => `HTTP2_${name}`),
)
/** The connection has gone. */
const STALE_CODES: ReadonlySet<string> = new Set(['HTTP2_CLOSED', 'ECONNRESET', 'EPIPE'])
/**
 * The request was not looked at (RFC 9113 8.7), and how often it may be sent. One that is refused by itself is refused by a busy server.
 * A connection that is given up takes all with it that it was too late for, up to 32 at once, and a front may give each up after a few
 * requests (nginx: keepalive_requests); a new connection each time makes that as slow as it has to be.
 */
const UNSEEN_CODES: ReadonlyMap<string, number> = new Map([
  ['HTTP2_REFUSED_STREAM', 2],
  ['HTTP2_GOAWAY', 10],
  ['HTTP2_HTTP_1_1_REQUIRED', 2],
])
/** Once more after a stale connection. */
const STALE_SENDS = 2

const SAFE_CODE = /^[A-Z][A-Z0-9_]{1,63}$/

/** The `upstream_timeout` of one limit; the message names which, and its milliseconds. */
export function timeoutFailure(kind: TimeoutKind, limitMs: number, cause?: unknown): GatewayError {
  return new GatewayError('upstream_timeout', { message: `${TIMEOUT_TEXT[kind]} ${limitMs} ms.`, cause })
}

/** True if a connection was there, and the provider did not answer in time: it has the request all the same. */
export function isTimeoutOfAnswer({ data, cause }: GatewayError): boolean {
  return data.code === 'upstream_timeout' && codeOf(cause) !== CONNECT_TIMEOUT
}

/**
 * Maps an error of undici. An error without a code is not from the network but an internal one: `internal`.
 * `connectMs` is the connect limit in force, for its message.
 */
export function failureOf(error: unknown, phase: CallPhase, connectMs: number): GatewayError {
  const code = codeOf(error)
  if (error instanceof GatewayError || code === null || isOurFault(code)) return toGatewayError(error)
  if (code === CONNECT_TIMEOUT) return timeoutFailure('connect', connectMs, error)
  const fixed = FIXED_CODES.get(code)
  if (fixed !== undefined) return new GatewayError(fixed[0], { message: fixed[1], cause: error })
  // Also what undici calls any parse error of a head that holds a content-length.
  const isBadHead = phase === 'before-head' && code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  if (isBadHead || isBadGrammar(code, error)) {
    return new GatewayError('upstream_malformed', {
      message: `The provider violated ${BAD_HTTP2.has(code) ? 'HTTP/2' : 'HTTP/1.1'} (${code}).`,
      cause: error,
    })
  }
  if (phase === 'after-head') {
    return new GatewayError('upstream_cut', {
      message: `The provider ended the connection before its response was complete (${code}).`,
      cause: error,
    })
  }
  return new GatewayError('upstream_unreachable', {
    message: `The provider could not be reached (${code}).`,
    cause: error,
  })
}

/**
 * How often a request that has failed by this error, without a byte of an answer, may be sent in all. `mayBeStale`: its connection was
 * kept, or never carried it.
 */
export function sendsAfter(error: unknown, mayBeStale: boolean): number {
  return UNSEEN_CODES.get(codeOf(error) ?? '') ?? (mayBeStale && isStaleConnection(error) ? STALE_SENDS : 1)
}

/** Whether a new connection may help: for the errors of a kept connection that the other side has closed, FIN or RST. */
function isStaleConnection(error: unknown): boolean {
  const code = codeOf(error)
  if (code === 'UND_ERR_SOCKET') return !isBadGrammar(code, error)
  return code !== null && STALE_CODES.has(code)
}

/**
 * Whether the upstream has sent bytes on a connection without a request, by undici's message (client-h1.js, onMessageBegin). Empty
 * lines before an answer do not count, since its parser skips them.
 */
export function isUnsolicited(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'UND_ERR_SOCKET' && error.message === UNSOLICITED
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  // undici 7.30 looks llhttp's code up the wrong way round and leaves it undefined; the reason in the message is right.
  if (error.name === 'HTTPParserError') return error.message.includes(EOF_REASON) ? EOF_CODE : 'HPE_INVALID'
  if (!('code' in error)) return null
  return typeof error.code === 'string' && SAFE_CODE.test(error.code) ? error.code : null
}

function isOurFault(code: string): boolean {
  return (
    code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' || code.startsWith('ERR_ASSERT')
  )
}

function isBadGrammar(code: string, error: unknown): boolean {
  if (code === 'UND_ERR_SOCKET') return error instanceof Error && BAD_GRAMMAR.has(error.message)
  return BAD_HTTP2.has(code) || (code.startsWith('HPE_') && code !== EOF_CODE)
}
