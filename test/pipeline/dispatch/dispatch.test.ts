// Targets in turn, until one answers with content.
import { test } from 'tap'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { type FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'
import { sentBytes } from '../../helpers/sent-bytes.js'

test('a target that fails before content is followed by the next; nothing of the first is sent, kept or counted', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'pair' })
  const { head, content, failure } = STREAMS[OPENAI]
  rig.call.head().send(head.replace('"c1"', '"first"'), failure)
  await turn()
  t.equal(rig.calls.length, 2)
  t.equal(sink.heads.length, 0)
  rig.call
    .head()
    .send(head, ...content, STREAMS[OPENAI].finish, STREAMS[OPENAI].marker)
    .end()
  await turn()
  t.notOk(sink.text.includes('first'), 'frames held back of the first are gone')
  t.equal(sink.text.split(head).length, 2, 'those of the second came once')
  t.match(Object.fromEntries(sink.heads[0]?.headers ?? []), {
    'x-sluice-target': 'south/up',
    'x-sluice-attempts': '2',
  })
  t.match(rig.record, { provider: 'south', attempts: 2, outcome: 'complete', usage: { inputTokens: 11 } })
  t.same(breaches(rig, [sink]), [])
})

test('a failure after content is final', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'pair' })
  rig.call.head().send(STREAMS[OPENAI].head, STREAMS[OPENAI].content[0]).cut()
  await turn()
  t.equal(rig.calls.length, 1)
  t.match(rig.record, { outcome: 'upstream_cut', usageSource: 'estimated', usage: { outputTokens: 1 } })
  t.ok(rig.record.usage.inputTokens > 0, 'what has come is counted, and what was sent')
  t.match(sink.text, /"error"/)
  t.same(breaches(rig, [sink]), [])
})

test('an answer that was only being collected may still be had from the next target', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.head().send(STREAMS[OPENAI].head, STREAMS[OPENAI].content[0]).cut()
  await turn()
  rig.call.cut()
  await turn()
  t.equal(sink.answers[0]?.status, 502)
  t.match(rig.record, { outcome: 'rejected', timeToFirstTokenMs: null, usage: { inputTokens: 0, outputTokens: 0 } })
  t.same(breaches(rig, [sink]), [])
})

test('what cannot be cured by another target is not tried there', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'pair' })
  rig.call.head(400).send('{"error":{"message":"bad field","param":"top_p"}}').end()
  await turn()
  t.equal(rig.calls.length, 1)
  t.equal(sink.answers[0]?.status, 400)
  t.equal(rig.record.outcome, 'rejected')
  t.same(breaches(rig, [sink]), [])
})

test('a target that cannot think is asked once more without it, never twice, and remembered', async (t) => {
  const rig = new PipelineRig()
  const thinks = () => 'reasoning_effort' in JSON.parse(sentBytes(rig.call.request.body).toString())
  const refuse = async (): Promise<void> => {
    const message = "Unsupported parameter: 'reasoning_effort' is not supported with this model."
    rig.call
      .head(400)
      .send(JSON.stringify({ error: { message, param: 'reasoning_effort' } }))
      .end()
    await turn()
  }
  const sink = await rig.ask({ body: { reasoning_effort: 'high' } })
  t.equal(thinks(), true)
  await refuse()
  t.equal(rig.calls.length, 2)
  t.equal(thinks(), false)
  await refuse()
  t.equal(rig.calls.length, 2, 'a refusal of what was not sent is an answer like any other')
  t.equal(sink.answers[0]?.status, 400)
  const next = await rig.ask({ body: { reasoning_effort: 'high' } })
  t.equal(thinks(), false)
  rig.call.stream()
  await turn()
  t.match(rig.record, { outcome: 'complete', attempts: 1, dropped: ['reasoning_effort'] })
  t.same(breaches(rig, [sink, next]), [])
})

