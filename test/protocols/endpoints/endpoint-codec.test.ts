// The codec work of endpoints: edits on one wire, translations between two.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { createCodec } from '../../../src/protocols/contract/codec.js'
import { countingFacts, resourceFacts } from '../../../src/protocols/endpoints/endpoint.js'
import { ENDPOINTS, PROTOCOLS } from '../../../src/protocols/index.js'
import { testTarget } from '../../helpers/targets.js'
import { thrownBy } from '../../helpers/thrown.js'

const codec = createCodec(PROTOCOLS, ENDPOINTS)
const FALLBACK = { id: 'r', model: 'm', createdSec: 0, usage: null }

function encode(surfaceId: string, protocol: string, text: string) {
  const body = new Uint8Array(Buffer.from(text))
  const { facts, members, json, head } = codec.decodeBody(surfaceId, body)
  const target = testTarget(protocol, { model: 'up' })
  const task = { surfaceId, body, json, head, facts, members, target, prompt: null, upstreamStream: false }
  const encoded = codec.encodeBody(task)
  return {
    ...encoded,
    text: Buffer.from(encoded.body).toString(),
    isSame: encoded.body === body,
    again: codec.encodeBody({ ...task, json: null }),
  }
}

test('on one wire every byte but the name of the model and the routing field stays', (t) => {
  const text = '{ "input" : "\\u0061", "provider":"p", "model" : "m" , "n": 1.0 }'
  const sent = encode('openai-embeddings', 'openai-chat', text)
  t.equal(sent.text, '{ "input" : "\\u0061", "model" : "up" , "n": 1.0 }')
  t.equal(sent.path, '/embeddings')
  t.ok(encode('openai-rerank', 'openai-responses', '{"model":"up","provider":{"only":["x"]}}').isSame)
  t.match(encode('openai-moderations', 'openai-chat', '{"input":"a"}').text, /^\{"model":"up",?"input":"a"\}$/)
  t.same(Buffer.from(sent.again.body).toString(), sent.text, 'a body that a worker has parsed is parsed again')
  t.end()
})

test('embeddings are translated to other wires, with what the answer depends on', (t) => {
  const text = '{"model":"m","input":["ab","cdefgh"],"encoding_format":"base64","user":"u"}'
  const sent = encode('openai-embeddings', 'google-gemini', text)
  t.equal(sent.path, '/models/up:batchEmbedContents')
  t.equal((JSON.parse(sent.text) as JsonObject & { requests: unknown[] }).requests.length, 2)
  t.same(sent.dropped, ['user'])
  t.same(sent.echo, { model: 'm', isBase64: true, inputs: 2, inputTokens: 2 })
  t.end()
})

test('an answer of the same wire that has not the form that was asked for is given it', (t) => {
  const sent = encode('openai-embeddings', 'openai-chat', '{"model":"m","input":"a","encoding_format":"base64"}')
  t.same(sent.echo, { model: 'm', isBase64: true })
  const made = codec.transcodeResponse({
    ...{ surfaceId: 'openai-embeddings', endpoint: 'embeddings', target: testTarget('openai-chat', { model: 'up' }) },
    ...{ body: new Uint8Array(Buffer.from('{"data":[{"embedding":[1]}],"more":1}')), fallback: FALLBACK },
    ...(sent.echo === undefined ? {} : { echo: sent.echo }),
  })
  t.same(JSON.parse(Buffer.from(made.body).toString()), { data: [{ embedding: 'AACAPw==' }], more: 1 })
  t.notOk('echo' in encode('openai-rerank', 'openai-chat', '{"model":"m"}'), 'where there is one form, nothing is kept')
  t.end()
})

test('fewer vectors than inputs are no answer', (t) => {
  const target = testTarget('ollama-chat', { model: 'up' })
  const answer = (vectors: number[][]) =>
    codec.transcodeResponse({
      surfaceId: 'openai-embeddings',
      endpoint: 'embeddings',
      target,
      body: new Uint8Array(Buffer.from(JSON.stringify({ embeddings: vectors, prompt_eval_count: 3 }))),
      fallback: FALLBACK,
      echo: { model: 'm', isBase64: false, inputs: 2, inputTokens: 2 },
    })
  const made = answer([[1], [2]])
  t.match(JSON.parse(Buffer.from(made.body).toString()), { model: 'm', data: [{ embedding: [1] }, { index: 1 }] })
  t.match(made, { usage: { inputTokens: 3 }, contentChars: 0 })
  t.match(
    thrownBy(() => answer([[1]])),
    { code: 'upstream_malformed', message: /1 embeddings for 2 inputs/ },
  )
  t.end()
})

