// What do traces cost the event loop? A request's place in its trace, its three spans written from the record, and its share of an
// export. Beside them the same spans by OpenTelemetry's own encoder, and what is paid where traces are off: one look for a tracer.
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { createLoopTracer } from '../../src/gateway/traces/loop-traces.js'
import { NO_USAGE } from '../../src/model/usage.js'
import { type ExchangeRecord, type RequestTrace, type Tracer } from '../../src/telemetry/records.js'
import { AnswerHead } from '../../src/telemetry/traces/answer-head.js'
import { encodeHead, SpanBatch } from '../../src/telemetry/traces/encoding/span-batch.js'
import { SpanExport } from '../../src/telemetry/traces/span-export.js'
import { load } from '../../test/config/sources.js'
import { exchangeRecord } from '../../test/helpers/exchange-record.js'
import { loadDecoder, readable } from '../../test/helpers/otlp.js'
import { measure, printTable } from './measure.js'

const PARENT = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const BATCH = 512
const secrets = Array.from({ length: 20 }, (_, i) => `sk-provider-${i}-0123456789abcdefghijklmnopqrstuvwxyz`)
const keyDigests = ['0'.repeat(64)]
const seed = 'Xb0ueOR9'

const { config } = load('providers: { north: { protocol: openai-chat, baseUrl: "http://north" } }', {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
})
const head = encodeHead({ 'service.name': 'sluice', 'service.version': '1.0.0' }, { name: 'sluice', version: '1.0.0' })
const out = new SpanExport({
  ...{
    maxQueued: 2 * BATCH,
    maxBatch: BATCH,
    delayMs: 3_600_000,
    count: () => undefined,
    onState: () => undefined,
    head,
  },
  load: () => Promise.reject(new Error('nothing is sent')),
})
let batch = new SpanBatch(head, 200_000)
// In place of the queue, which no one empties here.
out.put = ({ write }) => {
  if (batch.spans >= BATCH) {
    batch.finish()
    batch = new SpanBatch(head, 200_000)
  }
  write(batch)
}
const ground = { out, secrets: { secrets, keyDigests }, providers: config.providers, ownIdSeed: seed }
const tracer = createLoopTracer(config, ground)
if (tracer === null) throw new Error('traces are off')
const trace = tracer.begin(PARENT) as RequestTrace
const record: ExchangeRecord = exchangeRecord({
  ...{ trace, surface: 'openai-chat', finish: 'stop', usage: { ...NO_USAGE, inputTokens: 1000, outputTokens: 200 } },
  ...{
    requestId: `${seed}-1`,
    answerId: 'chatcmpl-9x',
    answerModel: 'north-large-2026-01-01',
    upstreamRequestId: 'req_011CSHoEeqs5C35K2UUqR7Fy',
  },
  origin: { method: 'POST', path: '/v1/chat/completions', address: '203.0.113.9', agent: 'OpenAI/JS 6.1.0' },
  tries: [
    {
      ...{ provider: 'north', model: 'north-large', result: 'ok' as const, error: null, ms: 1200 },
      traced: { startMs: 1, connectMs: null, status: 200, isHedgeLoser: false, spanId: null },
    },
  ],
})
const off: { readonly tracer: Tracer | null } = { tracer: null }
const found = { count: 0 }
let serial = 0
const answer = Buffer.from(
  `{"id":"chatcmpl-9x","object":"chat.completion","created":1700000000,"model":"north-large-2026-01-01","choices":[{"text":"${'a'.repeat(500)}"}]}`,
)

const rows = [
  measure('off: no tracer', () => {
    if (off.tracer !== null) found.count += 1
  }),
  measure('begin: a new trace', () => tracer.begin({})),
  measure('begin: the caller\u2019s', () => tracer.begin(PARENT)),
  measure('the names of an answer', () => new AnswerHead({ answerId: null, answerModel: null }).read(answer)),
  measure('settled: three spans, ids seen before', () => tracer.settled(record)),
  measure('settled: three spans, ids of its own', () => {
    serial += 1
    const ids = {
      requestId: `${seed}-${serial}`,
      answerId: `chatcmpl-${serial}`,
      upstreamRequestId: `req_011CSH${serial}`,
    }
    tracer.settled(Object.assign({}, record, ids))
  }),
]
batch = new SpanBatch(head, 4096)
tracer.settled(record)
const decode = await loadDecoder()
const three = decode(batch.finish()).map(readable)
rows.push(measure('three spans by OpenTelemetry\u2019s encoder', () => ProtobufTraceSerializer.serializeRequest(three)))
printTable('traces', rows)
process.exit(0)
