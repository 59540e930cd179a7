// The codes of RFC 9113 7 by their numbers, and what Node says of a connection in them.
import { constants } from 'node:http2'
import { test } from 'tap'
import { endingError, resetError } from '../../../../src/upstream/pool/http2/http2-error.js'

test('a reset has the name that the standard gives its number, and one that it does not know is said to be unknown', (t) => {
  const codes: readonly (readonly [number, string])[] = [
    [constants.NGHTTP2_NO_ERROR, 'HTTP2_CLOSED'],
    [constants.NGHTTP2_PROTOCOL_ERROR, 'HTTP2_PROTOCOL_ERROR'],
    [constants.NGHTTP2_REFUSED_STREAM, 'HTTP2_REFUSED_STREAM'],
    [constants.NGHTTP2_CANCEL, 'HTTP2_CANCEL'],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'HTTP2_ENHANCE_YOUR_CALM'],
    [constants.NGHTTP2_HTTP_1_1_REQUIRED, 'HTTP2_HTTP_1_1_REQUIRED'],
    [4711, 'HTTP2_UNKNOWN_ERROR'],
  ]
  const cause = new Error('Node says so')
  for (const [number, code] of codes) {
    const error = resetError(number, cause)
    t.equal(error.code, code)
    t.equal(error.cause, cause)
  }
  t.end()
})

test('what ended a connection has a code: of its GOAWAY, of what nghttp2 found wrong, or of the system', (t) => {
  const nodes = (code: string, errno?: number) => Object.assign(new Error('Node says so'), { code, errno })
  const found = (errno: number) => endingError(nodes('ERR_HTTP2_ERROR', errno), 0)
  t.match(endingError(null, 0), { code: 'HTTP2_CLOSED' })
  t.match(endingError(null, 11), { code: 'HTTP2_ENHANCE_YOUR_CALM' })
  t.match(endingError(nodes('ERR_HTTP2_SESSION_ERROR'), 2), { code: 'HTTP2_INTERNAL_ERROR' })
  t.match(found(-505), { code: 'HTTP2_PROTOCOL_ERROR' })
  t.match(found(-522), { code: 'HTTP2_FRAME_SIZE_ERROR' })
  t.match(found(-523), { code: 'HTTP2_COMPRESSION_ERROR' })
  t.match(found(-524), { code: 'HTTP2_FLOW_CONTROL_ERROR' })
  const reset = nodes('ECONNRESET')
  t.equal(endingError(reset, 0), reset)
  t.end()
})
