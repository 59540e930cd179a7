// Input tokens by estimate, without a provider.
import { test } from 'tap'
import { PipelineRig } from '../../helpers/pipeline.js'
import { OPENAI } from '../../helpers/pipeline-wires.js'

const COUNTS = { streams: false, provider: null, callerKey: null, counts: true } as const
const RESPONSES = 'openai-responses'

test('a request is counted in place of being run, and releases what it held', async (t) => {
  const rig = new PipelineRig()
  const whole = { model: 'one', stream: true, input: 'x'.repeat(4000) }
  const sink = await rig.ask({ surface: RESPONSES, whole, path: COUNTS })
  t.match(sink.json, { object: 'response.input_tokens', input_tokens: Number })
  t.ok(Math.abs(Number(sink.json.input_tokens) - 1000) < 50)
  t.match(Object.fromEntries(sink.answers[0]?.headers ?? []), { 'x-sluice-estimated': 'input_tokens' })
  t.equal(rig.calls.length, 0)
  t.equal(rig.record.outcome, 'complete')
  t.equal(rig.limiter.reservations, 0, 'no tokens are charged')
  t.equal(rig.limiter.slots, 0, 'its slot is free')
})

test('a model that is unknown, or that the key may not use, is refused as it is for a chat', async (t) => {
  for (const [model, status, options] of [
    ['nowhere', 404, {}],
    ['pair', 403, { keyModels: ['one'] }],
  ] as const) {
    const rig = new PipelineRig(options)
    const sink = await rig.ask({ surface: RESPONSES, whole: { model, input: 'x' }, path: COUNTS })
    t.equal(sink.answers[0]?.status, status, model)
  }
})

test('a surface that has no form for a count is our own mistake', async (t) => {
  const sink = await new PipelineRig().ask({ surface: OPENAI, path: COUNTS })
  t.equal(sink.answers[0]?.status, 500)
})
