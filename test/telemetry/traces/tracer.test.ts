// What becomes of a request's trace: its own, its caller's, or none; and what a provider learns of it.
import { test } from 'tap'
import { createKnownAttributes } from '../../../src/telemetry/traces/encoding/known-attributes.js'
import { encodeHead, SpanBatch } from '../../../src/telemetry/traces/encoding/span-batch.js'
import { SpanIds } from '../../../src/telemetry/traces/span-ids.js'
import { type Unwritten } from '../../../src/telemetry/traces/span-queue.js'
import { createTracer } from '../../../src/telemetry/traces/tracer.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const PARENT = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' }

function rig(sampler = { isParentBased: true, ratio: 1 }, passedTo: string[] = []) {
  const ids = new SpanIds()
  const taken: [spans: number, isMinor: boolean][] = []
  const clean = (text: string): string => text
  const ground = {
    ...{ providers: new Map(), clean, cleanId: clean, cleanAnswer: clean, known: createKnownAttributes(clean) },
    scheme: 'http',
  }
  const batch = new SpanBatch(encodeHead({}, { name: 'test', version: '1' }), 0)
  const room = { isThere: true }
  const out = {
    put({ write }: Unwritten<SpanBatch>, isMinor: boolean) {
      if (room.isThere) write(batch)
      taken.push([room.isThere ? batch.spans : 0, isMinor])
    },
  }
  return { tracer: createTracer({ ids, passedTo, spans: { sampler, ground, nowMs: () => 5000, out } }), taken, room }
}

test('a request joins the trace of its caller with a span of its own, or begins a trace', (t) => {
  const { tracer } = rig()
  const joined = tracer.begin(PARENT)
  t.match(joined, {
    traceId: PARENT.traceparent.slice(3, 35),
    parentId: '00f067aa0ba902b7',
    isSampled: true,
    state: 'v=1',
  })
  t.not(joined?.spanId, joined?.parentId)
  const own = tracer.begin({ traceparent: 'nonsense', tracestate: 'v=1' })
  t.match(own, { traceId: /^[0-9a-f]{32}$/, parentId: null, isSampled: true, state: '' })
  t.end()
})

test('spans are made of sampled traces alone, and those of refusals are marked', (t) => {
  const { tracer, taken } = rig({ isParentBased: true, ratio: 0 })
  tracer.settled(exchangeRecord({ trace: tracer.begin({}) }))
  tracer.settled(exchangeRecord({ trace: null }))
  t.same(taken, [])
  tracer.settled(exchangeRecord({ trace: tracer.begin(PARENT), attempts: 0 }))
  tracer.settled(exchangeRecord({ trace: tracer.begin(PARENT), attempts: 0, shared: { how: 'hit', requestId: 'r' } }))
  tracer.settled(exchangeRecord({ trace: tracer.begin(PARENT), attempts: 1 }))
  t.same(
    taken.map(([, isMinor]) => isMinor),
    [true, false, false],
  )
  t.same(
    taken.map(([spans]) => spans),
    [1, 2, 3],
  )
  t.end()
})

test('nothing is written where there is no room', (t) => {
  const { tracer, taken, room } = rig()
  room.isThere = false
  const trace = tracer.begin(PARENT)
  tracer.settled(exchangeRecord({ trace }))
  if (trace === null) throw new Error('no trace')
  const origin = { method: 'GET', path: '/', address: '', agent: '' }
  const reading = { trace, producer: null, requestId: 'r', surface: 'chat', origin, stream: 'st', totalMs: 1 }
  tracer.resumed({ ...reading, result: 'delivered' })
  t.same(taken, [
    [0, false],
    [0, false],
  ])
  room.isThere = true
  tracer.resumed({ ...reading, result: 'delivered' })
  t.same(taken.at(-1), [1, false])
  tracer.resumed({ ...reading, trace: { ...trace, isSampled: false }, result: 'delivered' })
  t.equal(taken.length, 3)
  t.end()
})

test('a named provider gets the trace with the span of its try; without an exporter it gets the caller as it came', (t) => {
  const { tracer } = rig({ isParentBased: true, ratio: 1 }, ['north'])
  const trace = tracer.begin(PARENT)
  if (trace === null) throw new Error('no trace')
  const passed = tracer.passTo('north', trace)
  t.same(passed?.headers, { traceparent: `00-${trace.traceId}-${passed?.spanId}-01`, tracestate: 'v=1' })
  t.not(passed?.spanId, trace.spanId)
  t.equal(tracer.passTo('south', trace), null)
  const own = tracer.begin({})
  t.same(Object.keys((own && tracer.passTo('north', own)?.headers) ?? {}), ['traceparent'])

  const relay = createTracer({ ids: new SpanIds(), passedTo: ['north'], spans: null })
  t.equal(relay.begin({}), null, 'there is nothing to pass on')
  const caller = relay.begin(PARENT)
  t.same(caller && relay.passTo('north', caller)?.headers, PARENT)
  relay.settled(exchangeRecord({ trace: caller }))
  t.end()
})
