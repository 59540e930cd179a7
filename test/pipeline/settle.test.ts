// The one record of an exchange. That it is one, whoever leaves and when, is law 7: test/laws/settle.test.ts.
import { test } from 'tap'
import { PipelineRig, turn } from '../helpers/pipeline.js'
import { breaches } from '../helpers/pipeline-breaches.js'

test('the record has the request, the target, the cost and the times', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  rig.nowMs += 40
  rig.call.stream()
  await turn()
  t.match(rig.record, {
    requestId: 'req-1',
    surface: 'openai-chat',
    transport: 'sse',
    keyName: 'team-a',
    model: 'one',
    provider: 'north',
    targetModel: 'up',
    outcome: 'complete',
    status: 200,
    error: null,
    usageSource: 'provider',
    attempts: 1,
    totalMs: 40,
    timeToFirstTokenMs: 40,
    overheadMs: 0,
    responseBytes: sink.text.length,
  })
  t.ok(rig.record.requestBytes > 50, 'the body’s length, though the body is gone')
  t.equal(rig.metrics.settled[0], rig.record, 'metrics and log tell the same')
  t.same(breaches(rig, [sink]), [])
})
