// When a failed run is tried again.
import { test } from 'tap'
import { backoffMs, MAX_RETRY_AFTER_MS } from '../../../src/jobs/run/backoff.js'

const most = (attempt: number) => backoffMs(attempt, { random: () => 1, retryAfterMs: null })

test('doubles its bound with each attempt, up to a minute', (t) => {
  t.same([1, 2, 3, 4, 5, 6, 7, 8, 100].map(most), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  t.end()
})

test('full jitter: anything from nothing to the bound', (t) => {
  t.equal(backoffMs(5, { random: () => 0, retryAfterMs: null }), 0)
  t.equal(backoffMs(5, { random: () => 0.25, retryAfterMs: null }), 4000)
  t.end()
})

test('never before the upstream wants it back, and not as late as it may say', (t) => {
  t.equal(backoffMs(1, { random: () => 0, retryAfterMs: 7000 }), 7000)
  t.equal(backoffMs(1, { random: () => 0.5, retryAfterMs: 7000 }), 7500, 'they do not come back all at once')
  t.equal(backoffMs(1, { random: () => 0, retryAfterMs: 1e12 }), MAX_RETRY_AFTER_MS)
  t.end()
})
