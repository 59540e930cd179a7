// How one try is decided and counted, once, and which tries a target is judged by.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { isJudged } from '../../../src/pipeline/attempt/attempt-end.js'
import { type PathFacts } from '../../../src/pipeline/client.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { type RawFacts } from '../../../src/protocols/contract/protocol.js'
import { type RouteTarget } from '../../../src/routing/router.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI, STREAMS, surfaceOf } from '../../helpers/pipeline-wires.js'

const FACTS = { model: 'one', stream: true, includeUsage: false, maxOutputTokens: null, provider: null, prompt: null }
const RAW: RawFacts = { path: '/x', model: null, asksStream: false }
const API_KEY = 'canary.provider.key-0001'
const { parts } = new PipelineRig()

function judged(path: PathFacts | null, raw: RawFacts | null = null, over: Partial<RouteTarget> = {}): boolean {
  const request = { requestId: 'r', surface: surfaceOf(OPENAI), key: KEY, parameterHeaders: {}, acceptedAtMs: 0, path }
  const exchange = new Exchange({ ...request, body: new Uint8Array(2) }, new FakeSink(), parts, () => undefined)
  const facts = raw === null ? FACTS : { ...FACTS, raw }
  exchange.decoded = { facts, members: [], estimatedTokens: 1, json: {}, head: null }
  const [target] = parts.router.route({ model: 'one', provider: null, allowed: ['*'] }).targets
  if (target === undefined) throw new Error('no target')
  return isJudged(exchange, { ...target, ...over })
}

test('requests with the caller’s own key or format count for no breaker, and an unconfigured provider has none', async (t) => {
  const path = { streams: false, provider: 'p', callerKey: null }
  t.equal(judged(null), true)
  t.equal(judged(path), true)
  t.equal(judged({ ...path, callerKey: 'own' }), false)
  t.equal(judged(null, RAW), false)
  t.equal(judged(null, null, { providerIndex: -1 }), false)
})

test('each way an upstream can end is counted as what it was, once', async (t) => {
  const ways: readonly (readonly [result: string, act: (rig: PipelineRig) => unknown])[] = [
    ['ok', ({ call }) => call.stream()],
    ['unreachable', ({ call }) => call.cut()],
    ['cut', ({ call }) => call.head().send(STREAMS[OPENAI].content[0]).cut()],
    ['cut', ({ call }) => call.head().end()],
    ['timeout', ({ call }) => call.timeOut()],
    ['rejected', ({ call }) => call.head(400).end()],
    ['malformed', ({ call }) => call.head(200, { 'content-type': 'Text/HTML; charset=utf-8' })],
    ['malformed', ({ call }) => call.head(200, { 'content-type': 'application/json' }).send('[1]').end()],
    ['aborted', (rig) => rig.pipeline.endAll()],
  ]
  for (const [result, act] of ways) {
    const rig = new PipelineRig()
    const sink = await rig.ask()
    act(rig)
    await turn()
    t.same(rig.metrics.attempts, [result])
    t.same(breaches(rig, [sink]), [], result)
  }
})

test('no way in which a try fails brings the provider’s key into the record of tries', async (t) => {
  const said = { error: { message: `Bad key ${API_KEY}`, type: API_KEY, code: API_KEY, param: API_KEY } }
  const frame = `data: ${JSON.stringify(said)}\n\n`
  const ways: Readonly<Record<string, (rig: PipelineRig) => unknown>> = {
    refused: ({ call }) => call.head(500).send(JSON.stringify(said)).end(),
    plain: ({ call }) => call.head(503).send(`no ${API_KEY}`).end(),
    thrown: ({ call }) => call.fail(new GatewayError('upstream_cut', { message: `at ${API_KEY}` })),
    'in band': ({ call }) => call.head().send(frame),
    whole: ({ call }) => call.whole(JSON.stringify(said)),
  }
  for (const surface of [OPENAI, ANTHROPIC]) {
    for (const stream of [true, false]) {
      for (const [way, act] of Object.entries(ways)) {
        const rig = new PipelineRig({ apiKey: API_KEY })
        const sink = await rig.ask({ surface, model: 'pair', stream })
        act(rig)
        await turn()
        rig.call.cut()
        await turn()
        const told = JSON.stringify([rig.record, sink.json, sink.answers])
        const about = `${way}, ${surface}, ${stream ? 'streamed' : 'whole'}`
        t.notMatch(told, API_KEY, about)
        t.match(told, '***', `${about}: the words were kept`)
      }
    }
  }
})

test('a client that leaves within an append aborts the try; the end in the same chunk counts for nothing', async (t) => {
  const rig = new PipelineRig()
  const sink = new FakeSink()
  sink.isGoneAtFollow = true
  await rig.ask({ sink })
  const { head, content, finish, marker } = STREAMS[OPENAI]
  rig.call.head().send(head + content[0] + finish + marker)
  await turn()
  t.same(rig.metrics.attempts, ['aborted'])
  t.equal(rig.record.outcome, 'client_gone')
  t.equal(rig.record.usageSource, 'partial', 'what had come is counted')
  t.equal(rig.call.aborts, 1)
  t.same(breaches(rig, [sink]), [])
})

test('a request that is being refused costs nothing, even if the client does not wait for it', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  rig.call.head(429)
  sink.leave()
  await turn()
  t.equal(rig.record.usage.inputTokens, 0)
  t.same(breaches(rig, [sink]), [])
})

const OWN = { streams: false, provider: 'north', callerKey: 'north-own-4711' }

test('a caller’s own key never opens a breaker', async (t) => {
  const rig = new PipelineRig({ breaker: { consecutiveFailures: 1 } })
  const sinks = [await rig.ask({ path: OWN, model: 'up' })]
  rig.call.cut()
  await turn()
  sinks.push(await rig.ask())
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('a caller’s own key that an upstream repeats reaches neither client nor log', async (t) => {
  const words = JSON.stringify({ error: { message: `no such key ${OWN.callerKey}`, type: 'odd' } })
  const ways: readonly ((rig: PipelineRig) => unknown)[] = [
    ({ call }) => call.head(400, { 'x-request-id': OWN.callerKey }).send(words).end(),
    ({ call }) => call.head(503, { 'x-request-id': OWN.callerKey }).send(words).end(),
    ({ call }) => call.fail(new GatewayError('upstream_cut', { cause: new Error(words) })),
    ({ call }) => call.whole(words),
  ]
  for (const [i, act] of ways.entries()) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ path: OWN, surface: ANTHROPIC, stream: false })
    act(rig)
    await turn()
    const { cause, ...record } = rig.record
    const shown = [
      JSON.stringify(record),
      String(cause),
      ...sink.answers.map(({ body }) => Buffer.from(body).toString()),
    ]
    t.notMatch(shown.join(), OWN.callerKey, `way ${i}`)
    t.ok(rig.record.error !== null)
  }
})
