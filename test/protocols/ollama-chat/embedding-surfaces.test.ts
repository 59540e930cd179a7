// Embeddings for clients of this API. Over each upstream wire: test/e2e/ollama-client.test.ts.

import { test } from 'tap'
import { type JsonObject } from '../../../src/model/json.js'
import { NO_PARTS } from '../../../src/model/usage.js'
import { type Surface } from '../../../src/protocols/contract/protocol.js'
import { ollamaChat, ollamaEmbeddings } from '../../../src/protocols/ollama-chat/index.js'
import { thrownBy } from '../../helpers/thrown.js'

const [embed, older] = ollamaEmbeddings as [Surface, Surface]
const decode = (surface: Surface, body: JsonObject) => {
  surface.readFacts(body)
  return surface.endpoint?.embeddings?.decodeRequest(body)
}
const USAGE = {
  inputTokens: 7,
  outputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  parts: NO_PARTS,
}

test('texts, and the older form for one', async (t) => {
  const asked = { dimensions: null, task: null, user: null }
  t.same(decode(embed, { model: 'm', input: 'a' }), { ...asked, inputs: ['a'] })
  t.same(decode(embed, { model: 'm', input: ['a', 'b'], dimensions: 5 }), {
    ...asked,
    inputs: ['a', 'b'],
    dimensions: 5,
  })
  t.same(decode(older, { model: 'm', prompt: 'a' }), { ...asked, inputs: ['a'] })
  t.match(embed.readFacts({ model: 'm' }), { model: 'm', endpoint: { id: 'embeddings' } })
})

test('answers have the vectors, the model and a count', async (t) => {
  const encode = (surface: Surface, usage: typeof USAGE | null, echo: JsonObject) =>
    surface.endpoint?.embeddings?.encodeResponse({ vectors: [[1], [2]], model: 'x', usage }, echo)
  const echo = embed.endpoint?.embeddings?.readEcho({ model: 'm', input: 'a' }) ?? {}
  t.same(encode(embed, USAGE, echo), { model: 'm', embeddings: [[1], [2]], prompt_eval_count: 7 })
  t.match(encode(embed, null, { ...echo, inputTokens: 3 }), { prompt_eval_count: 3 })
  t.match(encode(embed, null, {}), { model: '', prompt_eval_count: 0 })
  t.same(encode(older, null, {}), { embedding: [1] })
})

test('wrong bodies are refused by their path', async (t) => {
  for (const [surface, body, param] of [
    [embed, {}, 'model'],
    [embed, { model: 'x'.repeat(257), input: 'a' }, 'model'],
    [embed, { model: 'm' }, 'input'],
    [embed, { model: 'm', input: [] }, 'input'],
    [embed, { model: 'm', input: [1] }, 'input'],
    [older, { model: 'm' }, 'prompt'],
  ] as const) {
    t.equal(thrownBy(() => decode(surface, body as JsonObject)).param, param, JSON.stringify(body))
  }
})

test('only the newer form passes to a server of this API as it is, and neither is a chat', async (t) => {
  const wire = ollamaChat.dialect?.endpoints?.embeddings?.wire
  t.equal(embed.endpoint?.wire, wire)
  t.not(older.endpoint?.wire, wire)
  t.match(embed.endpoint?.readUsage(Buffer.from('{"embeddings":[],"prompt_eval_count":7}')), { inputTokens: 7 })
  for (const surface of ollamaEmbeddings) {
    t.match(
      thrownBy(() => surface.decodeRequest({})),
      { code: 'internal' },
    )
    t.ok(surface.endpoint?.createObserver(true))
  }
})
