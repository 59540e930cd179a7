// Tokens of an exchange, and who says so.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { ANTHROPIC, OPENAI, STREAMS, WHOLES } from '../../helpers/pipeline-wires.js'

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

test('without usage from the provider it is an estimate, of the input alone before any content', async (t) => {
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

test('implausible usage is estimated and counted, however the answer comes', async (t) => {
  for (const surface of [OPENAI, ANTHROPIC]) {
    for (const stream of [true, false]) {
      const rig = new PipelineRig()
      const full = rig.tokensLeft
      const sink = await rig.ask({ surface, stream })
      const isWhole = !stream && surface === OPENAI
      if (isWhole) rig.call.head(200, { 'content-type': 'application/json' })
      else rig.call.head()
      const { head, content, finish, marker } = STREAMS[OPENAI]
      const text = isWhole ? WHOLES[OPENAI] : head + content.join('') + finish + marker
      rig.call.send(text.replace('"completion_tokens":7', '"completion_tokens":1e308')).end()
      await turn()
      const { usage, usageSource, outcome } = rig.record
      t.match({ usageSource, outcome }, { usageSource: 'estimated', outcome: 'complete' }, `${surface} ${stream}`)
      t.ok(usage.outputTokens > 0 && usage.outputTokens < 200, String(usage.outputTokens))
      t.same(rig.metrics.implausible, ['north'])
      t.ok(full - rig.tokensLeft < 400, 'the key owes no more than was seen')
      if (!stream && !isWhole) t.notMatch(sink.answers[0]?.body, /null,"output_tokens"|1e\+?308/)
    }
  }
})

test('more output than the cap of the request is not believed, over all answers it asked for', async (t) => {
  const cases: [body: JsonObject, usageSource: string][] = [
    [{ max_tokens: 7 }, 'provider'],
    [{ max_tokens: 6 }, 'estimated'],
    [{ max_tokens: 4, n: 2 }, 'provider'],
    [{ max_tokens: 3, n: 2 }, 'estimated'],
  ]
  for (const [body, usageSource] of cases) {
    const rig = new PipelineRig()
    await rig.ask({ body })
    rig.call.stream()
    await turn()
    t.equal(rig.record.usageSource, usageSource, JSON.stringify(body))
  }
  const rig = new PipelineRig({ extraBody: { max_tokens: 50 } })
  await rig.ask({ body: { max_tokens: 6 } })
  rig.call.stream()
  await turn()
  t.equal(rig.record.usageSource, 'provider', 'what was sent may be the target’s own')
})

test('more input than the context of the model holds is not believed, where that is configured', async (t) => {
  const sourceOf = async (contextTokens?: number) => {
    const rig = new PipelineRig(contextTokens === undefined ? {} : { contextTokens })
    await rig.ask()
    rig.call.stream()
    await turn()
    return [rig.record.usageSource, rig.metrics.implausible]
  }
  t.same(await sourceOf(), ['provider', []])
  t.same(await sourceOf(11), ['provider', []])
  t.same(await sourceOf(10), ['estimated', ['north']])
})
