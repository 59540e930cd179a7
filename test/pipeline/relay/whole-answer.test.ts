// One whole answer made of an upstream's bytes.
import { test } from 'tap'
import { makeWhole } from '../../../src/pipeline/relay/whole-answer.js'
import { fakeTarget } from '../../helpers/fake-protocol.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, WHOLES } from '../../helpers/pipeline-wires.js'
import { FALLBACK } from '../../helpers/protocol-fixtures.js'

function make(bytes: Buffer, rig: PipelineRig) {
  const told: string[] = []
  makeWhole(bytes, {
    offload: rig.parts.offload,
    kind: 'translate',
    task: { surfaceId: ANTHROPIC, target: fakeTarget(OPENAI), fallback: FALLBACK },
    onMade: ({ body }) => told.push(Buffer.from(body).toString()),
    onUnmade: (thrown) => told.push(String(thrown)),
  })
  return told
}

test('it is translated', async (t) => {
  const rig = new PipelineRig()
  const [translated] = make(Buffer.from(WHOLES[OPENAI]), rig)
  t.match(JSON.parse(translated ?? ''), { type: 'message', content: [{ type: 'text', text: 'Hello, you' }] })
})

test('a failure is reported once, whether it comes at once or from a worker', async (t) => {
  for (const isHeld of [false, true]) {
    const rig = new PipelineRig()
    if (isHeld) rig.holds.add('transcode')
    const told = make(Buffer.from('{"a":'), rig)
    await rig.release()
    t.equal(told.length, 1)
    t.match(told[0], /GatewayError/)
  }
})

test('memory that small Buffers share is never handed to a worker', async (t) => {
  const rig = new PipelineRig()
  rig.parts.offload.transcode = (task) => {
    t.equal(task.body.buffer.byteLength, task.body.byteLength)
    throw new Error('enough')
  }
  make(Buffer.from(WHOLES[OPENAI]).subarray(0, 5), rig)
})

test('a client that leaves while its answer is made is not answered', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('aggregate')
  const sink = await rig.ask({ surface: ANTHROPIC, stream: false })
  rig.call.stream()
  await turn()
  sink.leave()
  await rig.release()
  t.equal(sink.answers.length, 0)
  t.match(rig.record, { outcome: 'client_gone', usageSource: 'provider' })
  t.same(rig.metrics.attempts, ['ok'])
  t.same(breaches(rig, [sink]), [])
})
