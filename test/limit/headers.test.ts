// The rate limit headers and the durations in them.
import { test } from 'tap'
import { formatDuration, limitHeaders } from '../../src/limit/headers.js'

test('a limited key gets limit, remaining and reset of requests and tokens', (t) => {
  t.same(
    limitHeaders({
      requests: { limit: 600, remaining: 599, resetMs: 100 },
      tokens: { limit: 200_000, remaining: 0, resetMs: 90_000 },
    }),
    [
      ['x-ratelimit-limit-requests', '600'],
      ['x-ratelimit-remaining-requests', '599'],
      ['x-ratelimit-reset-requests', '100ms'],
      ['x-ratelimit-limit-tokens', '200000'],
      ['x-ratelimit-remaining-tokens', '0'],
      ['x-ratelimit-reset-tokens', '1m30s'],
    ],
  )
  t.end()
})

test('a limit that is not set has no headers', (t) => {
  t.same(limitHeaders({ requests: null, tokens: null }), [])
  t.equal(limitHeaders({ requests: null, tokens: { limit: 1, remaining: 1, resetMs: 0 } }).length, 3)
  t.end()
})

test('durations are written as OpenAI writes them, rounded up', (t) => {
  const cases: [number, string][] = [
    [0, '0ms'],
    [11.2, '12ms'],
    [1000, '1s'],
    [8640, '8.64s'],
    [59_999.5, '1m0s'],
    [360_000, '6m0s'],
    [3_600_000, '1h0m0s'],
    [7_265_250, '2h1m5.25s'],
  ]
  for (const [ms, text] of cases) t.equal(formatDuration(ms), text)
  t.end()
})
