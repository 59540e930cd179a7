// The codes of RFC 9113 7 by their numbers.
import { constants } from 'node:http2'
import { test } from 'tap'
import { resetError } from '../../../../src/upstream/pool/http2/http2-error.js'

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
