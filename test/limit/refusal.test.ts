// What a caller reads when a limit stops it.
import { test } from 'tap'
import { oversizeRefusal, rateRefusal, slotRefusal } from '../../src/limit/refusal.js'

test('a refusal says which limit, whose, and when to come back', (t) => {
  t.match(rateRefusal('key', 'tokens', { limit: 500, retryAfterMs: 1234 }).data, {
    code: 'rate_limited',
    retryAfterMs: 1234,
    message: 'The limit of 500 tokens per minute for this key has been reached. Try again in 1.3 s.',
  })
  t.match(rateRefusal('gateway', 'requests', { limit: 5, retryAfterMs: 12 }).data, {
    message: /this gateway.* 12 ms\.$/,
  })
  const hourly = rateRefusal('key', 'requests', { limit: 5, windowSec: 3600, retryAfterMs: 1 })
  t.match(hourly.data, { message: /5 requests per 3600 s for this key/ })
  t.match(oversizeRefusal('gateway', 'tokens', { limit: 5, count: 6 }).data, {
    retryable: false,
    retryAfterMs: null,
    status: 429,
  })
  t.match(slotRefusal('gateway', 0).data, { code: 'overloaded', status: 503, retryable: true, retryAfterMs: 1000 })
  t.match(slotRefusal('key', 4).data, {
    code: 'rate_limited',
    message: /limit of 4 concurrent requests/,
    retryAfterMs: 1000,
  })
  t.end()
})
