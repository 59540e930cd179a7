// The decode stage: here or in a worker, the result is the same.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'

test('a body that is not valid is answered 400 with the field at fault, and costs nothing', async (t) => {
  for (const isHeld of [false, true]) {
    const rig = new PipelineRig()
    if (isHeld) rig.holds.add('decode')
    const sink = await rig.ask({ body: { messages: 7 } })
    await rig.release()
    t.equal(sink.answers[0]?.status, 400)
    t.match(sink.json, { error: { param: 'messages' } })
    t.equal(rig.record.outcome, 'rejected')
    t.same(breaches(rig, [sink]), [])
  }
})

test('a request decoded in a worker is served as one decoded here', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('decode')
  const sink = await rig.ask()
  t.equal(rig.calls.length, 0)
  await rig.release()
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, [sink]), [])
})

test('a pool that is full sheds with 503', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('decode')
  const sink = await rig.ask()
  await rig.refuse()
  t.equal(sink.answers[0]?.status, 503)
  t.equal(rig.record.outcome, 'limit')
  t.same(breaches(rig, [sink]), [])
})
