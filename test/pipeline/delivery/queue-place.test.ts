// The place in the queue, for clients that ask for it.
import { mock } from 'node:test'
import { test } from 'tap'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { KEEPALIVE_MS } from '../../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI } from '../../helpers/pipeline-wires.js'

const ASKS = { parameterHeaders: { 'x-sluice-queue': '1' } }

/** What was started in this turn has been reported. */
async function reported(): Promise<void> {
  await turn()
  await turn()
}

test('a stream that asks sees its place while it waits, and is then answered as usual', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const second = await rig.ask(ASKS)
  const third = await rig.ask({ ...ASKS, surface: ANTHROPIC })
  await reported()
  t.same(second.places, [{ position: 1, etaMs: null }])
  t.same(third.places, [{ position: 2, etaMs: null }])
  t.match(second.heads, [{ transport: 'sse' }], 'the head is committed')
  t.equal(rig.calls.length, 1, 'it waits all the same')
  for (let i = 1; i <= 3; i++) {
    rig.call.stream()
    await turn()
    t.equal(rig.records.length, i)
  }
  t.match(second.text, /data: \[DONE\]/)
  t.match(third.text, /event: message_stop/)
  t.same([second.heads.length, third.heads.length], [1, 1])
  t.same(breaches(rig, [first, second, third]), [])
})

test('a request that does not ask, does not stream, or has a framing without comments, gets no report and keeps its HTTP status', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const silent = [
    await rig.ask(),
    await rig.ask({ parameterHeaders: { 'x-sluice-queue': '0' } }),
    await rig.ask({ ...ASKS, stream: false }),
    await rig.ask({ ...ASKS, surface: 'prompt-stream', whole: { model: 'one', prompt: 'Hi' } }),
    await rig.ask({ ...ASKS, surface: 'conversation-chat' }),
  ]
  await reported()
  for (const sink of silent) {
    t.same(sink.places, [])
    t.same(sink.heads, [])
    sink.leave()
  }
  first.leave()
  t.same(breaches(rig, [first, ...silent]), [])
})

test('between reports the stream is kept alive, by one timer', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const second = await rig.ask({ ...ASKS, surface: OPENAI })
  await reported()
  t.equal(second.places.length, 1)
  const pass = (ms: number): void => {
    rig.nowMs += ms
    mock.timers.tick(ms)
  }
  pass(KEEPALIVE_MS)
  t.equal(second.keepalives, 1)
  first.leave()
  await turn()
  pass(KEEPALIVE_MS)
  pass(KEEPALIVE_MS)
  t.equal(second.keepalives, 3, 'still one timer after the queue')
  rig.pipeline.endAll()
})

test('a sink that breaks at a report ends its own exchange, not the process', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const sink = new FakeSink()
  sink.breaksAt = 'queued'
  const second = await rig.ask({ ...ASKS, sink })
  await reported()
  t.match(rig.record, { outcome: 'failed', cause: { message: /queued/ } })
  first.leave()
  t.same(breaches(rig, [first, second]), [])
})