test('words of the client’s own are said once, though the target refuses to think', async (t) => {
  const rig = new PipelineRig()
  const whole = {
    provider: 'north',
    model: 'up',
    path: '/chat/completions',
    body: { model: 'up', reasoning_effort: 'high' },
  }
  const sink = await rig.ask({ surface: 'raw-passthrough', whole })
  rig.call.head(400).send(`{"error":{"message":"Unsupported parameter: 'reasoning_effort'"}}`).end()
  await turn()
  t.equal(rig.calls.length, 1)
  t.equal(sink.answers[0]?.status, 400)
  t.same(breaches(rig, [sink]), [])
})

test('a provider at its cap is passed over; with no other the gateway sheds', async (t) => {
  const rig = new PipelineRig({ providerSlots: 1 })
  const first = await rig.ask()
  const second = await rig.ask({ model: 'pair' })
  t.equal(rig.call.request.provider.name, 'south')
  const third = await rig.ask()
  t.equal(third.answers[0]?.status, 503)
  t.match(rig.record, { outcome: 'limit', attempts: 0 })
  t.same(rig.metrics.rejections, ['provider concurrency', 'provider concurrency'])
  for (const call of rig.calls) call.stream()
  await turn()
  t.same(breaches(rig, [first, second, third]), [])
})

test('the next request may come in the moment of the end marker: the provider’s slot is free again', async (t) => {
  const rig = new PipelineRig({ providerSlots: 1 })
  const first = await rig.ask()
  const { call } = rig
  const { head, content, finish, marker } = STREAMS[OPENAI]
  call.head().send(head, ...content, finish, marker)
  await turn()
  t.notOk(call.isOver, 'the upstream has not ended its body')
  const second = await rig.ask()
  t.equal(rig.calls.length, 2)
  call.end()
  rig.call.stream()
  await turn()
  t.same(breaches(rig, [first, second]), [])
})

test('models that are not there or not allowed are refused before an upstream is asked', async (t) => {
  const unknown = new PipelineRig()
  const sink = await unknown.ask({ model: 'nobody-knows' })
  t.equal(sink.answers[0]?.status, 404)
  t.same(breaches(unknown, [sink]), [])
  const forbidden = new PipelineRig({ keyModels: ['one'] })
  const other = await forbidden.ask({ model: 'pair' })
  t.equal(other.answers[0]?.status, 403)
  t.same(breaches(forbidden, [other]), [])
})

test('a body that was lost with a worker gives every slot back', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('encode')
  const sink = await rig.ask({ model: 'pair' })
  await rig.refuse()
  await rig.refuse()
  t.equal(sink.answers[0]?.status, 503)
  t.equal(rig.calls.length, 0)
  t.same(breaches(rig, [sink]), [])
})

test('a request is sent once more as the client wrote it', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ model: 'mixed', body: { temperature: 0.25 } })
  rig.call.cut()
  await turn()
  t.equal(rig.call.request.provider.name, 'west')
  t.match(JSON.parse(sentBytes(rig.call.request.body).toString()), { temperature: 0.25, stream: true })
  rig.pipeline.endAll()
})

test('a stream that runs holds its prompt no more', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'pair' })
  const exchange = sink.handle
  if (!(exchange instanceof Exchange)) throw new Error('not an exchange')
  t.ok(exchange.body.length > 0, 'another target may still need it')
  rig.call.head().send(STREAMS[OPENAI].content[0])
  await turn()
  t.equal(exchange.body.length, 0)
  t.equal(exchange.decoded?.json, null)
  rig.pipeline.endAll()
})

const TWO_STRIKES = { breaker: { consecutiveFailures: 2 } }

