// The head of a stream, and who follows it.
import { test } from 'tap'
import { beginStream } from '../../../src/pipeline/delivery/begin-stream.js'
import { type Exchange } from '../../../src/pipeline/exchange.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

test('the head goes out once, with the first content, as what the surface streams', async (t) => {
  for (const surface of [OPENAI, ANTHROPIC] as const) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ surface })
    rig.call.head().send(STREAMS[OPENAI].head)
    await turn()
    t.equal(sink.heads.length, 0, 'a status is still possible')
    rig.call.send(STREAMS[OPENAI].content[0], STREAMS[OPENAI].content[1])
    await turn()
    t.equal(sink.heads.length, 1)
    t.equal(sink.heads[0]?.contentType, 'text/event-stream; charset=utf-8')
    t.match(Object.fromEntries(sink.heads[0]?.headers ?? []), { 'x-sluice-target': 'north/up' })
    rig.pipeline.endAll()
  }
})

test('a stream is of its surface’s type, and its error frame knows whether anything went before', async (t) => {
  const kinds = [
    ['prompt-stream', 'application/json', 'json'],
    ['prompt-stream-events', 'text/event-stream; charset=utf-8', 'sse'],
    ['conversation-chat', 'application/x-ndjson', 'ndjson'],
  ] as const
  for (const [surface, contentType, transport] of kinds) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ surface, body: { prompt: 'Hi' } })
    rig.call.head().send(STREAMS[OPENAI].content[0])
    await turn()
    t.match(sink.heads, [{ contentType, transport }])
    rig.pipeline.endAll()
  }
  for (const hasContent of [true, false]) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ surface: 'prompt-stream', body: { prompt: 'Hi' } })
    if (hasContent) rig.call.head().send(STREAMS[OPENAI].content[0])
    else {
      // As a keepalive does it.
      const [exchange] = sink.handle === null ? [] : [sink.handle as Exchange]
      if (exchange !== undefined) beginStream(exchange)
    }
    await turn()
    rig.pipeline.endAll()
    await turn()
    const { result, error } = JSON.parse(sink.text)
    t.equal(result, hasContent ? 'Hel' : undefined)
    t.match(error, /shutting down/)
  }
})

test('the gauge of open streams knows a stream by the same transport at both ends', async (t) => {
  for (const kind of ['sse', 'websocket'] as const) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ sink: new FakeSink(kind) })
    rig.call.head().send(STREAMS[OPENAI].content[0])
    t.same([...rig.metrics.openStreams], [[kind, 1]])
    rig.call.send(STREAMS[OPENAI].marker).end()
    await turn()
    t.same([...rig.metrics.openStreams], [[kind, 0]])
    t.same(breaches(rig, [sink]), [])
  }
})

test('a sink that breaks at the head or at following settles as failed, and stops the upstream', async (t) => {
  for (const place of ['begin', 'follow'] as const) {
    const rig = new PipelineRig()
    const sink = new FakeSink()
    sink.breaksAt = place
    await rig.ask({ sink })
    rig.call.head().send(STREAMS[OPENAI].content[0])
    await turn()
    t.match(rig.record, { outcome: 'failed', status: place === 'begin' ? 500 : 200, cause: { message: /broke/ } })
    t.equal(rig.call.aborts, 1)
    t.same(breaches(rig, [sink]), [], place)
  }
})

test('an error frame continues the stream before it, and stands for itself where nothing was sent', async (t) => {
  const surface = 'openai-responses'
  const whole = { model: 'one', stream: true, input: 'Hi' }
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface, whole })
  rig.call.head().send(STREAMS[OPENAI].head, STREAMS[OPENAI].content[0])
  await turn()
  rig.call.cut()
  await turn()
  const payloads = sink.text.split('\n\n').flatMap((frame) => /data: (.*)$/.exec(frame)?.[1] ?? [])
  const events = payloads.map((payload) => JSON.parse(payload))
  t.same(
    events.map((event) => event.sequence_number),
    events.map((_, i) => i),
  )
  t.match(events.slice(-2), [{ type: 'error' }, { type: 'response.failed', response: { id: events[0].response.id } }])
  const silent = new PipelineRig()
  const told = await silent.ask({ surface, whole })
  const [exchange] = told.handle === null ? [] : [told.handle as Exchange]
  if (exchange !== undefined) beginStream(exchange)
  silent.pipeline.endAll()
  await turn()
  t.match(told.text, /^event: error\ndata: .*"sequence_number":0}\n\nevent: response.failed\n.*"id":"resp_/)
})
