// How long does it take to find the frames of a stream? A read of 32 frames as they come unpaced, one frame a read as they come
// at a model's pace, and frames that are cut. Beside it: one native search over the same bytes.
import { createFrameScanner } from '../../src/wire/frame.js'
import { measure, printTable } from './measure.js'

const FRAMES = 32
const FRAME = Buffer.from(
  'data: {"id":"chatcmpl-0000000000000001","object":"chat.completion.chunk","created":1763712000,"model":"large","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" consectetur"},"logprobs":null,"finish_reason":null}]}\n\n',
)
const READ = Buffer.concat(Array.from({ length: FRAMES }, () => FRAME))
const CRLF_READ = Buffer.from(READ.toString().replaceAll('\n', '\r\n'))
const HALF = FRAME.length >> 1
const FIRST_HALF = FRAME.subarray(0, HALF)
const SECOND_HALF = FRAME.subarray(HALF)
const seen = { bytes: 0 }
const scanner = createFrameScanner('sse', (payload) => {
  seen.bytes += payload.length
})

printTable(`frames of ${FRAME.length} bytes`, [
  measure(`one read of ${FRAMES} frames`, () => scanner.push(READ)),
  measure('the same with CR LF', () => scanner.push(CRLF_READ)),
  measure('one frame a read', () => scanner.push(FRAME)),
  measure('a frame cut in two reads', () => {
    scanner.push(FIRST_HALF)
    scanner.push(SECOND_HALF)
  }),
  measure(`Buffer.indexOf over ${FRAMES} frames`, () => {
    seen.bytes += READ.indexOf('never there')
  }),
])
