// The readable form of log lines.
import { test } from 'tap'
import { formatPretty } from '../../../src/telemetry/log/pretty.js'

const HEAD = { level: 'info', time: '2026-03-01T12:34:56.789Z' }
const EXCHANGE = {
  ...HEAD,
  id: 'req-1',
  surface: 'chat',
  transport: 'sse',
  model: 'fast',
  target: 'north/large',
  outcome: 'complete',
  status: 200,
  tokens: { in: 10, out: 20 },
  ttftMs: 120,
  totalMs: 1500,
  msg: 'exchange',
}

test('an exchange is one line', (t) => {
  t.equal(
    formatPretty(`${JSON.stringify(EXCHANGE)}\n`),
    '12:34:56.789 INFO  200 complete  chat/sse  fast -> north/large  1500 ms (first token 120 ms)  10 in 20 out  req-1\n',
  )
  t.end()
})

test('a failed exchange ends with its error', (t) => {
  const failed = {
    ...EXCHANGE,
    level: 'error',
    model: null,
    target: null,
    ttftMs: null,
    tokens: 0,
    error: { code: 'internal', message: 'Oh.' },
  }
  t.equal(
    formatPretty(JSON.stringify(failed)),
    '12:34:56.789 ERROR 200 complete  chat/sse  -  1500 ms  0 in 0 out  internal: Oh.  req-1\n',
  )
  t.end()
})

test('other lines show their message and fields', (t) => {
  t.equal(formatPretty(JSON.stringify({ ...HEAD, msg: 'ready' })), '12:34:56.789 INFO  ready\n')
  t.equal(formatPretty(JSON.stringify({ ...HEAD, port: 1, msg: 'ready' })), '12:34:56.789 INFO  ready  {"port":1}\n')
  t.end()
})

test('what is not a JSON object stays as it is', (t) => {
  for (const line of ['plain text\n', '[1]\n', '']) t.equal(formatPretty(line), line)
  t.end()
})
