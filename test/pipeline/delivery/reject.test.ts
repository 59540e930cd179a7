// How errors become answers.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { KEY } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS, surfaceOf } from '../../helpers/pipeline-wires.js'

test('an upstream error in mid-stream is reported in the client’s form and never counts as success', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  const { content, failure, finish, marker } = STREAMS[OPENAI]
  rig.call.head().send(content[0], failure, finish, marker).end()
  await turn()
  t.match(rig.record, { outcome: 'upstream_cut', status: 200, error: { message: 'It broke.' } })
  t.ok(sink.text.trimEnd().endsWith('}'), 'nothing follows the error')
  t.same(breaches(rig, [sink]), [])
})

test('a request that never became an exchange has the same envelope, line and count', async (t) => {
  const rig = new PipelineRig()
  for (const [surface, key] of [
    [surfaceOf(OPENAI), KEY],
    [null, null],
  ] as const) {
    const sink = new FakeSink()
    rig.nowMs += 5
    const error = new GatewayError('payload_too_large')
    const rejection = {
      requestId: 'r',
      surface,
      key,
      hasKey: key !== null,
      error,
      requestBytes: 12,
      acceptedAtMs: rig.nowMs - 5,
    }
    rig.pipeline.reject(rejection, sink)
    t.equal(sink.answers[0]?.status, 413)
    t.match(rig.record, {
      surface: surface?.id ?? 'other',
      keyName: key?.name ?? null,
      outcome: 'rejected',
      status: 413,
      requestBytes: 12,
      totalMs: 5,
    })
  }
  t.equal(rig.metrics.started, 2)
  t.equal(rig.metrics.settled.length, 2)
})
