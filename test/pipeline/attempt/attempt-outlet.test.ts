// Where the work of a relay goes: what counts as a token, and what becomes of a whole answer.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { ANTHROPIC, OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

test('only content moves the time limits of the call on', async (t) => {
  const rig = new PipelineRig()
  await rig.ask()
  const { head, content, finish } = STREAMS[OPENAI]
  rig.call.head().send(head, ': ping\n\n')
  t.equal(rig.call.tokens, 0)
  rig.call.send(content[0], content[1])
  t.equal(rig.call.tokens, 2)
  rig.call.send(finish)
  t.equal(rig.call.tokens, 2)
  rig.pipeline.endAll()
})

test('what opens a stream, and keeps it alive, is no token on any wire or relay', async (t) => {
  const ping = 'event: ping\ndata: {"type":"ping"}\n\n'
  for (const surface of [ANTHROPIC, OPENAI] as const) {
    const rig = new PipelineRig()
    await rig.ask({ surface, model: 'other' })
    const { head, content } = STREAMS[ANTHROPIC]
    rig.call.head().send(ping, head, ping, ': comment\n\n')
    t.equal(rig.call.tokens, 0, surface)
    rig.call.send(content[0] ?? '', ping, content[1] ?? '')
    t.equal(rig.call.tokens, 2, surface)
    rig.pipeline.endAll()
  }
})

test('a full worker pool at the end of an answer is our own fault: no other provider works for it', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('aggregate')
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.stream()
  await turn()
  await rig.refuse()
  t.equal(rig.calls.length, 1)
  t.equal(sink.answers[0]?.status, 503)
  t.same(rig.metrics.attempts, ['ok'])
  t.equal(rig.record.usageSource, 'provider', 'the provider has done its work')
  t.same(breaches(rig, [sink]), [])
})

test('an answer that cannot be read is the provider’s fault: the next one is asked', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: ANTHROPIC, model: 'pair', stream: false })
  rig.call.whole('{"choices": 7}')
  await turn()
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  t.equal(sink.answers[0]?.status, 200)
  t.same(rig.metrics.attempts, ['malformed', 'ok'])
  t.same(breaches(rig, [sink]), [])
})
