// One form of record for all: what was rejected at the door says the same things, in the same order, as what was answered.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'

test('a rejected request and a settled exchange have the same fields, all of them, in one order', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  rig.call.stream()
  await turn()
  const settled = rig.record
  const rejection = { requestId: 'r', surface: null, key: null, hasKey: false, requestBytes: 3, acceptedAtMs: 7 }
  rig.nowMs = 20
  const sink = new FakeSink()
  rig.pipeline.reject({ ...rejection, error: new GatewayError('payload_too_large') }, sink)
  t.strictSame(Object.keys(rig.record), Object.keys(settled))
  t.notOk(Object.keys(settled).some((name) => settled[name as keyof typeof settled] === undefined && name !== 'cause'))
  const { error, cause: _, usage, responseBytes, ...rest } = rig.record
  t.equal(error?.code, 'payload_too_large')
  t.match(usage, { inputTokens: 0, outputTokens: 0 })
  t.equal(responseBytes, sink.answers[0]?.body.length)
  t.strictSame(rest, {
    requestId: 'r',
    surface: 'other',
    transport: sink.transport,
    keyName: null,
    model: null,
    endUser: null,
    provider: null,
    targetModel: null,
    outcome: 'rejected',
    status: 413,
    finish: null,
    usageSource: 'estimated',
    attempts: 0,
    costNano: null,
    unpricedAttempts: 0,
    totalMs: 13,
    timeToFirstTokenMs: null,
    overheadMs: null,
    queuedMs: null,
    connectMs: null,
    settleMs: null,
    requestBytes: 3,
    dropped: [],
    origin: null,
    tries: null,
    trace: null,
    endpoint: null,
    answerId: null,
    answerModel: null,
    upstreamRequestId: null,
    stream: null,
    shared: null,
    cancelledBy: null,
  })
})
