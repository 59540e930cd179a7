// Targets in turn, until one answers with content.
import { test } from 'tap'
import { ANTHROPIC, breaches, OPENAI, PipelineRig, STREAMS, turn } from '../helpers/pipeline.js'

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
  t.equal(rig.record.outcome, 'upstream_cut')
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
  t.match(JSON.parse(Buffer.from(rig.call.request.body).toString()), { temperature: 0.25, stream: true })
  rig.pipeline.endAll()
})
