// Ends from outside, on a pipeline without a network: who is ended, with what, and who goes on.
import { test } from 'tap'
import { FakeSink } from '../helpers/fake-sink.js'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'
import { STREAMS } from '../helpers/pipeline-wires.js'

test('a removed key ends its open requests, by status or in-band, and no other key feels it', async (t) => {
  const rig = new PipelineRig()
  const [early, streaming] = [await rig.ask(), await rig.ask()]
  rig.call.head()
  rig.call.send(STREAMS['openai-chat'].head + STREAMS['openai-chat'].content[0])
  await turn()
  rig.pipeline.endOf(({ owner }) => owner === 'of another key')
  t.equal(rig.pipeline.openCount(), 2)
  rig.pipeline.endOf(() => true)
  await turn()
  t.equal(rig.pipeline.openCount(), 0)
  t.equal(early.answers[0]?.status, 401)
  t.match(Buffer.from(early.answers[0]?.body ?? []).toString(), /has been removed/)
  t.match(streaming.text, /has been removed/)
  t.notMatch(streaming.text, /\[DONE\]/)
  t.same(
    rig.records.map(({ outcome }) => outcome),
    ['rejected', 'rejected'],
  )
  t.same(breaches(rig, [early, streaming]), [])
})

test('a request whose body was on its way when its key was removed ends as it begins, and reaches no provider', async (t) => {
  const rig = new PipelineRig()
  rig.pipeline.endOf(() => true)
  const sink = new FakeSink()
  await rig.ask({ sink })
  t.equal(sink.answers[0]?.status, 401)
  t.equal(rig.calls.length, 0)
  t.same(breaches(rig, [sink]), [])
})

test('a drain may spare exchanges whose clients get the answer from other nodes', async (t) => {
  const rig = new PipelineRig()
  const [own, shared] = [new FakeSink(), Object.assign(new FakeSink(), { isShared: true })]
  await rig.ask({ sink: own })
  await rig.ask({ sink: shared })
  rig.pipeline.endAll(true)
  t.same([own.answers.map(({ status }) => status), shared.answers], [[503], []])
  rig.pipeline.endAll()
  t.same([own.answers.length, shared.answers.map(({ status }) => status)], [1, [503]])
  t.same(breaches(rig, [own, shared]), [])
})
