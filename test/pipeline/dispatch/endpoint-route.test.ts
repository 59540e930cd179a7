// Endpoints through the pipeline: where they go, what they reserve, how they end.
import { test } from 'tap'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { TOKEN_LIMIT } from '../../helpers/pipeline-config.js'

const JSON_HEAD = { 'content-type': 'application/json', 'content-length': '9' }
const WHOLE = '{"object":"list","data":[],"usage":{"prompt_tokens":40,"total_tokens":40}}'

test('a provider without the endpoint is refused, with the names of those that have it', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: 'openai-rerank', whole: { model: 'west/m', query: 'q', documents: [] } })
  t.equal(rig.calls.length, 0)
  t.equal(sink.answers[0]?.status, 400)
  const message = 'The provider of this model (west) does not offer /v1/rerank; these do: north, south.'
  t.match(sink.json, { error: { message, param: 'model' } })
  t.match(rig.record, { surface: 'openai-rerank', status: 400 })
})

test('what a provider’s configuration leaves out it does not have', async (t) => {
  const rig = new PipelineRig()
  const providers = rig.parts.config.providers.map((provider) => ({ ...provider, endpoints: [] }))
  Object.assign(rig.parts.config, { providers })
  Object.assign(rig.parts, {
    router: new (rig.parts.router.constructor as never as new (config: object) => object)(rig.parts.config),
  })
  const sink = await rig.ask({ surface: 'openai-rerank', whole: { model: 'north/m', query: 'q', documents: [] } })
  t.match(sink.json, { error: { message: /\(north\) does not offer \/v1\/rerank; no configured provider does\.$/ } })
})

test('a failure before the answer goes to the next target, and is judged by its breaker', async (t) => {
  const rig = new PipelineRig({ breaker: { consecutiveFailures: 1 } })
  const sink = await rig.ask({ surface: 'openai-embeddings', whole: { model: 'pair', input: 'a' } })
  t.equal(rig.call.request.path, '/embeddings')
  rig.call.head(503, JSON_HEAD).send('{"error":{"message":"busy"}}').end()
  await turn()
  t.equal(rig.calls.length, 2)
  rig.call.head(200, JSON_HEAD).send(WHOLE).end()
  await turn()
  t.equal(Buffer.from(sink.answers[0]?.body ?? '').toString(), WHOLE, 'the bytes of the provider')
  t.match(rig.record, { attempts: 2, outcome: 'complete', usage: { inputTokens: 40, outputTokens: 0 } })
  await rig.ask({ surface: 'openai-embeddings', whole: { model: 'one', input: 'a' } })
  t.equal(rig.record.error?.code, 'upstream_overloaded', 'the breaker of the first is open')
})

test('vectors reserve and cost their input alone, text its cap', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ surface: 'openai-embeddings', whole: { model: 'one', input: 'a'.repeat(400) } })
  t.ok(TOKEN_LIMIT - rig.tokensLeft < 200, 'no output is reserved')
  // Without usage: the input is estimated, and vectors are no output.
  rig.call
    .head(200, JSON_HEAD)
    .send(`{"data":[${'0.1,'.repeat(5000)}0]}`)
    .end()
  await turn()
  t.match(rig.record, { usage: { outputTokens: 0 }, usageSource: 'estimated' })
  const before = rig.tokensLeft
  await rig.ask({ surface: 'openai-completions', whole: { model: 'one', prompt: 'a', max_tokens: 1000, n: 2 } })
  t.ok(before - rig.tokensLeft >= 2000)
})

test('a completion streams as its frames come; without its end marker it ends in an error', async (t) => {
  for (const isWhole of [true, false]) {
    const rig = new PipelineRig()
    const sink = await rig.ask({ surface: 'openai-completions', whole: { model: 'one', prompt: 'a', stream: true } })
    rig.call.head(200, { 'content-type': 'text/event-stream', 'transfer-encoding': 'chunked' })
    rig.call.send('data: {"choices":[{"text":"a"}]}\n\n')
    await turn()
    t.equal(sink.heads[0]?.contentType, 'text/event-stream; charset=utf-8')
    if (isWhole) rig.call.send('data: [DONE]\n\n')
    rig.call.end()
    await turn()
    t.equal(rig.record.outcome, isWhole ? 'complete' : 'upstream_cut')
    t.equal(sink.text.includes('[DONE]'), isWhole)
    t.equal(sink.text.includes('"error"'), !isWhole)
  }
})

test('audio streams with the media type of the provider and no keepalives', async (t) => {
  const rig = new PipelineRig()
  const sink = await rig.ask({ surface: 'openai-speech', whole: { model: 'one', input: 'a', voice: 'x' } })
  t.equal(rig.call.request.media?.accept, '*/*')
  rig.call.head(200, { 'content-type': 'audio/mpeg', 'content-length': '4' }).send('ab')
  await turn()
  t.match(sink.heads[0], { contentType: 'audio/mpeg', transport: 'bytes' })
  rig.call.send('cd').end()
  await turn()
  t.equal(sink.text, 'abcd')
  t.match(rig.record, { outcome: 'complete', usageSource: 'estimated', usage: { outputTokens: 0 } })
})

test('a whole answer that is not an object is no answer of an endpoint', async (t) => {
  const rig = new PipelineRig()
  await rig.ask({ surface: 'openai-rerank', whole: { model: 'one', query: 'q', documents: [] } })
  rig.call.head(200, JSON_HEAD).send('[1]').end()
  await turn()
  t.equal(rig.record.error?.code, 'upstream_malformed')
})
