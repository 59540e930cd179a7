// Input tokens by a provider, or by estimate.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { OPENAI } from '../../helpers/pipeline-wires.js'

const COUNTS = { streams: false, provider: null, callerKey: null, counts: true } as const
const RESPONSES = 'openai-responses'
const ANTHROPIC_COUNTS = 'anthropic-counts'
const JSON_HEAD = { 'content-type': 'application/json', 'content-length': '9' }
const ASKED = { model: 'west/m', messages: [{ role: 'user', content: 'x'.repeat(400) }] }

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

test('a provider that counts is asked with the client’s own bytes, and costs nothing', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: ANTHROPIC_COUNTS, whole: ASKED, path: COUNTS })
  t.equal(rig.call.request.path, '/messages/count_tokens')
  t.same(JSON.parse(Buffer.from(rig.call.request.body as Uint8Array).toString()), { ...ASKED, model: 'm' })
  rig.call.head(200, JSON_HEAD).send('{"input_tokens":77,"context_management":{}}').end()
  await turn()
  t.same(sink.json, { input_tokens: 77, context_management: {} })
  t.notOk(Object.fromEntries(sink.answers[0]?.headers ?? [])['x-sluice-estimated'])
  t.match(rig.record, { outcome: 'complete', usage: { inputTokens: 0, outputTokens: 0 } })
  t.equal(rig.limiter.reservations, 0)
})

test('a client of another API gets the same count in its own form', async (t) => {
  const rig = new PipelineRig()
  const whole = { model: 'west/m', input: 'hi', max_output_tokens: 50, temperature: 0.5 }
  const sink = await rig.ask({ surface: RESPONSES, whole, path: COUNTS })
  const sent = JSON.parse(Buffer.from(rig.call.request.body as Uint8Array).toString()) as object
  t.same(Object.keys(sent).sort(), ['messages', 'model'], 'nothing that the vendor would refuse')
  rig.call.head(200, JSON_HEAD).send('{"input_tokens":5}').end()
  await turn()
  t.same(sink.json, { object: 'response.input_tokens', input_tokens: 5 })
})

test('whatever happens to the provider, the client gets a number', async (t) => {
  for (const [status, body] of [
    [404, '{"error":{"message":"no such path"}}'],
    [400, '{"error":{"message":"no"}}'],
    [200, '{"tokens":5}'],
  ] as const) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ surface: RESPONSES, whole: { model: 'west/m', input: 'hi' }, path: COUNTS })
    rig.call.head(status, JSON_HEAD).send(body).end()
    await turn()
    t.equal(sink.answers[0]?.status, 200, body)
    t.match(Object.fromEntries(sink.answers[0]?.headers ?? []), { 'x-sluice-estimated': 'input_tokens' })
    t.match(rig.record, { outcome: 'complete', usage: { inputTokens: 0 } })
  }
})

test('a request of any size is checked in full: a provider that refuses it tells that to nobody', async (t) => {
  for (const chars of [10, 12_000, 300_000]) {
    const rig = new PipelineRig()
    const messages = [
      { role: 'user', content: 'x'.repeat(chars) },
      { role: 'wrong', content: 7 },
    ]
    const sink = await rig.ask({ surface: ANTHROPIC_COUNTS, whole: { ...ASKED, messages }, path: COUNTS })
    t.equal(sink.answers[0]?.status, 400, `${chars}`)
    t.equal(rig.calls.length, 0)
  }
})

test('a request that names a file in the account that all keys share is not counted', async (t) => {
  const source = { type: 'file', file_id: 'file_1' }
  for (const pad of ['', 'x'.repeat(12_000)]) {
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: `x${pad}` },
          { type: 'document', source },
        ],
      },
    ]
    for (const callerKey of [null, 'sk-own']) {
      const rig = new PipelineRig()
      const path = { ...COUNTS, callerKey }
      const sink = await rig.ask({ surface: ANTHROPIC_COUNTS, whole: { ...ASKED, messages }, path })
      t.equal(rig.calls.length, callerKey === null ? 0 : 1, 'the account of the caller is none of our business')
      if (callerKey === null) t.match(sink.json, { error: { message: /messages\.0\.content\.1\.source\.file_id/ } })
    }
  }
})

test('a time limit that is none is the client’s mistake, and a client that leaves gets nothing', async (t) => {
  const rig = new PipelineRig()
  const parameterHeaders = { 'x-sluice-timeout-ms': 'soon' }
  const refused = await rig.ask({ surface: ANTHROPIC_COUNTS, whole: ASKED, path: COUNTS, parameterHeaders })
  t.equal(refused.answers[0]?.status, 400)
  const left = await rig.ask({ surface: ANTHROPIC_COUNTS, whole: ASKED, path: COUNTS })
  left.handle?.cancel()
  await turn()
  t.same([left.answers.length, rig.call.aborts, rig.record.outcome], [0, 1, 'client_gone'])
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
