// Keepalives in silence.
import { mock } from 'node:test'
import { type Test, test } from 'tap'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { KEEPALIVE_MS } from '../../helpers/pipeline-config.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

function pass(rig: PipelineRig, ms: number): void {
  rig.nowMs += ms
  mock.timers.tick(ms)
}

function createRig(t: Test): PipelineRig {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  return new PipelineRig()
}

test('silence is broken in the surface’s own form, again and again, before the first token too', async (t) => {
  const rig = createRig(t)
  const sink = await rig.ask({ surface: ANTHROPIC })
  pass(rig, KEEPALIVE_MS - 2)
  t.equal(sink.keepalives, 0)
  pass(rig, 2)
  t.equal(sink.keepalives, 1)
  t.match(sink.text, /event: ping/)
  pass(rig, KEEPALIVE_MS)
  t.equal(sink.keepalives, 2)
  rig.call.stream()
  await turn()
  t.same(breaches(rig, [sink]), [])
})

test('frames put it off', async (t) => {
  const rig = createRig(t)
  const sink = await rig.ask()
  rig.call.head()
  for (const part of STREAMS[OPENAI].content) {
    pass(rig, KEEPALIVE_MS - 10)
    rig.call.send(part)
  }
  t.equal(sink.keepalives, 0)
  pass(rig, KEEPALIVE_MS)
  t.equal(sink.keepalives, 1)
  rig.pipeline.endAll()
})

test('one JSON document gets none once it has begun, however long its upstream is silent', async (t) => {
  const rig = createRig(t)
  const sink = await rig.ask({ surface: 'prompt-stream', body: { prompt: 'Hi' } })
  pass(rig, KEEPALIVE_MS)
  pass(rig, KEEPALIVE_MS)
  rig.call.head().send(STREAMS[OPENAI].content[0])
  await turn()
  pass(rig, KEEPALIVE_MS * 3)
  t.equal(sink.keepalives, 2)
  rig.call.send(STREAMS[OPENAI].content[1], STREAMS[OPENAI].finish, STREAMS[OPENAI].marker).end()
  await turn()
  t.match(sink.text, /^ {2}\{/)
  t.strictSame(JSON.parse(sink.text), { result: 'Hello, ' })
  t.same(breaches(rig, [sink]), [])
})

test('after a keepalive an error is in-band, yet another target may still answer', async (t) => {
  const rig = createRig(t)
  const sink = await rig.ask({ model: 'pair' })
  pass(rig, KEEPALIVE_MS)
  rig.call.cut()
  await turn()
  rig.call.stream()
  await turn()
  t.match(rig.record, { outcome: 'complete', status: 200, provider: 'south' })
  const other = await rig.ask()
  pass(rig, KEEPALIVE_MS)
  rig.call.head(429).end()
  await turn()
  t.match(rig.record, { outcome: 'rejected', status: 200, error: { code: 'rate_limited' } })
  t.match(other.text, /"error"/)
  t.same(breaches(rig, [sink, other]), [])
})

test('none comes after the end, nor to a client that gets one whole answer', async (t) => {
  const rig = createRig(t)
  const whole = await rig.ask({ stream: false })
  pass(rig, KEEPALIVE_MS * 2)
  t.equal(whole.keepalives, 0)
  rig.call.whole()
  const streamed = await rig.ask()
  streamed.isPaused = true
  rig.call.stream()
  await turn()
  pass(rig, KEEPALIVE_MS * 2)
  t.equal(streamed.keepalives, 0, 'the end is decided, though the client has not taken it')
  streamed.resume()
  pass(rig, KEEPALIVE_MS * 2)
  t.equal(streamed.keepalives, 0)
  t.same(breaches(rig, [whole, streamed]), [])
})

test('a sink that breaks at a keepalive ends its own exchange, not the process', async (t) => {
  const rig = createRig(t)
  const sink = new FakeSink()
  sink.breaksAt = 'keepalive'
  await rig.ask({ sink })
  pass(rig, KEEPALIVE_MS)
  await turn()
  t.match(rig.record, { outcome: 'failed', status: 200, cause: { message: /keepalive/ } })
  t.same(breaches(rig, [sink]), [])
})
