// The spans of a record: which there are, when they begin and end, what each shows, and what none shows.
import { test } from 'tap'
import { errorData } from '../../../src/errors.js'
import { NO_PARTS, NO_USAGE } from '../../../src/model/usage.js'
import { type ExchangeRecord, type RequestTrace, type TracedTry, type Try } from '../../../src/telemetry/records.js'
import { createKnownAttributes } from '../../../src/telemetry/traces/encoding/known-attributes.js'
import { encodeHead, SpanBatch } from '../../../src/telemetry/traces/encoding/span-batch.js'
import {
  addressOf,
  countSpans,
  type SpanGround,
  writeReading,
  writeSpans,
} from '../../../src/telemetry/traces/spans.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'
import { loadDecoder } from '../../helpers/otlp.js'

const END_MS = 1_700_000_010_000
const END_NS = 1_700_000_010_000_000_000n
const NS_PER_MS = 1_000_000n
const REQUEST = '00f067aa0ba902b7'
const CALLER = 'aaaaaaaaaaaaaaaa'
const TRACE: RequestTrace = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: REQUEST,
  parentId: CALLER,
  isSampled: true,
  state: '',
}
const ORIGIN = { method: 'POST', path: '/v1/x', address: '10.0.0.1', agent: 'probe/1' }
const HEAD = encodeHead({ 'service.name': 'gate' }, { name: 'sluice', version: '1' })
const decode = await loadDecoder()

function clean(text: string): string {
  return text.replaceAll('secret', '[redacted]')
}

const GROUND: SpanGround = {
  ...{ scheme: 'https', clean, cleanId: clean, cleanAnswer: clean, known: createKnownAttributes(clean) },
  providers: new Map([['north', { name: 'x_ai', address: addressOf('api.north.example', 443) }]]),
}

function spans(changes: Partial<ExchangeRecord>, trace = TRACE) {
  const batch = new SpanBatch(HEAD, 0)
  const record = exchangeRecord({ trace, ...changes })
  writeSpans(batch, { record, trace, endMs: END_MS }, GROUND)
  const written = decode(batch.finish())
  if (written.length !== countSpans(record)) throw new Error(`${written.length} spans`)
  return written
}

/** The span that an upstream was told of. */
const TOLD = 'bbbbbbbbbbbbbbbb'
const TRACED: TracedTry = { startMs: 100, connectMs: null, status: 200, isHedgeLoser: false, spanId: null }
const OK: Try = { provider: 'north', model: 'north-large', result: 'ok', error: null, ms: 1300, traced: TRACED }

test('a request, its operation and its tries are one tree, with the times of the record', (t) => {
  const cut: Try = {
    ...{ provider: 'south', model: 'm', result: 'cut', error: errorData('upstream_cut'), ms: 50 },
    traced: { ...TRACED, startMs: 20, spanId: TOLD },
  }
  const made = spans({ origin: ORIGIN, tries: [cut, OK], totalMs: 1500 })
  t.match(made, [
    { spanId: REQUEST, parentId: CALLER, name: 'POST chat', kind: 'server', status: 'unset' },
    { spanId: '00f067aa0ba902b8', parentId: REQUEST, name: 'chat north-large', kind: 'client' },
    { spanId: TOLD, parentId: '00f067aa0ba902b8', name: 'POST', kind: 'client', status: 'error' },
    { spanId: '00f067aa0ba902bc', parentId: '00f067aa0ba902b8', name: 'POST', kind: 'client', status: 'unset' },
  ])
  const ms = (ns = 0n) => Number((ns - END_NS) / NS_PER_MS)
  t.same(
    made.map(({ startNs, endNs }) => [ms(startNs), ms(endNs)]),
    [
      [-1500, 0],
      [-1480, -100],
      [-1480, -1430],
      [-1400, -100],
    ],
    'the operation ends with its last try',
  )
  t.match(made[2]?.attributes, { 'sluice.try': 1, 'error.type': 'upstream_cut' })
  t.match(made[3]?.attributes, { 'sluice.try': 2, 'http.request.resend_count': 1, 'server.port': 443 })
  t.end()
})

