// Retry and reset times, header values, request ids, masked secrets.
import fc from 'fast-check'
import { test } from 'tap'
import {
  formatResetDuration,
  isSafeHeaderValue,
  isValidRequestId,
  maskSecrets,
  parseRetryAfterMs,
} from '../../src/wire/http.js'

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

test('writes durations as OpenAI does', async (t) => {
  t.equal(formatResetDuration(12), '12ms')
  t.equal(formatResetDuration(0), '0ms')
  t.equal(formatResetDuration(-5), '0ms')
  t.equal(formatResetDuration(11.2), '12ms')
  t.equal(formatResetDuration(1000), '1s')
  t.equal(formatResetDuration(1001), '2s')
  t.equal(formatResetDuration(59_999), '1m0s')
  t.equal(formatResetDuration(360_000), '6m0s')
  t.equal(formatResetDuration(3_723_000), '1h2m3s')
})

test('lets no line break, NUL or wide character into a header', async (t) => {
  for (const bad of ['a\r\nb', 'a\nb', 'a\rb', 'a\0b', '\x7f', '\x1b', '\u2028', '🌊']) {
    t.equal(isSafeHeaderValue(bad), false, encodeURIComponent(bad))
  }
  for (const good of ['', 'a b', 'a\tb', 'ünïcode', '~!@#'])
    t.equal(isSafeHeaderValue(good), true, encodeURIComponent(good))
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !isSafeHeaderValue(text) || !/[\r\n\0]/.test(text)))
})

test('takes request ids of 1 to 128 plain characters', async (t) => {
  for (const good of ['a', 'req_1.2:3-4', 'x'.repeat(128)]) t.equal(isValidRequestId(good), true, good)
  for (const bad of ['', 'x'.repeat(129), 'a b', 'a\n', 'é', '<', 'a/b']) t.equal(isValidRequestId(bad), false, bad)
})

test('masks keys and tokens and leaves words alone', async (t) => {
  const cases: [string, string][] = [
    ['Incorrect API key provided: sk-proj-abcdEFGH1234_x.', 'Incorrect API key provided: sk-***.'],
    ['key gsk_abcdefgh12345678 and hf_abcdefgh12345678', 'key gsk_*** and hf_***'],
    ['AIzaSyA1234567890123456789012345678901 x', 'AIza*** x'],
    ['authorization: Bearer abc.def-123456', 'authorization: Bearer***'],
    ['eyJhbGciOiJI.eyJzdWIiOiIx.sig_123', 'eyJ***'],
    ['GET /v1?alt=sse&key=abc123 failed', 'GET /v1?alt=sse&key=*** failed'],
    ['{"api_key":"abcdefghij"}', '{"api_key":"***"}'],
    ['x-api-key: abcdefghij, next', 'x-api-key: ***, next'],
    ['The task sk-1 asked for a risk-free desk.', 'The task sk-1 asked for a risk-free desk.'],
  ]
  for (const [text, masked] of cases) t.equal(maskSecrets(text), masked)
})
