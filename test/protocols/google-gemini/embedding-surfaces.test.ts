// Embeddings for clients of this API. Over each upstream wire: test/e2e/gemini-client.test.ts.
import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { geminiEmbeddings } from '../../../src/protocols/google-gemini/index.js'
import { thrownBy } from '../../helpers/thrown.js'

const [one, batch] = geminiEmbeddings as [Surface, Surface]
const content = (text: string) => ({ parts: [{ text }] })
const decode = (surface: Surface, body: JsonObject) => {
  surface.readFacts(body)
  return surface.endpoint?.embeddings?.decodeRequest(body)
}
const RESPONSE = { vectors: [[1, 2], [3]], model: null, usage: null }

test('one text, with what its vector is for', async (t) => {
  const body = {
    content: { parts: { text: 'a' } },
    output_dimensionality: 5,
    taskType: 'RETRIEVAL_DOCUMENT',
    title: 't',
  }
  const task = { type: 'RETRIEVAL_DOCUMENT', title: 't' }
  t.same(decode(one, body), { inputs: ['a'], dimensions: 5, task, user: null })
  t.match(decode(one, { content: { parts: [{ text: 'a' }, { text: 'b' }] } }), { inputs: ['a\nb'], task: null })
  t.same(one.endpoint?.embeddings?.encodeResponse(RESPONSE, {}), { embedding: { values: [1, 2] } })
  t.match(one.readFacts(body), { model: '', endpoint: { id: 'embeddings' } }, 'the model is in the path')
})

test('several texts, with the same options', async (t) => {
  const requests = [
    { model: 'models/x', content: content('a'), outputDimensionality: 5 },
    { model: 'models/x', content: content('b'), outputDimensionality: 5 },
  ]
  t.match(decode(batch, { requests }), { inputs: ['a', 'b'], dimensions: 5 })
  t.same(batch.endpoint?.embeddings?.encodeResponse(RESPONSE, {}), {
    embeddings: [{ values: [1, 2] }, { values: [3] }],
  })
  const odd = [requests[0], { content: content('b') }] as JsonObject['x']
  t.match(
    thrownBy(() => decode(batch, { requests: odd })),
    { param: 'requests.1' },
  )
})

test('wrong bodies are refused by their path', async (t) => {
  for (const [surface, body, param] of [
    [one, {}, 'content'],
    [one, { content: {} }, 'content.parts'],
    [one, { content: content('a'), outputDimensionality: 0 }, 'outputDimensionality'],
    [batch, { requests: [] }, 'requests'],
    [batch, { requests: [7] }, 'requests.0'],
    [batch, { requests: [{}] }, 'requests.0.content'],
    [one, { content: { parts: [{ inlineData: {} }] } }, 'content.parts.0'],
    [batch, { requests: [{ content: { parts: [{}] } }] }, 'requests.0.content.parts.0'],
  ] as const) {
    t.equal(thrownBy(() => decode(surface, body as JsonObject)).param, param, JSON.stringify(body))
  }
})

test('they are no chats', async (t) => {
  for (const surface of geminiEmbeddings) {
    t.match(
      thrownBy(() => surface.decodeRequest({})),
      { code: 'internal' },
    )
    t.equal(surface.endpoint?.readUsage(Buffer.from('{}')), null)
    t.ok(surface.endpoint?.createObserver(true))
    t.match(
      surface.encodeErrorFrame(
        { code: 'internal', status: 500, message: 'x', param: null, retryAfterMs: null, upstreamCode: null } as never,
        '',
      ),
      /^data: /,
    )
  }
})