test('the wait for a slot and the making of a connection are spans, where there were such', (t) => {
  const connected: Try = { ...OK, traced: { ...TRACED, connectMs: 40 } }
  const told: Try = { ...OK, traced: { ...TRACED, spanId: TOLD, connectMs: 0.5 } }
  const made = spans({ tries: [connected, told], queuedMs: 90, totalMs: 1500 })
  t.match(made, [
    { spanId: REQUEST, name: 'run chat' },
    { spanId: '00f067aa0ba902b9', parentId: REQUEST, name: 'queue', kind: 'internal', attributes: {} },
    { spanId: '00f067aa0ba902b8', parentId: REQUEST, name: 'chat north-large' },
    { spanId: '00f067aa0ba902ba', parentId: '00f067aa0ba902b8', name: 'POST' },
    { spanId: '00f067aa0ba902bb', parentId: '00f067aa0ba902ba', name: 'connect', kind: 'internal' },
    { spanId: TOLD, parentId: '00f067aa0ba902b8', name: 'POST' },
    { spanId: '00f067aa0ba902bd', parentId: TOLD, name: 'connect' },
  ])
  t.equal(made.length, 7)
  const ms = (span: (typeof made)[number] | undefined) =>
    [span?.startNs, span?.endNs].map((ns = 0n) => Number((ns - END_NS) / NS_PER_MS))
  t.same(ms(made[1]), [-1500, -1410])
  t.same(ms(made[4]), [-1400, -1360])
  t.equal(spans({ queuedMs: 5, provider: null }).length, 2, 'one that left the queue')
  t.end()
})

test('what was answered without a provider is one span, and so is what was refused', (t) => {
  const shared = spans({
    origin: ORIGIN,
    attempts: 0,
    provider: null,
    shared: { how: 'hit', requestId: 'r' },
    usage: NO_USAGE,
  })
  t.equal(shared.length, 1)
  t.equal(shared[0]?.attributes['sluice.shared'], 'hit')
  const refused = spans({ origin: ORIGIN, status: 401, outcome: 'rejected', error: errorData('unauthenticated') })
  t.equal(refused.length, 1)
  t.match(refused[0], { status: 'unset', attributes: { 'error.type': 'unauthenticated' } })
  t.end()
})

test('the span of the request fails for what is the server\u2019s fault, the operation for what is not the client\u2019s', (t) => {
  const codes = (changes: Partial<ExchangeRecord>) => spans({ tries: [OK], ...changes }).map(({ status }) => status)
  t.same(codes({}), ['unset', 'unset', 'unset'])
  t.same(codes({ status: 502, outcome: 'rejected', error: errorData('upstream_unreachable') }), [
    'error',
    'error',
    'unset',
  ])
  t.same(codes({ status: 200, outcome: 'stalled', error: errorData('upstream_timeout') }), ['error', 'error', 'unset'])
  t.same(codes({ status: 400, outcome: 'rejected', error: errorData('upstream_rejected') }), [
    'unset',
    'error',
    'unset',
  ])
  t.same(codes({ status: 499, outcome: 'client_gone', error: null }), ['unset', 'unset', 'unset'])
  t.same(codes({ outcome: 'slow_reader', error: errorData('slow_reader') }), ['unset', 'unset', 'unset'])
  t.end()
})

test('usage, cost and names are attributes of the operation, zeros and unknowns are left out', (t) => {
  const usage = {
    inputTokens: 10,
    outputTokens: 20,
    cachedInputTokens: 3,
    cacheWriteTokens: 4,
    reasoningTokens: 5,
    parts: NO_PARTS,
  }
  const named = { answerId: 'i', answerModel: 'north-large-2', upstreamRequestId: 'up', finish: 'tool-calls' as const }
  const [, full] = spans({ tries: [OK], usage, costNano: 1_500_000_000, ...named })
  t.match(full?.attributes, {
    ...{ 'gen_ai.provider.name': 'x_ai', 'server.address': 'api.north.example' },
    ...{ 'gen_ai.usage.cache_read.input_tokens': 3, 'gen_ai.usage.cache_creation.input_tokens': 4 },
    ...{ 'gen_ai.usage.reasoning.output_tokens': 5, 'sluice.cost': 1.5, 'sluice.upstream_id': 'up' },
    ...{ 'gen_ai.response.id': 'i', 'gen_ai.response.model': 'north-large-2' },
    ...{ 'gen_ai.response.finish_reasons': ['tool_call'], 'gen_ai.response.time_to_first_chunk': 0.02 },
  })
  const [, bare] = spans({ tries: [OK], transport: 'json', provider: 'nowhere' })
  const names = Object.keys(bare?.attributes ?? {}).filter((name) => /^gen_ai|^server/.test(name))
  t.same(names, [
    ...['gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai.request.model'],
    ...['gen_ai.usage.input_tokens', 'gen_ai.usage.output_tokens'],
  ])
  t.equal(bare?.attributes['gen_ai.provider.name'], 'nowhere')
  t.end()
})

