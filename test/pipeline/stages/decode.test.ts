// Decode and what is laid over it: here or in a worker the result is the same, the path goes before the body, and nothing is
// left open.
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { type PipelineContext } from '../../../src/pipeline/context.js'
import { Exchange } from '../../../src/pipeline/exchange.js'
import { createPipeline } from '../../../src/pipeline/lifecycle.js'
import { applyDefaults, applyPathFacts } from '../../../src/pipeline/stages/decode.js'
import { type DecodedBody } from '../../../src/protocols/contract/envelope.js'
import { type RequestFacts } from '../../../src/protocols/contract/protocol.js'
import { type DecodedRequest } from '../../../src/protocols/contract/request-task.js'
import { FakeSink } from '../../helpers/fake-sink.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { breaches } from '../../helpers/pipeline-breaches.js'
import { KEY, type RigOptions } from '../../helpers/pipeline-config.js'
import { OPENAI, surfaceOf } from '../../helpers/pipeline-wires.js'
import { sentBytes } from '../../helpers/sent-bytes.js'

const FACTS = { model: 'one', stream: true, includeUsage: false, maxOutputTokens: null, provider: null, prompt: null }

test('a body that is not valid is answered 400 with the field at fault, and costs nothing', async (t) => {
  for (const isHeld of [false, true]) {
    const rig = new PipelineRig()
    if (isHeld) rig.holds.add('decode')
    const sink = await rig.ask({ body: { messages: 7 } })
    await rig.release()
    t.equal(sink.answers[0]?.status, 400)
    t.match(sink.json, { error: { param: 'messages' } })
    t.equal(rig.record.outcome, 'rejected')
    t.same(breaches(rig, [sink]), [])
  }
})

test('a request decoded in a worker is served as one decoded here', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('decode')
  const sink = await rig.ask()
  t.equal(rig.calls.length, 0)
  await rig.release()
  rig.call.stream()
  await turn()
  t.equal(rig.record.outcome, 'complete')
  t.same(breaches(rig, [sink]), [])
})

test('a pool that is full sheds with 503', async (t) => {
  const rig = new PipelineRig()
  rig.holds.add('decode')
  const sink = await rig.ask()
  await rig.refuse()
  t.equal(sink.answers[0]?.status, 503)
  t.equal(rig.record.outcome, 'limit')
  t.same(breaches(rig, [sink]), [])
})

function bodyOf(stream: boolean, provider: string | null): DecodedBody {
  const facts = { ...FACTS, stream, provider }
  return { facts, members: [], estimatedTokens: 1, json: null, head: null, body: new Uint8Array(2) }
}

test('a path that says nothing leaves the request as it is', async (t) => {
  const request = bodyOf(false, 'south')
  t.equal(applyPathFacts(request, null), request)
})

test('a route that streams does so whatever the body says, and no route stops one', async (t) => {
  const path = { streams: true, provider: null, callerKey: null }
  t.match(applyPathFacts(bodyOf(false, 'south'), path).facts, { stream: true, provider: 'south' })
  t.equal(applyPathFacts(bodyOf(true, null), { ...path, streams: false }).facts.stream, true)
  t.equal(applyPathFacts(bodyOf(false, null), { ...path, model: 'fast' }).facts.model, 'fast')
})

test('a provider in the path goes before one in the body', async (t) => {
  const path = { streams: false, provider: 'north', callerKey: null }
  t.match(applyPathFacts(bodyOf(false, 'south'), path).facts, { stream: false, provider: 'north' })
})

function decoded(facts: Partial<RequestFacts> = {}): DecodedRequest {
  return { facts: { ...FACTS, ...facts }, members: [], estimatedTokens: 10, json: {}, head: null }
}

function exchangeOf(options: RigOptions = {}, over: Partial<PipelineContext> = {}): Exchange {
  const request = { requestId: 'r', surface: surfaceOf(OPENAI), key: KEY, parameterHeaders: {}, acceptedAtMs: 0 }
  const parts = { ...new PipelineRig(options).parts, ...over }
  return new Exchange({ ...request, body: new Uint8Array(2) }, new FakeSink(), parts, () => undefined)
}

test('a request that leaves nothing open passes as the same object', async (t) => {
  const request = decoded()
  const exchange = exchangeOf()
  t.equal(applyDefaults(exchange, request), request)
  const raw = decoded({ model: '', raw: { path: '/x', model: null, asksStream: false } })
  t.equal(applyDefaults(exchange, raw), raw, 'the words of a raw request are its own')
  t.equal(exchange.prompt, null)
})

test('without a model it is the configured one, else the first that the key may use', async (t) => {
  t.equal(applyDefaults(exchangeOf(), decoded({ model: '' })).facts.model, 'one')
  t.equal(applyDefaults(exchangeOf({ keyModels: ['oth*'] }), decoded({ model: '' })).facts.model, 'other')
  t.equal(applyDefaults(exchangeOf({ keyModels: ['none'] }), decoded({ model: '' })).facts.model, '')
  const { parts } = new PipelineRig()
  const compat = { ...parts.config.compat, defaultModel: 'pair' }
  const config = { ...parts.config, compat }
  t.equal(applyDefaults(exchangeOf({}, { config }), decoded({ model: '' })).facts.model, 'pair')
})

test('a prompt is looked up by name and language, and its tokens count', async (t) => {
  const exchange = exchangeOf({ prompts: { 'pl/conversation': 'Odpowiadaj po polsku.' } })
  const request = applyDefaults(exchange, decoded({ prompt: { name: 'conversation', language: 'pl' } }))
  t.equal(exchange.prompt, 'Odpowiadaj po polsku.')
  t.equal(request.estimatedTokens, 16)
  t.equal(request.facts.model, 'one')
  const without = exchangeOf()
  t.equal(applyDefaults(without, decoded({ prompt: { name: 'conversation', language: 'pl' } })).estimatedTokens, 10)
  t.equal(without.prompt, null)
})

test('the text that was found leaves for the upstream as the system prompt, to every target that is tried', async (t) => {
  const rig = new PipelineRig({ prompts: { 'pl/conversation': 'Odpowiadaj po polsku.' } })
  const body = { model_name: 'pair', user_last_statement: 'Hi', language: 'pl' }
  const sink = await rig.ask({ surface: 'conversation', body })
  const sent = () => JSON.parse(sentBytes(rig.call.request.body).toString()).messages
  const expected = [
    { role: 'developer', content: 'Odpowiadaj po polsku.' },
    { role: 'user', content: 'Hi' },
  ]
  t.match(sent(), expected)
  rig.call.head(503).end()
  await turn()
  t.equal(rig.calls.length, 2)
  t.match(sent(), expected)
  rig.call.stream()
  await turn()
  t.same(breaches(rig, [sink]), [])
})

test('a source that refuses the name or language is the client’s fault', async (t) => {
  const rig = new PipelineRig()
  const find = () => {
    throw new GatewayError('invalid_request', { message: 'No such language.', param: 'language' })
  }
  const pipeline = createPipeline({ ...rig.parts, prompts: { find } })
  const sink = new FakeSink()
  const body = new Uint8Array(Buffer.from('{"model_name":"one","user_last_statement":"Hi","language":"../x"}'))
  const request = {
    requestId: 'r',
    surface: surfaceOf('conversation'),
    key: KEY,
    parameterHeaders: {},
    acceptedAtMs: 0,
  }
  pipeline.start({ ...request, body }, sink)
  await turn()
  t.equal(sink.answers[0]?.status, 400)
  t.strictSame(sink.json, { error: 'bad_request', details: 'No such language.' })
})
