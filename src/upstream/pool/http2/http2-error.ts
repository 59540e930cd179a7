// Why a request over HTTP/2 failed, under codes of its own: what Node's own errors say is in their text alone.

/** `providers.*.http2` is `on`, and the provider does not speak it. */
export const NOT_OFFERED = 'HTTP2_NOT_OFFERED'
/** The connection was open, and nobody at its other end. */
export const NO_PONG = 'HTTP2_NO_PONG'
/** The other side agreed on HTTP/2, and did not begin to speak it. */
export const NO_SETTINGS = 'HTTP2_NO_SETTINGS'
/** The server allows no request on a connection. */
export const NO_STREAMS = 'HTTP2_NO_STREAMS'
/** The connection has gone, or a reset named no error. */
export const CLOSED = 'HTTP2_CLOSED'

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

/** The error of a stream that was reset with this code. */
export function resetError(rstCode: number, cause?: unknown): Http2Error {
  if (rstCode === 0) return new Http2Error(CLOSED, cause)
  return new Http2Error(`HTTP2_${NAMES[rstCode] ?? 'UNKNOWN_ERROR'}`, cause)
}
