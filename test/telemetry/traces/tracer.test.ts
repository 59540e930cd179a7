// What becomes of a request's trace: its own, its caller's, or none; and what a provider learns of it.
import { test } from 'tap'
import { type Span } from '../../../src/telemetry/traces/otlp.js'
import { SpanIds } from '../../../src/telemetry/traces/span-ids.js'
import { resourceOf } from '../../../src/telemetry/traces/spans.js'
import { createTracer } from '../../../src/telemetry/traces/tracer.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const PARENT = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' }

function rig(sampler = { isParentBased: true, ratio: 1 }, passedTo: string[] = []) {
  const ids = new SpanIds()
  const taken: [names: string[], isMinor: boolean][] = []
  const ground = {
    ...{ resource: resourceOf({}), scope: { name: 'test' }, providers: new Map(), clean: (text: string) => text },
    ...{ scheme: 'http', createSpanId: () => ids.spanId() },
  }
  const take = (spans: readonly Span[], isMinor: boolean): void => {
    taken.push([spans.map(({ name }) => name), isMinor])
  }
  return { tracer: createTracer({ ids, passedTo, spans: { sampler, ground, nowMs: () => 5000, take } }), taken }
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
