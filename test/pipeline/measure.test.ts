// Tokens of an exchange, and who says so.
import { test } from 'tap'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../helpers/pipeline-wires.js'

test('what the provider says in full is taken as it is', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  rig.call.stream()
  await turn()
  t.match(rig.record, { usageSource: 'provider', usage: { inputTokens: 11, outputTokens: 7 } })
})

test('of a stream that was cut the provider’s word counts, but at least what had come', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ surface: ANTHROPIC, model: 'other' })
  const { head, content } = STREAMS[ANTHROPIC]
  const long = (content[0] ?? '').replace('Hel', 'x'.repeat(400))
  rig.call.head().send(head, long).cut()
  await turn()
  const { usage, usageSource } = rig.record
  t.equal(usageSource, 'partial')
  t.equal(usage.inputTokens, 11)
  t.ok(usage.outputTokens >= 100 && usage.outputTokens < 120, String(usage.outputTokens))
})

test('without a word of the provider it is an estimate: of the input alone before anything has come', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  sink.leave()
  t.equal(rig.record.usageSource, 'estimated')
  t.ok(rig.record.usage.inputTokens > 0)
  t.equal(rig.record.usage.outputTokens, 0)
  await rig.ask()
  rig.call
    .head()
    .send(STREAMS[OPENAI].content[0].replace('Hel', 'x'.repeat(400)))
    .cut()
  await turn()
  t.equal(rig.record.usageSource, 'estimated')
  t.equal(rig.record.usage.outputTokens, 100)
})

test('an upstream that refused or was never reached costs nothing', async (t) => {
  const rig = new PipelineRig()
  const full = rig.tokensLeft
  await rig.ask()
  rig.call.head(500).end()
  await turn()
  await rig.ask()
  rig.call.cut()
  await turn()
  t.equal(rig.tokensLeft, full)
})
