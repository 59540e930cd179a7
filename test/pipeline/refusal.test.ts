// An upstream's refusal becomes one error.
import { test } from 'tap'
import { Refusal } from '../../src/pipeline/refusal.js'
import { PROTOCOLS } from '../../src/protocols/index.js'
import { refusalOf } from '../helpers/limiter-setup.js'
import { OPENAI, type Wire } from '../helpers/pipeline.js'

function dialectOf(wire: Wire) {
  const dialect = PROTOCOLS.find(({ id }) => id === wire)?.dialect
  if (dialect === null || dialect === undefined) throw new Error(wire)
  return dialect
}

test('status, words and the time to wait are kept', async (t) => {
  const refusal = new Refusal(429, { 'retry-after': '7' }, 0)
  refusal.push(Buffer.from('{"error":{"message":"Slow'))
  refusal.push(Buffer.from(' down","type":"requests"}}'))
  t.match(refusal.decode(dialectOf(OPENAI)), { upstreamStatus: 429, message: 'Slow down', retryAfterMs: 7000 })
})

test('a time to wait that is a date counts from the given clock', async (t) => {
  const unixMs = Date.UTC(2026, 0, 1, 12, 0, 0)
  const refusal = new Refusal(503, { 'retry-after': 'Thu, 01 Jan 2026 12:00:30 GMT' }, unixMs)
  t.equal(refusal.decode(dialectOf(OPENAI)).retryAfterMs, 30_000)
})

test('a body without end is not read to its end', async (t) => {
  const refusal = new Refusal(500, {}, 0)
  refusal.push(Buffer.alloc(65_536))
  t.equal(refusalOf(() => refusal.push(Buffer.alloc(1)))?.code, 'upstream_malformed')
})
