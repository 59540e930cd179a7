// Trace context by the rules of the specification: what is taken in, what begins a new trace, and what is passed on.
import { test } from 'tap'
import { formatTraceparent, readTraceparent, readTracestate } from '../../../src/telemetry/traces/trace-context.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

test('a valid traceparent is read, and of a later version what is known of it', (t) => {
  t.same(readTraceparent(`00-${TRACE}-${SPAN}-01`), { traceId: TRACE, spanId: SPAN, isSampled: true })
  t.same(readTraceparent(`00-${TRACE}-${SPAN}-00`), { traceId: TRACE, spanId: SPAN, isSampled: false })
  t.equal(readTraceparent(`00-${TRACE}-${SPAN}-03`)?.isSampled, true, 'other flags are no reason to reject it')
  t.equal(readTraceparent(`cc-${TRACE}-${SPAN}-01`)?.traceId, TRACE)
  t.equal(readTraceparent(`cc-${TRACE}-${SPAN}-01-what-will-come`)?.traceId, TRACE)
  t.end()
})

test('a malformed traceparent is none', (t) => {
  const malformed = [
    ...[
      '',
      '00',
      `00-${TRACE}-${SPAN}`,
      `00-${TRACE}-${SPAN}-1`,
      `00-${TRACE}-${SPAN}-01-more`,
      ` 00-${TRACE}-${SPAN}-01`,
    ],
    ...[`ff-${TRACE}-${SPAN}-01`, `0-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01.more`],
    ...[`00-${TRACE.toUpperCase()}-${SPAN}-01`, `00-${TRACE}-${SPAN.toUpperCase()}-01`, `00-${TRACE}-${SPAN}-0G`],
    ...[`00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`],
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ]
  for (const text of malformed) t.equal(readTraceparent(text), null, text)
  t.equal(readTraceparent(undefined), null)
  t.end()
})

test('what is written is read again', (t) => {
  for (const isSampled of [true, false]) {
    const parent = { traceId: TRACE, spanId: SPAN, isSampled }
    t.same(readTraceparent(formatTraceparent(parent)), parent)
  }
  t.end()
})

test('a tracestate passes as far as it is valid and short', (t) => {
  t.equal(readTracestate(undefined), '')
  t.equal(readTracestate('a=1, tenant@vendor=x y ,,b=2\t'), 'a=1,tenant@vendor=x y,b=2')
  t.equal(readTracestate('a=1,B=2'), '', 'one member that is not valid spoils all')
  for (const member of ['a', 'a=', '=1', 'a=x=y', 'a=\u00e9', `${'k'.repeat(257)}=1`, `a=${'v'.repeat(257)}`])
    t.equal(readTracestate(member), '', member)
  const many = Array.from({ length: 33 }, (_, i) => `k${i}=1`)
  t.equal(readTracestate(many.join(',')), '')
  t.equal(readTracestate(many.slice(1).join(',')), many.slice(1).join(','))
  const long = [1, 2, 3].map((i) => `k${i}=${'v'.repeat(200)}`)
  t.equal(readTracestate(long.join(',')), long.slice(0, 2).join(','), 'whole members are left out at the end')
  t.end()
})
