// Every way an upstream can fail, before and after its first content: what is tried then, and what the client gets.
import { mock } from 'node:test'
import { type Test, test } from 'tap'
import { type Cure } from '../../src/routing/retry.js'
import { type FakeCall } from '../helpers/fake-call.js'
import { type FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { type RigOptions } from '../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../helpers/pipeline-wires.js'

const RETRIES = { retries: { max: 1 } }
/** With chance at 0 a pause is no longer than what the upstream asks for. */
const NO_PAUSE_MS = 0

function setUp(t: Test, options: RigOptions = RETRIES): PipelineRig {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  return new PipelineRig(options)
}

async function pass(rig: PipelineRig, ms: number): Promise<void> {
  rig.nowMs += ms
  mock.timers.tick(ms)
  await turn()
}

type Way = {
  readonly name: string
  readonly fail: (call: FakeCall) => unknown
  readonly cure: Cure
  /** What the client is told when nothing has cured it. */
  readonly status: number
}

const { head, content, failure } = STREAMS[OPENAI]
const status = (code: number, cure: Cure, told = code): Way => ({
  name: `status ${code}`,
  fail: (call) => call.head(code).send('{"error":{"message":"no"}}').end(),
  cure,
  status: told,
})
const BEFORE: readonly Way[] = [
  { name: 'unreachable', fail: (call) => call.cut(), cure: 'again', status: 502 },
  { name: 'cut after the head', fail: (call) => call.head().cut(), cure: 'again', status: 502 },
  { name: 'ended after the head', fail: (call) => call.head().end(), cure: 'again', status: 502 },
  {
    name: 'cut after frames without content',
    fail: (call) => call.head().send(head).cut(),
    cure: 'again',
    status: 502,
  },
  {
    name: 'an error frame before content',
    fail: (call) => call.head().send(head, failure),
    cure: 'again',
    status: 500,
  },
  { name: 'a web page', fail: (call) => call.head(200, { 'content-type': 'text/html' }), cure: 'again', status: 502 },
  { name: 'no first token in time', fail: (call) => call.head().send(head).timeOut(), cure: 'elsewhere', status: 504 },
  ...[400, 409, 413, 422].map((code) => status(code, 'none')),
  ...[402, 404].map((code) => status(code, 'elsewhere')),
  ...[401, 403].map((code) => status(code, 'elsewhere', 502)),
  ...[500, 502, 503].map((code) => status(code, 'again')),
  status(302, 'elsewhere', 502),
  status(429, 'again'),
  status(529, 'again', 503),
]

for (const way of BEFORE) {
  test(`before the first content, ${way.name}: ${way.cure}`, async (t) => {
    const alone = setUp(t)
    const sink = await alone.ask()
    way.fail(alone.call)
    await turn()
    await pass(alone, NO_PAUSE_MS)
    const isAgain = way.cure === 'again'
    t.equal(alone.calls.length, isAgain ? 2 : 1, 'the one target')
    if (isAgain) way.fail(alone.call)
    await turn()
    t.equal(sink.answers[0]?.status, way.status)
    t.same(alone.metrics.retries, isAgain ? ['north again'] : [])
    t.equal(alone.record.attempts, alone.calls.length)
    t.same(breaches(alone, [sink]), [])

    const pair = new PipelineRig(RETRIES)
    const other = await pair.ask({ model: 'twins' })
    way.fail(pair.call)
    await turn()
    t.equal(pair.calls.length, way.cure === 'none' ? 1 : 2, 'another target is tried at once')
    if (way.cure === 'none') return
    pair.call.stream()
    await turn()
    t.equal(Object.fromEntries(other.heads[0]?.headers ?? [])['x-sluice-attempts'], '2')
    t.match(pair.record, { outcome: 'complete', provider: 'south', attempts: 2 })
    t.same(pair.metrics.retries, ['south elsewhere'])
    t.same(breaches(pair, [other]), [])
  })
}

test('a whole answer that ends with its connection before its end is tried again', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask({ model: 'twins', stream: false })
  rig.call.whole('{"choices":[{"message":{"content":"Hel"}')
  await turn()
  t.equal(sink.answers.length, 0)
  rig.call.whole()
  await pass(rig, 1000)
  t.same(rig.metrics.attempts, ['cut', 'ok'])
  t.match(rig.record, { outcome: 'complete', usageSource: 'provider' })
  t.same(breaches(rig, [sink]), [])
})

