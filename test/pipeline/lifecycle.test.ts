// The way of a request as a whole, and the drain.
import { test } from 'tap'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { OPENAI, STREAMS } from '../helpers/pipeline-wires.js'
import { sentBytes } from '../helpers/sent-bytes.js'

test('the open exchanges are those that have begun and not settled', async (t) => {
  const rig = new PipelineRig()
  const first = await rig.ask()
  const second = await rig.ask({ stream: false })
  t.equal(rig.pipeline.openCount(), 2)
  first.leave()
  t.equal(rig.pipeline.openCount(), 1)
  rig.call.whole()
  t.equal(rig.pipeline.openCount(), 0)
  t.same(breaches(rig, [first, second]), [])
})

test('a drain ends all: with a status where nothing was sent, in-band where a stream runs', async (t) => {
  const rig = new PipelineRig({ concurrency: 2 })
  const running = await rig.ask()
  rig.call.head().send(STREAMS[OPENAI].content[0])
  const early = await rig.ask()
  const queued = await rig.ask()
  rig.pipeline.endAll()
  await turn()
  t.equal(early.answers[0]?.status, 503)
  t.equal(queued.answers[0]?.status, 503)
  t.match(running.text, /"error"/)
  t.same(
    rig.records.map(({ outcome }) => outcome),
    ['drained', 'drained', 'drained'],
  )
  t.same(breaches(rig, [running, early, queued]), [])
})

test('what is thrown on the way becomes one answer, and its cause reaches the log alone', async (t) => {
  const rig = new PipelineRig()
  const cause = new Error('a fault of ours, with sk-secret-words')
  rig.parts.offload.encode = () => {
    throw cause
  }
  const sink = await rig.ask()
  t.equal(sink.answers[0]?.status, 500)
  t.notMatch(JSON.stringify(sink.json), /secret/)
  t.match(rig.record, { outcome: 'failed', cause })
  t.same(breaches(rig, [sink]), [])
})

test('exchanges do not see one another', async (t) => {
  const rig = new PipelineRig({ providerSlots: 3 })
  const sinks = await Promise.all([1, 2, 3].map((n) => rig.ask({ body: { user: `canary-${n}` } })))
  for (const [index, call] of rig.calls.entries()) {
    t.match(sentBytes(call.request.body).toString(), `canary-${index + 1}`)
    call
      .head()
      .send(STREAMS[OPENAI].content[0].replace('Hel', `for-${index + 1}`), STREAMS[OPENAI].marker)
      .end()
  }
  await turn()
  for (const [index, sink] of sinks.entries()) {
    t.same(sink.text.match(/for-\d/g), [`for-${index + 1}`])
  }
  t.same(breaches(rig, sinks), [])
})