test('an operation has the name of the conventions, and a request without a client one of its own', (t) => {
  const nameOf = (endpoint: ExchangeRecord['endpoint']) => spans({ tries: [OK], endpoint, targetModel: '' })[1]?.name
  t.same(([null, 'embeddings', 'completions', 'input_tokens', 'images/edits'] as const).map(nameOf), [
    'chat',
    'embeddings',
    'text_completion',
    'count_tokens',
    'images_edits',
  ])
  t.match(spans({ origin: null })[0], { name: 'run chat', kind: 'internal' })
  t.equal(spans({ origin: { ...ORIGIN, socket: { connection: 'c', chat: 'a' } } })[0]?.name, 'WS chat')
  t.end()
})

test('what clients and providers name is searched for secrets, and no text of an error is there', (t) => {
  const error = errorData('upstream_rejected', { message: 'the prompt was: words' })
  const made = spans({
    ...{ origin: { ...ORIGIN, path: '/secret', agent: 'secret/1' }, requestId: 'secret', model: 'secret', error },
    ...{ targetModel: 'secret', answerId: 'secret', answerModel: 'secret', upstreamRequestId: 'secret' },
    tries: [{ ...OK, model: 'secret', error }],
  })
  t.equal(made.length, 3)
  const shown = JSON.stringify(made, (_, value) => (typeof value === 'bigint' ? '' : value))
  t.notMatch(shown, /secret|the prompt was/)
  t.match(shown, /\[redacted\]/)
  t.end()
})

test('the tracestate of the caller is in each span, and only its parent is another service\u2019s', (t) => {
  const made = spans({ tries: [OK] }, { ...TRACE, state: 'v=1' })
  t.same(
    made.map(({ state, flags }) => [state, flags]),
    [
      ['v=1', 0x301],
      ['v=1', 0x101],
      ['v=1', 0x101],
    ],
  )
  t.match(spans({}, { ...TRACE, parentId: null })[0], { parentId: '', flags: 0x101, state: '' })
  t.end()
})

test('an answer of another request is linked to it, as far as that one was traced', (t) => {
  const producer = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const alone = { attempts: 0, provider: null, usage: NO_USAGE }
  const [span] = spans({ ...alone, shared: { how: 'follower', requestId: 'r', trace: producer } })
  t.same(span?.links, [`${producer.slice(3, 35)}-00f067aa0ba902b7`])
  t.same(spans({ ...alone, shared: { how: 'hit', requestId: 'r' } })[0]?.links, [])
  const reading = {
    ...{ trace: TRACE, producer, requestId: 'again', surface: 'chat', origin: ORIGIN, stream: 'st_ab' },
    ...{ result: 'delivered' as const, totalMs: 500 },
  }
  const read = (changes: { producer?: null } = {}) => {
    const batch = new SpanBatch(HEAD, 0)
    writeReading(batch, { ...reading, ...changes }, GROUND, END_MS)
    return decode(batch.finish())
  }
  t.match(read(), [{ name: 'resume chat', kind: 'server', startNs: END_NS - 500n * NS_PER_MS, links: span?.links }])
  t.match(read()[0]?.attributes, { 'sluice.result': 'delivered', 'sluice.stream': 'st_ab', 'url.path': '/v1/x' })
  t.same(read({ producer: null })[0]?.links, [])
  t.end()
})