const AFTER: readonly Pick<Way, 'name' | 'fail'>[] = [
  { name: 'cut', fail: (call) => call.cut() },
  { name: 'ended', fail: (call) => call.end() },
  { name: 'an error frame', fail: (call) => call.send(failure) },
  { name: 'a pause that is too long', fail: (call) => call.timeOut() },
]

test('after the first content nothing is tried again: an error in-band, never the end marker', async (t) => {
  for (const { name, fail } of AFTER) {
    const rig = new PipelineRig(RETRIES)
    const sink = await rig.ask({ model: 'twins' })
    rig.call.head().send(head, content[0])
    fail(rig.call)
    await turn()
    t.equal(rig.calls.length, 1, name)
    t.match(sink.text, /"error"/, name)
    t.same(rig.metrics.retries, [])
    t.same(breaches(rig, [sink]), [], name)
  }
})

test('what a stream opens with is held back on every wire: nothing of it keeps a later try from being the answer', async (t) => {
  const ping = 'event: ping\ndata: {"type":"ping"}\n\n'
  for (const surface of [ANTHROPIC, OPENAI] as const) {
    const rig = setUp(t)
    const sink = await rig.ask({ surface, model: 'other' })
    rig.call.head().send(ping, STREAMS[ANTHROPIC].head, ping, ': comment\n\n').cut()
    await turn()
    t.equal(sink.heads.length, 0)
    await pass(rig, NO_PAUSE_MS)
    rig.call.stream()
    await turn()
    t.equal(rig.record.outcome, 'complete')
    t.equal(sink.text.split(surface === ANTHROPIC ? 'message_start"' : '"role"').length, 2, 'one opening')
    t.same(breaches(rig, [sink]), [])
    mock.timers.reset()
  }
})

test('the targets of a model come first, then those again after a pause, then its fallbacks', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask({ model: 'pair' })
  rig.call.cut()
  await turn()
  await pass(rig, NO_PAUSE_MS)
  t.equal(rig.call.request.provider.name, 'north')
  rig.call.cut()
  await turn()
  t.equal(rig.call.request.provider.name, 'south', 'with no pause')
  rig.call.stream()
  await turn()
  t.same(rig.metrics.retries, ['north again', 'south elsewhere'])
  t.equal(rig.record.attempts, 3)
  t.same(breaches(rig, [sink]), [])
})

test('a request that is too long goes to the models with more context, and to no other', async (t) => {
  const tooLong = '{"error":{"message":"too long","code":"context_length_exceeded"}}'
  const rig = new PipelineRig(RETRIES)
  const sink = await rig.ask({ model: 'small' })
  rig.call.head(400).send(tooLong).end()
  await turn()
  t.equal(rig.call.request.provider.name, 'south')
  rig.call.stream()
  await turn()
  t.match(rig.record, { outcome: 'complete', attempts: 2 })
  t.same(breaches(rig, [sink]), [])
  const without = new PipelineRig(RETRIES)
  const other = await without.ask({ model: 'pair' })
  without.call.head(400).send(tooLong).end()
  await turn()
  t.equal(without.calls.length, 1)
  t.match(other.json, { error: { code: 'context_length_exceeded' } })
  t.equal(other.answers[0]?.status, 400)
  t.same(breaches(without, [other]), [])
})