test('a target that kept failing is passed over; after its time one request probes it', async (t) => {
  const rig = new PipelineRig(TWO_STRIKES)
  const sinks = []
  for (let i = 0; i < 2; i++) {
    sinks.push(await rig.ask({ model: 'pair' }))
    rig.call.cut()
    await turn()
    rig.call.stream()
    await turn()
  }
  sinks.push(await rig.ask({ model: 'pair' }))
  t.equal(rig.calls.length, 5)
  t.equal(rig.call.request.provider.name, 'south', 'asked at once')
  rig.call.stream()
  await turn()
  t.equal(rig.record.attempts, 1, 'a target that was passed over is no attempt')
  rig.nowMs += 5000
  sinks.push(await rig.ask({ model: 'pair' }), await rig.ask({ model: 'pair' }))
  t.same(
    rig.calls.slice(5).map(({ request }) => request.provider.name),
    ['north', 'south'],
    'one probe at a time',
  )
  for (const call of rig.calls) call.stream()
  await turn()
  sinks.push(await rig.ask({ model: 'pair' }))
  t.equal(rig.call.request.provider.name, 'north', 'closed again')
  rig.call.stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('an answer breaks the row of failures', async (t) => {
  const rig = new PipelineRig(TWO_STRIKES)
  const sinks = []
  for (const act of ['cut', 'stream', 'cut', 'stream'] as const) {
    sinks.push(await rig.ask())
    rig.call[act]()
    await turn()
  }
  t.equal(rig.calls.length, 4)
  t.same(rig.metrics.attempts, ['unreachable', 'ok', 'unreachable', 'ok'])
  t.same(breaches(rig, sinks), [])
})

test('a probe has passed with its first content', async (t) => {
  const rig = new PipelineRig({ breaker: { consecutiveFailures: 1 } })
  const sinks = [await rig.ask()]
  rig.call.cut()
  await turn()
  rig.nowMs += 5000
  sinks.push(await rig.ask())
  const { head, content, finish, marker } = STREAMS[OPENAI]
  rig.call.head().send(head, content[0])
  await turn()
  sinks.push(await rig.ask())
  t.equal(rig.calls.length, 3, 'its end may be minutes away')
  for (const call of rig.calls) call.send(content[1], finish, marker).end().stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('time spent at earlier targets is not overhead of the gateway', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'pair' })
  rig.nowMs += 300
  rig.call.cut()
  await turn()
  rig.nowMs += 200
  rig.call.stream()
  await turn()
  t.match(rig.record, { attempts: 2, totalMs: 500, overheadMs: 0 })
  t.same(breaches(rig, [sink]), [])
})

test('when every breaker is open the answer is 503 with Retry-After, and no target is called', async (t) => {
  const rig = new PipelineRig(TWO_STRIKES)
  const sinks = [await rig.ask(), await rig.ask()]
  for (const call of rig.calls) call.timeOut()
  await turn()
  rig.nowMs += 2000
  const sink = await rig.ask()
  t.equal(rig.calls.length, 2)
  t.equal(sink.answers[0]?.status, 503)
  t.equal(Object.fromEntries(sink.answers[0]?.headers ?? [])['retry-after'], '3')
  t.match(rig.record, { outcome: 'rejected', attempts: 0, provider: null })
  t.same(breaches(rig, [...sinks, sink]), [])
})

test('a 429 with a time makes its target rest exactly so long', async (t) => {
  const rig = new PipelineRig()
  const sinks = [await rig.ask()]
  rig.call.head(429, { 'retry-after': '7' }).end()
  await turn()
  t.equal(sinks[0]?.answers[0]?.status, 429)
  rig.nowMs += 6999
  sinks.push(await rig.ask())
  t.equal(rig.calls.length, 1)
  rig.nowMs += 1
  sinks.push(await rig.ask())
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('what the client did, or asked wrongly, is not held against a target', async (t) => {
  const rig = new PipelineRig({ breaker: { consecutiveFailures: 1 } })
  const sinks = []
  const ways: readonly ((sink: FakeSink) => unknown)[] = [
    (sink) => sink.leave(),
    () => rig.call.head(400).end(),
    () => rig.call.head(404).end(),
    () => rig.call.head(429).end(),
    (sink) => {
      rig.call.head().send(STREAMS[OPENAI].content[0])
      sink.leave('slow_reader')
    },
  ]
  for (const way of ways) {
    const sink = await rig.ask()
    sinks.push(sink)
    way(sink)
    await turn()
  }
  t.equal(rig.calls.length, ways.length)
  sinks.push(await rig.ask())
  rig.call.head().send(STREAMS[OPENAI].content[0]).cut()
  await turn()
  sinks.push(await rig.ask())
  t.equal(sinks.at(-1)?.answers[0]?.status, 503, 'a cut after content is')
  t.same(breaches(rig, sinks), [])
})

test('a probe whose request is lost, or whose client leaves, leaves its place to the next', async (t) => {
  const rig = new PipelineRig({ breaker: { consecutiveFailures: 1 } })
  const sinks = [await rig.ask()]
  rig.call.cut()
  await turn()
  rig.nowMs += 5000
  const gone = await rig.ask()
  gone.leave()
  await turn()
  rig.holds.add('encode')
  const lost = await rig.ask()
  await rig.refuse()
  rig.holds.clear()
  t.equal(lost.answers[0]?.status, 503)
  sinks.push(gone, lost, await rig.ask())
  t.equal(rig.calls.length, 3)
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, sinks), [])
})

test('of two equal targets the one with less to do is asked; one at its cap is passed over', async (t) => {
  const rig = new PipelineRig({ providerSlots: 100, targetSlots: 2 })
  const sinks = []
  for (let i = 0; i < 4; i++) sinks.push(await rig.ask({ model: 'twins' }))
  t.same(
    rig.calls.map(({ request }) => request.provider.name),
    ['north', 'south', 'north', 'south'],
    'chance alone would have sent all to the first',
  )
  const full = await rig.ask({ model: 'twins' })
  t.equal(full.answers[0]?.status, 503)
  rig.calls[1]?.stream()
  await turn()
  const next = await rig.ask({ model: 'twins' })
  t.equal(rig.call.request.provider.name, 'south')
  for (const call of rig.calls) call.stream()
  await turn()
  t.same(breaches(rig, [...sinks, full, next]), [])
})

test('the turns of a conversation stay on one target, whatever it has to do, and leave it when it is out', async (t) => {
  const rig = new PipelineRig({ concurrency: 100, providerSlots: 100, breaker: { consecutiveFailures: 1 } })
  const sinks: FakeSink[] = []
  const say = async (first: string, turns: number): Promise<string> => {
    const messages = [
      { role: 'user', content: first },
      ...Array.from({ length: turns }, (_, i) => ({ role: 'assistant', content: `turn ${i}` })),
    ]
    sinks.push(await rig.ask({ model: 'sticky', body: { messages } }))
    return rig.call.request.provider.name
  }
  const homes = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const home = await say(`conversation ${i}`, 0)
    homes.add(home)
    t.equal(await say(`conversation ${i}`, 3), home)
  }
  t.same([...homes].sort(), ['north', 'south'], 'conversations are spread')
  for (const call of rig.calls) call.stream()
  const home = await say('once more', 0)
  rig.call.cut()
  await turn()
  const other = rig.call.request.provider.name
  t.not(other, home)
  rig.call.stream()
  await turn()
  t.equal(await say('once more', 1), other)
  rig.call.stream()
  rig.nowMs += 5000
  t.equal(await say('once more', 2), home, 'and come back')
  rig.call.stream()
  await turn()
  t.same(breaches(rig, sinks), [])
})

test('a paused provider is passed over, for callers with a key of their own as well; without another target it is 503', async (t) => {
  const rig = new PipelineRig()
  rig.parts.breakers.pause(['north'])
  const sink = await rig.ask({ model: 'pair' })
  t.equal(rig.call.request.provider.name, 'south')
  rig.call.cut()
  await turn()
  const none = await rig.ask({ model: 'one', stream: false })
  t.equal(none.answers[0]?.status, 503)
  const path = { streams: false, provider: 'north', callerKey: 'sk-own-key-0123' }
  const own = await rig.ask({ model: 'x', stream: false, path })
  t.equal(own.answers[0]?.status, 503)
  t.same(breaches(rig, [sink, none, own]), [])
  rig.parts.breakers.pause([])
  await rig.ask({ model: 'x', stream: false, path })
  t.equal(rig.call.request.provider.name, 'north')
  rig.pipeline.endAll()
})
