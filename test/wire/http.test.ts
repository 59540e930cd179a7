// How long an answer asks to wait.
import { test } from 'tap'
import { parseRetryAfterMs } from '../../src/wire/http.js'

const NOW_MS = Date.UTC(2026, 10, 20, 12, 0, 0)
const DAY_MS = 86_400_000

function retryAfter(headers: Record<string, string>): number | null {
  return parseRetryAfterMs((name) => headers[name] ?? null, NOW_MS)
}

test('reads how long to wait, milliseconds first', async (t) => {
  t.equal(retryAfter({}), null)
  t.equal(retryAfter({ 'retry-after': '2' }), 2000)
  t.equal(retryAfter({ 'retry-after': ' 0.25 ' }), 250)
  t.equal(retryAfter({ 'retry-after': '0' }), 0)
  t.equal(retryAfter({ 'retry-after-ms': '120', 'retry-after': '2' }), 120)
  t.equal(retryAfter({ 'x-ms-retry-after-ms': '12.5', 'retry-after': '2' }), 13)
  t.equal(retryAfter({ 'retry-after-ms': 'soon', 'retry-after': '2' }), 2000)
  t.equal(retryAfter({ 'retry-after': 'Fri, 20 Nov 2026 12:00:30 GMT' }), 30_000)
  t.equal(retryAfter({ 'retry-after': 'Fri, 20 Nov 2026 11:00:00 GMT' }), 0, 'a date that has passed')
  t.equal(retryAfter({ 'retry-after': '999999999999' }), DAY_MS, 'no more than a day')
})

test('ignores what is neither a number nor a date', async (t) => {
  for (const value of [
    '',
    ' ',
    'soon',
    '-1',
    '1e9',
    'NaN',
    'Infinity',
    '0x10',
    '2 seconds',
    '2026',
    '2026-11-20',
    '1,2',
  ]) {
    t.equal(retryAfter({ 'retry-after': value }), value === '2026' ? 2_026_000 : null, value)
  }
  t.equal(retryAfter({ 'retry-after': 'Xyz, 99 Foo 2026 99:99:99 GMT' }), null)
})
