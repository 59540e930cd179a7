// The head of a stream, and who follows it.
import { test } from 'tap'
import { ANTHROPIC, breaches, FakeSink, OPENAI, PipelineRig, STREAMS, turn } from '../helpers/pipeline.js'

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
