// The wait for a slot: what is decoded meanwhile, and what becomes of it.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'

const ASKS = { parameterHeaders: { 'x-sluice-queue': '1' } }

/** What was started in this turn has been reported. */
async function reported(): Promise<void> {
  await turn()
  await turn()
}

test('a request that asks is decoded while it waits: what is wrong with it does not wait, and has its status', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const wrong = await rig.ask({ ...ASKS, body: { messages: 'not a list' } })
  await reported()
  t.equal(wrong.answers[0]?.status, 400)
  t.same(wrong.places, [])
  rig.call.stream()
  await turn()
  t.equal(rig.limiter.active(), 0, 'it has left the queue')
  t.same(breaches(rig, [first, wrong]), [])
})

test('a refusal after the first report is an error frame, and the end', async (t) => {
  const rig = new PipelineRig({ concurrency: 1, tokensPerMinute: 150 })
  const first = await rig.ask()
  const second = await rig.ask({ ...ASKS, body: { max_tokens: 1000 } })
  await reported()
  t.equal(second.places.length, 1)
  first.leave()
  await turn()
  t.same(second.answers, [])
  t.match(second.text, /^data: {"error":{"message":"[^"]*tokens/)
  t.match(rig.record, { outcome: 'limit', status: 200 })
  t.same([rig.records.length, rig.limiter.active(), rig.pipeline.openCount()], [2, 0, 0])
})

test('a client that leaves after a report has left the queue', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  const second = await rig.ask(ASKS)
  await reported()
  second.leave()
  t.match(rig.record, { outcome: 'client_gone', status: 200 })
  rig.call.stream()
  await turn()
  t.equal(rig.calls.length, 1)
  t.same(breaches(rig, [first, second]), [])
})

test('a request that is admitted before its body is decoded gets no report', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  rig.holds.add('decode')
  const second = await rig.ask(ASKS)
  first.leave()
  await turn()
  await rig.release()
  await reported()
  t.same(second.places, [])
  rig.call.stream()
  await turn()
  t.match(second.text, /data: \[DONE\]/)
  t.same(breaches(rig, [first, second]), [])
})

test('a failure of the decoder and a refusal by the queue end it once, whichever comes first', async (t) => {
  const rig = new PipelineRig({ concurrency: 1, queueMax: 1 })
  const first = await rig.ask()
  rig.holds.add('decode')
  const second = await rig.ask(ASKS)
  const third = await rig.ask(ASKS)
  t.equal(third.answers[0]?.status, 503, 'the queue is full')
  await rig.refuse()
  t.equal(second.answers[0]?.status, 503, 'the worker is lost')
  const fourth = await rig.ask(ASKS)
  fourth.leave()
  await rig.refuse()
  first.leave()
  await turn()
  t.same(breaches(rig, [first, second, third, fourth]), [])
})

test('a client that leaves while its request is decoded starts nothing', async (t) => {
  const rig = new PipelineRig({ concurrency: 1 })
  const first = await rig.ask()
  rig.holds.add('decode')
  const second = await rig.ask(ASKS)
  second.leave()
  const timers = timersOf()
  await rig.release()
  await reported()
  t.equal(timersOf(), timers, 'no keepalive without a client')
  t.same(second.late, [])
  first.leave()
  t.same(breaches(rig, [first, second]), [])
})

function timersOf(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}
