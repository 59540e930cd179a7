// What do traces cost the event loop? A request's place in its trace, its three spans made from the record, and their share of an
// export: encoded by OpenTelemetry's own exporter, which sends them to a collector that is not there. Beside it what is paid where
// traces are off: one look for a tracer.
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { createLoopTracer } from '../../src/gateway/traces/loop-traces.js'
import { NO_USAGE } from '../../src/model/usage.js'
import { type ExchangeRecord, type RequestTrace, type Tracer } from '../../src/telemetry/records.js'
import { type Span } from '../../src/telemetry/traces/otlp.js'
import { SpanExport } from '../../src/telemetry/traces/span-export.js'
import { load } from '../../test/config/sources.js'
import { exchangeRecord } from '../../test/helpers/exchange-record.js'
import { measure, printTable } from './measure.js'

const PARENT = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const BATCH = 128
const secrets = Array.from({ length: 20 }, (_, i) => `sk-provider-${i}-0123456789abcdefghijklmnopqrstuvwxyz`)

const { config } = load('providers: { north: { protocol: openai-chat, baseUrl: "http://north" } }', {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
})
let latest: readonly Span[] = []
const out = new SpanExport({
  ...{ maxQueued: BATCH, maxBatch: 2 * BATCH, delayMs: 3_600_000, count: () => undefined, onState: () => undefined },
  load: () => Promise.reject(new Error('nothing is sent')),
})
// In place of the queue, which would be full at once.
out.take = (spans) => {
  latest = spans
}
const ground = { out, secrets: { secrets, keyDigests: [] }, providers: config.providers }
const tracer = createLoopTracer(config, ground)
if (tracer === null) throw new Error('traces are off')
const trace = tracer.begin(PARENT) as RequestTrace
const record: ExchangeRecord = exchangeRecord({
  ...{ trace, surface: 'openai-chat', finish: 'stop', usage: { ...NO_USAGE, inputTokens: 1000, outputTokens: 200 } },
  ...{
    answerId: 'chatcmpl-9x',
    answerModel: 'north-large-2026-01-01',
    upstreamRequestId: 'req_011CSHoEeqs5C35K2UUqR7Fy',
  },
  origin: { method: 'POST', path: '/v1/chat/completions', address: '203.0.113.9', agent: 'OpenAI/JS 6.1.0' },
  tries: [
    {
      ...{ provider: 'north', model: 'north-large', result: 'ok' as const, error: null, ms: 1200 },
      traced: { startMs: 1, status: 200, isHedgeLoser: false, spanId: null },
    },
  ],
})
const off: { readonly tracer: Tracer | null } = { tracer: null }
const found = { count: 0 }
let serial = 0

const rows = [
  measure('off: no tracer', () => {
    if (off.tracer !== null) found.count += 1
  }),
  measure('begin: a new trace', () => tracer.begin({})),
  measure('begin: the caller\u2019s', () => tracer.begin(PARENT)),
  measure('settled: three spans, ids seen before', () => tracer.settled(record)),
  measure('settled: three spans, ids of its own', () => {
    serial += 1
    const ids = {
      requestId: `Xb0ueOR9-${serial}`,
      answerId: `chatcmpl-${serial}`,
      upstreamRequestId: `req_011CSH${serial}`,
    }
    tracer.settled(Object.assign({}, record, ids))
  }),
]
tracer.settled(record)
const batch = Array.from({ length: BATCH }, (_, i) => latest[i % latest.length] as Span)
const exporter = new OTLPTraceExporter({ url: 'http://127.0.0.1:9/v1/traces', timeoutMillis: 1, concurrencyLimit: 1e6 })
const exported = measure(`export: a batch of ${BATCH} spans`, () => exporter.export([...batch], () => undefined))
printTable('traces', [...rows, exported])
process.exit(0)