test('what the upstream asks for is waited for to the millisecond, and the request goes out then', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask()
  rig.call.head(429, { 'retry-after': '3' }).end()
  await turn()
  await pass(rig, 3000)
  t.equal(rig.calls.length, 1)
  await pass(rig, 1)
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.ok((rig.record.overheadMs ?? 9999) < 100, 'the pause is not our own overhead')
  t.same(breaches(rig, [sink]), [])
})

test('a wait that is too long is left to the client, with Retry-After', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask()
  rig.call.head(429, { 'retry-after': '11' }).end()
  await turn()
  t.equal(sink.answers[0]?.status, 429)
  t.equal(Object.fromEntries(sink.answers[0]?.headers ?? [])['retry-after'], '11')
  t.same(breaches(rig, [sink]), [])
})

test('a client that leaves during a pause ends it; no upstream is called afterwards', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask()
  rig.call.head(429, { 'retry-after': '3' }).end()
  await turn()
  sink.leave()
  await turn()
  t.equal(rig.record.outcome, 'client_gone')
  await pass(rig, 5000)
  t.equal(rig.calls.length, 1)
  t.same(breaches(rig, [sink]), [])
})

test('a drain within a pause answers at once', async (t) => {
  const rig = setUp(t)
  const sink = await rig.ask()
  rig.call.head(429, { 'retry-after': '3' }).end()
  await turn()
  rig.pipeline.endAll()
  await pass(rig, 5000)
  t.equal(sink.answers[0]?.status, 503)
  t.equal(rig.record.outcome, 'drained')
  t.equal(rig.calls.length, 1)
  t.same(breaches(rig, [sink]), [])
})

test('in an outage repeats keep to their budget, and are counted where it denies them', async (t) => {
  const rig = setUp(t, { retries: { max: 3, budget: 0.2 }, concurrency: 1000, providerSlots: 1000 })
  const sinks: FakeSink[] = []
  const requests = 100
  for (let i = 0; i < requests; i++) {
    sinks.push(await rig.ask())
    for (let round = 0; round < 4; round++) {
      if (!rig.call.isOver) rig.call.cut()
      await turn()
      await pass(rig, NO_PAUSE_MS)
    }
  }
  const extra = rig.calls.length - requests
  t.ok(extra <= requests * 0.2 + 10, `${extra} repeats`)
  t.ok(extra >= requests * 0.2, `${extra} repeats`)
  t.ok(rig.metrics.retries.filter((kind) => kind === 'north denied').length > 50)
  t.same(breaches(rig, sinks), [])
})

test('a body that was lost with its worker is not sent again as an empty one', async (t) => {
  const rig = setUp(t)
  rig.holds.add('encode')
  const sink = await rig.ask({ model: 'twins' })
  const exchange = sink.handle as unknown as { body: Uint8Array }
  exchange.body = new Uint8Array(0)
  await rig.refuse()
  t.equal(sink.answers[0]?.status, 503)
  t.equal(rig.held.length, 0)
  t.same(breaches(rig, [sink]), [])
})

test('a request for what an account holds is sent once: it may have had its effect', async (t) => {
  const rig = setUp(t)
  for (const provider of rig.parts.config.providers) Object.assign(provider, { resources: ['files'] })
  for (const method of ['GET', 'POST', 'DELETE'] as const) {
    const resource = { method, rest: '/x', isFile: false }
    const path = { streams: false, provider: 'north', callerKey: 'own-key', resource }
    const sink = await rig.ask({ surface: 'openai-files', path })
    const sent = rig.calls.length
    t.match(rig.call.request, { method, path: '/files/x', callerKey: 'own-key' })
    rig.call.head(503).send('{"error":{"message":"no"}}').end()
    await pass(rig, NO_PAUSE_MS)
    t.equal(rig.calls.length, sent, method)
    t.equal(sink.answers[0]?.status, 503)
    t.match(rig.record, { attempts: 1, usage: { inputTokens: 0, outputTokens: 0 } })
  }
})
