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

test('the time that a new connection took is on record, and nothing where an open one was taken', async (t) => {
  const rig = new PipelineRig()
  const first = await rig.ask()
  rig.nowMs += 30
  rig.call.connected()
  rig.nowMs += 100
  rig.call.stream()
  await turn()
  t.equal(rig.record.connectMs, 30)
  const second = await rig.ask()
  rig.nowMs += 30
  rig.call.stream()
  await turn()
  t.equal(rig.record.connectMs, null)
  t.same(breaches(rig, [first, second]), [])
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

test('a file by id reaches the provider with the caller’s own key, and none with the gateway’s', async (t) => {
  const messages = [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }]
  const rig = new PipelineRig()
  const path = { streams: false, provider: null, callerKey: 'own-key' }
  await rig.ask({ body: { messages }, path })
  t.match(Buffer.concat([rig.call.request.body].flat()).toString(), 'file-1')
  rig.pipeline.endAll()
  const shared = new PipelineRig()
  const sink = await shared.ask({ body: { messages } })
  t.equal(shared.calls.length, 0)
  t.match(sink.answers[0], { status: 400, error: { param: 'messages.0.content.0.file.file_id' } })
})
