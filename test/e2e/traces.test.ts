// Traces of a running gateway, as a collector receives them: one tree a request, tokens counted once, and nothing that is secret.
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { request } from 'undici'
import { WebSocket } from 'ws'
import { Collector, type ReceivedSpan } from '../helpers/collector.js'
import { findProgram } from '../helpers/find-program.js'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { startOtelcol } from '../helpers/otelcol.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'

const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const TRACEPARENT = `00-${CALLER.traceId}-${CALLER.spanId}-01`
const PROMPT = 'The prompt that no span may hold'
const API_KEY = 'sk-sluice-test-of-traces-1234567890'
const PROVIDER_KEY = 'sk-provider-5f9a1c3b7d2e4068'
const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }

function event(delta: object, rest: object = {}): ReturnType<typeof chunk> {
  const choices = [{ index: 0, delta, finish_reason: null }]
  const data = { id: 'chatcmpl-9x', object: 'chat.completion.chunk', created: 1, model: 'm-2026-01', choices, ...rest }
  return chunk(`data: ${JSON.stringify(data)}\n\n`)
}

const STOP = event({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
const TAIL = [event({}, { choices: [], usage: USAGE }), chunk('data: [DONE]\n\n'), LAST_CHUNK]
const STREAM: Script = answer(streamHead(), event({ role: 'assistant', content: 'Well' }), STOP, ...TAIL)
const LATE: Script = answer(streamHead(), event({ role: 'assistant', content: '' }), { stall: true })
const REFUSED: Script = answer(whole(503, `{"error":{"message":"${PROMPT}"}}`, ['content-type: application/json']))

async function listen(t: Teardown, script: Script): Promise<ScriptedUpstream> {
  const upstream = await ScriptedUpstream.listen(script)
  t.teardown(() => upstream.close())
  return upstream
}

function provider(upstream: ScriptedUpstream): object {
  return { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: PROVIDER_KEY }
}

type Asked = { readonly model: string; readonly headers?: Readonly<Record<string, string>>; readonly stream?: boolean }

async function ask(gateway: Running, { model, headers = {}, stream = true }: Asked) {
  const answered = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${API_KEY}`, ...headers },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: PROMPT }] }),
  })
  const text = await answered.body.text()
  const line = await gateway.exchange(String(answered.headers['x-request-id']))
  const kept = String(answered.headers['x-sluice-stream'])
  return { status: answered.statusCode, text, line, traceId: String(line.traceId), kept }
}

const otelcol = findProgram(['otelcol'], process.env)
/** Where the gateway sends its spans, from where they come to the test's collector. */
const RECEIVERS = [
  { receiver: 'a collector', skip: false, through: async (_t: Test, destination: string) => destination },
  {
    receiver: 'the OpenTelemetry Collector',
    skip: otelcol === null ? 'no otelcol in PATH' : false,
    through: (t: Test, destination: string) => startOtelcol(t, otelcol ?? '', destination),
  },
]

function childrenOf(spans: readonly ReceivedSpan[], parent: ReceivedSpan | undefined): ReceivedSpan[] {
  return spans.filter(({ parentId }) => parentId === parent?.spanId)
}

for (const { receiver, skip, through } of RECEIVERS) {
  test(`a request that falls back and is hedged is one tree in the trace of its caller for ${receiver}, its tokens counted once`, {
    skip,
  }, async (t) => {
    const collector = await Collector.listen(t)
    const sentTo = { OTEL_EXPORTER_OTLP_ENDPOINT: await through(t, collector.origin) }
    const [ill, late, quick] = [await listen(t, REFUSED), await listen(t, LATE), await listen(t, STREAM)]
    const gateway = await startGateway(t, {
      env: {
        ...collector.env,
        ...sentTo,
        OTEL_SERVICE_NAME: 'gate',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
      config: {
        keys: [{ name: 'team-a', key: API_KEY }],
        routing: { retries: { max: 0 } },
        telemetry: { propagate: ['quick'] },
        providers: { ill: provider(ill), late: provider(late), quick: provider(quick) },
        models: {
          pair: { targets: ['ill/m'], fallbacks: ['hedged'] },
          hedged: {
            targets: [
              { provider: 'late', model: 'm', weight: 1 },
              { provider: 'quick', model: 'm', weight: 0 },
            ],
            hedge: { afterMs: 50 },
          },
        },
      },
    })
    const headers = { traceparent: TRACEPARENT, tracestate: 'vendor=opaque' }
    const { status, line } = await ask(gateway, { model: 'pair', headers })
    t.equal(status, 200)
    t.equal(line.traceId, CALLER.traceId)
    const spans = await collector.trace(CALLER.traceId)
    t.equal(spans.filter(({ name }) => name !== 'connect').length, 5)
    for (const { state, resource } of spans) {
      t.equal(state, 'vendor=opaque')
      t.match(resource, { 'service.name': 'gate', 'deployment.environment.name': 'test', 'service.version': String })
    }
    const [server, ...others] = spans.filter(({ parentId }) => parentId === CALLER.spanId)
    t.equal(others.length, 0)
    t.match(server, { kind: 'server', name: 'POST openai-chat', status: 'unset' })
    t.match(server?.attributes, {
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'url.path': '/v1/chat/completions',
      'url.scheme': 'http',
      'client.address': '127.0.0.1',
      'sluice.key': 'team-a',
      'sluice.model': 'pair',
      'sluice.outcome': 'complete',
      'sluice.request_id': line.id,
    })
    const [operation, ...more] = childrenOf(spans, server)
    t.equal(more.length, 0)
    t.match(operation, { kind: 'client', name: 'chat m', status: 'unset' })
    t.match(operation?.attributes, {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'quick',
      'gen_ai.request.model': 'm',
      'gen_ai.request.stream': true,
      'gen_ai.response.model': 'm-2026-01',
      'gen_ai.response.id': 'chatcmpl-9x',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': Number,
      'gen_ai.usage.input_tokens': 11,
      'gen_ai.usage.output_tokens': 7,
      'server.address': '127.0.0.1',
      'server.port': quick.port,
    })
    const withTokens = spans.filter(({ attributes }) => Object.keys(attributes).some((name) => name.includes('tokens')))
    t.same(withTokens, [operation], 'tokens are in one span')
    const tries = childrenOf(spans, operation).sort(
      (a, b) => Number(a.attributes['sluice.try']) - Number(b.attributes['sluice.try']),
    )
    t.match(
      tries.map(({ name, kind, status: code, attributes }) => ({ name, kind, code, attributes })),
      [
        {
          ...{ name: 'POST', kind: 'client', code: 'error' },
          attributes: { 'sluice.target': 'ill/m', 'sluice.result': 'rejected', 'http.response.status_code': 503 },
        },
        {
          ...{ code: 'unset' },
          attributes: { 'sluice.target': 'late/m', 'sluice.result': 'aborted', 'sluice.hedge_loser': true },
        },
        {
          ...{ code: 'unset' },
          attributes: { 'sluice.target': 'quick/m', 'sluice.result': 'ok', 'http.response.status_code': 200 },
        },
      ],
    )
    t.equal(tries[0]?.attributes['error.type'], 'upstream_overloaded')
    t.notOk('sluice.hedge_loser' in (tries[2]?.attributes ?? {}))
    for (const span of spans) {
      t.ok(span.endNs >= span.startNs, 'no span ends before it begins')
      t.ok(
        span.startNs >= (server?.startNs ?? 0n) && span.endNs <= (server?.endNs ?? 0n),
        'each lies within the request',
      )
    }
    const connects = spans.filter(({ name }) => name === 'connect')
    t.same(
      connects.map(({ parentId }) => parentId).sort(),
      tries.map(({ spanId }) => spanId).sort(),
      'each try has made a connection',
    )
    const seen = (upstream: ScriptedUpstream): string => upstream.requests[0]?.head ?? ''
    t.match(seen(quick), new RegExp(`traceparent: 00-${CALLER.traceId}-${tries[2]?.spanId}-01\r\n`, 'i'))
    t.match(seen(quick), /tracestate: vendor=opaque\r\n/i)
    for (const other of [ill, late]) t.notMatch(seen(other), /traceparent|tracestate/i, 'others learn nothing of it')
    for (const secret of [PROMPT, API_KEY, PROVIDER_KEY, 'Well']) {
      t.notOk(
        collector.bodies.some((body) => body.includes(secret)),
        'no prompt, no key, no answer',
      )
    }
  })
}

test('a malformed traceparent begins a new trace, a caller that does not sample is obeyed, and a refusal has its span', async (t) => {
  const collector = await Collector.listen(t)
  const gateway = await startGateway(t, {
    env: {
      ...collector.env,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-token=hidden%20token',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    },
    config: {
      providers: { quick: provider(await listen(t, STREAM)) },
      models: { fast: 'quick/m' },
      compat: { errorDetails: true },
    },
  })
  const malformed = await ask(gateway, { model: 'fast', headers: { traceparent: TRACEPARENT.toUpperCase() } })
  t.match(malformed.traceId, /^[0-9a-f]{32}$/)
  t.not(malformed.traceId, CALLER.traceId)
  const unsampled = await ask(gateway, { model: 'fast', headers: { traceparent: TRACEPARENT.replace(/01$/, '00') } })
  t.equal(unsampled.traceId, CALLER.traceId, 'its log line is found by the trace all the same')
  const unknown = await ask(gateway, { model: 'nothing/of-this' })
  t.equal(unknown.status, 404)
  t.equal(JSON.parse(unknown.text).details.trace_id, unknown.traceId)
  const refused = await collector.trace(unknown.traceId)
  t.match(refused, [{ kind: 'server', parentId: '', status: 'unset', attributes: { 'error.type': 'model_not_found' } }])
  t.equal((await collector.trace(malformed.traceId))[0]?.parentId, '')
  t.same(
    collector.spans.filter(({ traceId }) => traceId === CALLER.traceId),
    [],
  )
  t.match(collector.headers[0], { 'x-token': 'hidden token', 'content-encoding': 'gzip', path: '/v1/traces' })
  const page = await gateway.metricsWith([/sluice_trace_spans_total\{result="exported"\} [1-9]/])
  t.notMatch(page, /sluice_trace_spans_total\{result="dropped"\} [1-9]/)
})

test('spans that wait are sent at the end of the process, and a collector that fails costs no request', async (t) => {
  const collector = await Collector.listen(t)
  collector.status = 400
  const gateway = await startGateway(t, {
    env: { ...collector.env, OTEL_BSP_SCHEDULE_DELAY: '20' },
    config: { providers: { quick: provider(await listen(t, STREAM)) }, models: { fast: 'quick/m' } },
  })
  t.equal((await ask(gateway, { model: 'fast' })).status, 200)
  await gateway.logLine(({ msg }) => msg === 'trace export failed')
  await gateway.metricsWith([/sluice_trace_spans_total\{result="dropped"\} 4/])
  collector.status = 200
  await ask(gateway, { model: 'fast' })
  await gateway.logLine(({ msg }) => msg === 'trace export resumed')

  const patient = await startGateway(t, {
    env: { ...collector.env, OTEL_BSP_SCHEDULE_DELAY: '3600000' },
    config: { providers: { quick: provider(await listen(t, STREAM)) }, models: { fast: 'quick/m' } },
  })
  const { traceId } = await ask(patient, { model: 'fast' })
  t.equal(await patient.stop(), 0)
  const waited = (await collector.trace(traceId)).map(({ name }) => name)
  t.same(waited, ['POST openai-chat', 'chat m', 'POST', 'connect'])
})

test('who comes back to a stream has a span of its own, linked to the request that ran, without tokens', async (t) => {
  const collector = await Collector.listen(t)
  const gateway = await startGateway(t, {
    env: collector.env,
    config: {
      keys: [{ name: 'team-a', key: API_KEY }],
      providers: { quick: provider(await listen(t, STREAM)) },
      models: { fast: { targets: ['quick/m'], coalesce: true } },
    },
  })
  const kept = { 'x-sluice-resume': '1', 'idempotency-key': 'once' }
  const first = await ask(gateway, { model: 'fast', headers: kept })
  const [ran] = await collector.trace(first.traceId)
  const link = `${first.traceId}-${ran?.spanId}`
  t.same(ran?.links, [])

  const headers = { authorization: `Bearer ${API_KEY}`, traceparent: TRACEPARENT }
  const resumed = await request(`${gateway.origin}/v1/streams/${first.kept}`, { headers })
  t.match(await resumed.body.text(), /\[DONE\]/)
  const [span, ...more] = await collector.trace(CALLER.traceId)
  t.same([more.length, span?.links], [0, [link]])
  t.match(span, { kind: 'server', name: 'resume openai-chat', parentId: CALLER.spanId, status: 'unset' })
  t.match(span?.attributes, { 'sluice.stream': String, 'sluice.result': 'delivered', 'http.request.method': 'GET' })
  t.notOk(Object.keys(span?.attributes ?? {}).some((name) => name.startsWith('gen_ai')))
  t.notOk(String(span?.attributes['url.path']).includes(first.kept), 'the id of a stream is shown in part')

  const retry = await ask(gateway, { model: 'fast', headers: kept })
  const repeated = await collector.trace(retry.traceId)
  t.match(repeated, [{ kind: 'server', links: [link], attributes: { 'sluice.shared': 'retry' } }])
  t.equal(repeated.length, 1, 'it asked no model')
})

test('the chats of a WebSocket are in the trace of its upgrade, and one that is taken up again is linked to its first part', async (t) => {
  const collector = await Collector.listen(t)
  const gateway = await startGateway(t, {
    env: collector.env,
    config: {
      keys: [{ name: 'team-a', key: API_KEY }],
      providers: { quick: provider(await listen(t, STREAM)) },
      models: { fast: 'quick/m' },
    },
  })
  const headers = { authorization: `Bearer ${API_KEY}`, traceparent: TRACEPARENT }
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, 'sluice.v1', { headers })
  await once(socket, 'open')
  const said: { type: string; stream?: string }[] = []
  const doneAgain = (count: number) =>
    new Promise<void>((resolve) => {
      socket.on('message', (message) => {
        said.push(JSON.parse(String(message)))
        if (said.filter(({ type }) => type === 'done').length === count) resolve()
      })
    })
  const first = doneAgain(1)
  const messages = [{ role: 'user', content: PROMPT }]
  socket.send(JSON.stringify({ type: 'chat', id: 'a', resume: true, request: { model: 'fast', messages } }))
  await first
  socket.removeAllListeners('message')
  const stream = said.find(({ type }) => type === 'opened')?.stream
  const again = doneAgain(2)
  socket.send(JSON.stringify({ type: 'resume', id: 'a', stream, after: 0 }))
  await again
  socket.close()
  await collector.until(() => collector.spans.some(({ name }) => name === 'resume openai-chat'))
  const ran = collector.spans.find(({ name }) => name === 'WS openai-chat')
  const resumed = collector.spans.find(({ name }) => name === 'resume openai-chat')
  t.match(ran, {
    traceId: CALLER.traceId,
    parentId: CALLER.spanId,
    kind: 'server',
    attributes: { 'url.path': '/v1/ws' },
  })
  t.match(resumed, { traceId: CALLER.traceId, parentId: CALLER.spanId, links: [`${ran?.traceId}-${ran?.spanId}`] })
})
