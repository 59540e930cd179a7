// One try at one target, driven by its upstream: what is still looked at, and what is not.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type Dialect } from '../../../src/protocols/contract/protocol.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

test('an upstream that ends while its relay has nothing to say is cut, not waited for', async (t) => {
  const rig = new PipelineRig()
  const dialect = rig.parts.dialects.get(ANTHROPIC)
  if (dialect === undefined) throw new Error('no dialect')
  const silent: Dialect = { ...dialect, createDecoder: () => ({ push() {}, end() {} }) }
  const dialects = rig.parts.dialects as Map<string, Dialect>
  dialects.set(ANTHROPIC, silent)
  t.teardown(() => dialects.set(ANTHROPIC, dialect))
  const sink = await rig.ask({ model: 'other' })
  rig.call.stream()
  await turn()
  t.equal(sink.answers[0]?.status, 502)
  t.equal(rig.record.outcome, 'upstream_cut')
  t.same(breaches(rig, [sink]), [])
})

test('ignores what an upstream sends after its end marker', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask()
  const { head, content, finish, marker, failure } = STREAMS[OPENAI]
  rig.call.head().send(head, ...content, finish, marker, failure, content[0])
  rig.call.fail(new GatewayError('upstream_cut'))
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.ok(sink.text.endsWith(marker))
  t.same(breaches(rig, [sink]), [])
})
