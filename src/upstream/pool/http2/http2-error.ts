// Why a request over HTTP/2 failed, under codes of its own: what Node's own errors say is in their text alone.

/** `providers.*.http2` is `on`, and the provider does not speak it. */
export const NOT_OFFERED = 'HTTP2_NOT_OFFERED'
/** The connection was open, and nobody at its other end. */
export const NO_PONG = 'HTTP2_NO_PONG'
/** The server allows no request on a connection. */
export const NO_STREAMS = 'HTTP2_NO_STREAMS'
/** The server gave the connection up before it looked at the request (RFC 9113 6.8): a new one may take it. */
export const GOAWAY = 'HTTP2_GOAWAY'
/** The connection has gone, or a reset named no error. */
export const CLOSED = 'HTTP2_CLOSED'

/** The server takes the request over HTTP/1.1 alone (RFC 9113 7). */
export const HTTP1_REQUIRED = 'HTTP2_HTTP_1_1_REQUIRED'

/** `code`: `HTTP2_` and the name of RFC 9113 7. */
export class Http2Error extends Error {
  readonly code: string

  constructor(code: string, cause?: unknown) {
    super(`HTTP/2: ${code}`, cause === undefined ? undefined : { cause })
    this.name = 'Http2Error'
    this.code = code
  }
}

/** By number (RFC 9113 7). */
const NAMES = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
]

/** The error of a stream that was reset with this code, or of a connection that was given up with it. */
export function resetError(code: number, cause?: unknown): Http2Error {
  if (code === 0) return new Http2Error(CLOSED, cause)
  return new Http2Error(`HTTP2_${NAMES[code] ?? 'UNKNOWN_ERROR'}`, cause)
}

/** By nghttp2's numbers for what it found wrong with a connection (nghttp2.h, nghttp2_error); whatever else it finds is a PROTOCOL_ERROR. */
const FOUND: ReadonlyMap<number, string> = new Map([
  [-522, 'FRAME_SIZE_ERROR'],
  [-523, 'COMPRESSION_ERROR'],
  [-524, 'FLOW_CONTROL_ERROR'],
])

/** What ended a connection or a stream, in our terms; `code`: that of its GOAWAY or reset. A system's errors, and ours, say more than Node's. */
export function endingError(error: Error | null, code: number): Error {
  const isNodes = error !== null && 'code' in error && String(error.code).startsWith('ERR_HTTP2')
  if (error !== null && !isNodes) return error
  if (isNodes && error.code === 'ERR_HTTP2_ERROR') {
    const found = 'errno' in error ? FOUND.get(Number(error.errno)) : undefined
    return new Http2Error(`HTTP2_${found ?? 'PROTOCOL_ERROR'}`, error)
  }
  return resetError(code, error ?? undefined)
}
