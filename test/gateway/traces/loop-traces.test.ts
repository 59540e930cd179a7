// The tracer and the way out of one event loop, as a configuration has them.
import { test } from 'tap'
import { createLoopTracer, createSpanExport } from '../../../src/gateway/traces/loop-traces.js'
import { load } from '../../config/sources.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'

const NO_SECRETS = { secrets: [], keyDigests: [] }
const PARENT = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const FILE =
  'providers: { north: { protocol: openai-chat, baseUrl: "http://north" } }\ntelemetry: { propagate: [north] }'
const VOICE = { count: () => undefined, log: () => ({ info: () => undefined, warn: () => undefined }) }

test('without an endpoint and without a provider to tell there is neither', (t) => {
  const { config } = load('')
  t.equal(createSpanExport(config.telemetry, VOICE), null)
  t.equal(createLoopTracer(config, { out: null, secrets: NO_SECRETS, ownIdSeed: 'seed', providers: [] }), null)
  t.end()
})

test('a provider that is told of traces gets them without an exporter, too', (t) => {
  const { config } = load(FILE)
  const tracer = createLoopTracer(config, {
    out: null,
    secrets: NO_SECRETS,
    ownIdSeed: 'seed',
    providers: config.providers,
  })
  const trace = tracer?.begin(PARENT) ?? null
  t.same(trace && tracer?.passTo('north', trace)?.headers, PARENT)
  t.equal(tracer?.begin({}), null)
  t.end()
})

test('spans of a settled request leave for the collector; one that cannot be reached is a warning, and they are counted', async (t) => {
  const { config } = load('', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '200' })
  const lines: string[] = []
  const out = createSpanExport(config.telemetry, {
    count: (result, spans) => lines.push(`${result} ${spans}`),
    log: () => ({ info: (_, message) => lines.push(message), warn: (_, message) => lines.push(message) }),
  })
  const tracer = createLoopTracer(config, { out, secrets: NO_SECRETS, ownIdSeed: 'seed', providers: [] })
  const trace = tracer?.begin(PARENT) ?? null
  t.match(trace, { parentId: '00f067aa0ba902b7', isSampled: true })
  tracer?.settled(exchangeRecord({ trace }))
  await out?.close(60_000)
  t.same(lines, ['dropped 1', 'trace export failed'])
})
