// The span of a client that comes back to a kept stream.
import { test } from 'tap'
import { traceReading } from '../../../src/server/kept/trace-reading.js'
import { type StreamReading, type Tracer } from '../../../src/telemetry/records.js'

const TRACE = { traceId: 't', spanId: 's', parentId: null, isSampled: true, state: '' }
const ORIGIN = { method: 'GET', path: '/v1/streams/x', address: '', agent: '' }
const FACTS = {
  ...{ id: 'stream-with-a-long-secret-id', owner: 'o', surfaceId: 'chat', requestId: 'first', framing: 'sse' as const },
  ...{ contentType: 'text/event-stream', headers: [] },
}

function rig() {
  const readings: StreamReading[] = []
  const begun: object[] = []
  const tracer: Tracer = {
    begin(headers) {
      begun.push(headers)
      return 'traceparent' in headers ? TRACE : null
    },
    passTo: () => null,
    settled: () => undefined,
    resumed: (reading) => readings.push(reading),
  }
  return { tracer, readings, begun }
}

test('a reader is in the trace of its own request, and knows the one whose answer it reads', (t) => {
  const { tracer, readings } = rig()
  const reading = { view: { tracer }, parameterHeaders: { traceparent: 'p' }, requestId: 'again', origin: ORIGIN }
  traceReading(reading, { ...FACTS, trace: 'producer' })?.('delivered')
  traceReading(reading, FACTS)?.('client_gone')
  t.match(readings, [
    { trace: TRACE, producer: 'producer', requestId: 'again', surface: 'chat', origin: ORIGIN, result: 'delivered' },
    { producer: null, result: 'client_gone' },
  ])
  t.ok(readings.every(({ totalMs }) => totalMs >= 0))
  t.notOk(JSON.stringify(readings).includes(FACTS.id), 'the whole id would let anyone of its owner read')
  t.end()
})

test('without traces, or outside of one, there is nothing to end', (t) => {
  const { tracer, readings } = rig()
  const reading = { parameterHeaders: {}, requestId: 'again', origin: ORIGIN }
  t.equal(traceReading({ ...reading, view: { tracer: null } }, FACTS), null)
  t.equal(traceReading({ ...reading, view: { tracer } }, FACTS), null)
  t.same(readings, [])
  t.end()
})