test('a count is read from the provider’s form and written in the surface’s own', (t) => {
  const target = testTarget('google-gemini', { model: 'up' })
  const answer = (text: string) => {
    const body = new Uint8Array(Buffer.from(text))
    const task = { surfaceId: 'anthropic-counts', endpoint: 'input_tokens' as const, target, body, fallback: FALLBACK }
    return Buffer.from(codec.transcodeResponse(task).body).toString()
  }
  t.equal(answer('{"totalTokens":9}'), '{"input_tokens":9}')
  t.equal(thrownBy(() => answer('{}')).code, 'upstream_malformed')
  t.end()
})

test('what routing never lets through is a fault of ours', (t) => {
  t.match(
    thrownBy(() => encode('openai-rerank', 'google-gemini', '{"model":"m"}')),
    { code: 'internal' },
  )
  t.match(
    thrownBy(() => encode('openai-embeddings', 'anthropic-messages', '{"model":"m","input":"a"}')),
    { code: 'internal' },
  )
  const target = testTarget('openai-chat')
  const body = new Uint8Array(Buffer.from('{}'))
  const task = { surfaceId: 'openai-rerank', endpoint: 'rerank' as const, target, body, fallback: FALLBACK }
  t.match(
    thrownBy(() => codec.transcodeResponse(task)),
    { code: 'internal' },
  )
  const lost = { ...task, target: testTarget('anthropic-messages') }
  t.match(
    thrownBy(() => codec.transcodeResponse(lost)),
    { code: 'internal' },
  )
  t.end()
})

test('a chat to be counted is sent in the form that another provider counts', (t) => {
  const target = testTarget('google-gemini', { model: 'up' })
  const body = new Uint8Array(Buffer.from('{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}]}'))
  const decoded = codec.decodeBody('anthropic-counts', body)
  const facts = { ...decoded.facts, endpoint: countingFacts('anthropic-messages') }
  const task = { surfaceId: 'anthropic-counts', body, facts, target, prompt: null, upstreamStream: false }
  const sent = codec.encodeBody({ ...task, json: decoded.json, head: null, members: decoded.members })
  t.equal(sent.path, '/models/up:countTokens')
  t.match(JSON.parse(Buffer.from(sent.body).toString()), {
    generateContentRequest: { contents: [{ role: 'user', parts: [{ text: 'a' }] }] },
  })
  t.end()
})

test('a form is the client’s own bytes, with the name of the model where it differs', (t) => {
  const text = '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--'
  const body = new Uint8Array(Buffer.from(text))
  const surface = ENDPOINTS.find(({ id }) => id === 'openai-transcriptions')
  const read = surface?.endpoint?.readForm?.(body, 'multipart/form-data; boundary=b')
  if (read === undefined) throw new Error('no form')
  t.match(read.facts, { model: 'm', endpoint: { id: 'audio/transcriptions', form: { boundary: 'b' } } })
  const pass = (model: string, facts = read.facts) => {
    const target = testTarget('openai-chat', { model })
    const task = { surfaceId: 'openai-transcriptions', body, facts, target, prompt: null, upstreamStream: false }
    return codec.passBody({ ...task, json: null, head: null, members: [] })
  }
  const same = pass('m')
  t.equal(same?.body, body, 'the same memory')
  const edited = pass('up')
  t.equal(edited?.path, '/audio/transcriptions')
  t.equal(Buffer.concat(edited?.pieces ?? []).toString(), text.replace('\r\nm\r\n', '\r\nup\r\n'))
  const { endpoint } = read.facts
  if (endpoint?.form === undefined) throw new Error('no form')
  const elsewhere = { ...read.facts, endpoint: { ...endpoint, id: 'rerank' as const } }
  t.match(
    thrownBy(() => {
      const target = testTarget('anthropic-messages')
      const task = { surfaceId: 'openai-transcriptions', body, facts: elsewhere, target, prompt: null }
      return codec.passBody({ ...task, upstreamStream: false, json: null, head: null, members: [] })
    }),
    { code: 'internal' },
  )
  t.end()
})

test('what is asked of a resource passes unread, below the path of the target', (t) => {
  const target = testTarget('openai-chat', { model: '' })
  const json = new Uint8Array(Buffer.from('{"input_file_id":"f","endpoint":"/v1/embeddings","model":"kept"}'))
  const given = { ...codec.decodeBody('openai-batches', json), body: json }
  const created = { ...given, surfaceId: 'openai-batches', target, prompt: null, upstreamStream: false }
  t.match(codec.encodeBody(created), { path: '/batches', body: json, dropped: [] })
  const empty = new Uint8Array(0)
  const endpoint = resourceFacts(
    { id: 'batches', wire: 'openai' },
    { method: 'POST', rest: '/b/cancel', isFile: false },
  )
  const cancelled = { ...created, body: empty, json: null, facts: { ...given.facts, endpoint } }
  t.match(codec.passBody(cancelled), { path: '/batches/b/cancel', body: empty })
  t.end()
})
