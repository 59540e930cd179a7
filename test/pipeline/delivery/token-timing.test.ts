// When tokens came.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

test('the first token and the pauses between further ones are measured, from content alone', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  const { head, content, finish, marker } = STREAMS[OPENAI]
  rig.call.head().send(head)
  rig.nowMs += 100
  rig.call.send(content[0])
  rig.nowMs += 20
  rig.call.send(content[1])
  rig.nowMs += 30
  rig.call.send(content[2])
  rig.nowMs += 500
  rig.call.send(finish)
  t.same(rig.metrics.interTokens, [0.02, 0.03])
  rig.call.send(marker).end()
  await turn()
  t.equal(rig.record.timeToFirstTokenMs, 100)
})

test('each attempt starts its own timing; the pause before it is not counted', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ model: 'mixed', stream: false, surface: 'anthropic-messages' })
  rig.call.head().send(STREAMS[OPENAI].content[0]).cut()
  await turn()
  rig.nowMs += 1000
  rig.call.whole()
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.same(rig.metrics.interTokens, [])
  t.equal(rig.record.timeToFirstTokenMs, 1000)
})
