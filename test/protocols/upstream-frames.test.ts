// Our frames among an upstream's: an error to clients of every wire, a keepalive to none.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { UPSTREAM_FRAMES } from '../../src/protocols/upstream-frames.js'

const ERROR = errorData('upstream_cut', { message: 'two\nlines "quoted"' })

test('an error is an event of its own with the member that clients look for', async (t) => {
  const frame = UPSTREAM_FRAMES.sse.encodeErrorFrame(ERROR, 'r')
  const [event, data = '', ...rest] = frame.split('\n')
  t.same([event, ...rest], ['event: error', '', ''])
  const error = { message: ERROR.message, type: 'upstream_cut', param: null, code: 'upstream_cut' }
  t.same(JSON.parse(data.slice('data: '.length)), { type: 'error', error })
})

test('an error is one line of NDJSON', async (t) => {
  const frame = UPSTREAM_FRAMES.ndjson.encodeErrorFrame(ERROR, 'r')
  t.match(frame, /^[^\n]*\n$/)
  t.same(JSON.parse(frame), { error: ERROR.message, code: 'upstream_cut' })
})

test("an upstream's own words are kept, and keepalives say nothing", async (t) => {
  const quota = errorData('rate_limited', { upstreamType: 'quota', upstreamCode: 'q' })
  t.match(UPSTREAM_FRAMES.sse.encodeErrorFrame(quota, 'r'), '"type":"quota"')
  t.equal(UPSTREAM_FRAMES.sse.keepaliveFrame, ': ping\n')
  t.equal(UPSTREAM_FRAMES.ndjson.keepaliveFrame, '\n')
})
