// One try at one target: how it is decided, and what it leaves behind.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Dialect } from '../../../src/protocols/contract/protocol.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

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

test('an upstream that ends while its relay has nothing to say is cut, not waited for', async (t) => {
  const rig = new PipelineRig()
  const dialect = rig.parts.dialects.get(ANTHROPIC)
  if (dialect === undefined) throw new Error('no dialect')
  const silent: Dialect = { ...dialect, createDecoder: () => ({ push() {}, end() {} }) }
  const dialects = rig.parts.dialects as Map<string, Dialect>
  dialects.set(ANTHROPIC, silent)
  t.teardown(() => dialects.set(ANTHROPIC, dialect))
  const sink = await rig.ask({ model: 'other' })
  rig.call.stream()
  await turn()
  t.equal(sink.answers[0]?.status, 502)
  t.equal(rig.record.outcome, 'upstream_cut')
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

test('only content moves the time limits of the call on', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  const { head, content, finish } = STREAMS[OPENAI]
  rig.call.head().send(head, ': ping\n\n')
  t.equal(rig.call.tokens, 0)
  rig.call.send(content[0], content[1])
  t.equal(rig.call.tokens, 2)
  rig.call.send(finish)
  t.equal(rig.call.tokens, 2)
  rig.pipeline.endAll()
})

test('what opens a stream, and keeps it alive, is no token on any wire or relay', async (t) => {
  const ping = 'event: ping\ndata: {"type":"ping"}\n\n'
  for (const surface of [ANTHROPIC, OPENAI] as const) {
    const rig = new PipelineRig()
    await rig.ask({ surface, model: 'other' })
    const { head, content } = STREAMS[ANTHROPIC]
    rig.call.head().send(ping, head, ping, ': comment\n\n')
    t.equal(rig.call.tokens, 0, surface)
    rig.call.send(content[0] ?? '', ping, content[1] ?? '')
    t.equal(rig.call.tokens, 2, surface)
    rig.pipeline.endAll()
  }
})

test('a full worker pool at the end of an answer is our own fault: no other provider works for it', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('aggregate')
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.stream()
  await turn()
  await rig.refuse()
  t.equal(rig.calls.length, 1)
  t.equal(sink.answers[0]?.status, 503)
  t.same(rig.metrics.attempts, ['ok'])
  t.equal(rig.record.usageSource, 'provider', 'the provider has done its work')
  t.same(breaches(rig, [sink]), [])
})

test('an answer that cannot be read is the provider’s fault: the next one is asked', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.whole('{"choices": 7}')
  await turn()
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.same(rig.metrics.attempts, ['malformed', 'ok'])
  t.same(breaches(rig, [sink]), [])
})

test('what an upstream says after its end marker is nobody’s business', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  const { head, content, finish, marker, failure } = STREAMS[OPENAI]
  rig.call.head().send(head, ...content, finish, marker, failure, content[0])
  rig.call.fail(new GatewayError('upstream_cut'))
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.ok(sink.text.endsWith(marker))
  t.same(breaches(rig, [sink]), [])
})
