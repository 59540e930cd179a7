// Embeddings on OpenAI's wire, both ways.
import { test } from 'tap'
import { type JsonObject, type JsonValue } from '../../src/model/json.js'
import {
  asAsked,
  decodeRequest,
  decodeResponse,
  decodeUsage,
  decodeVector,
  encodeRequest,
  encodeResponse,
  hasTokens,
  isAsAsked,
  readEcho,
} from '../../src/protocols/openai-embeddings.js'
import { thrownBy } from '../helpers/thrown.js'

const PLAIN = { dimensions: null, task: null, user: null }

test('input is one text, several, one list of tokens or several', (t) => {
  const inputs = (input: JsonValue) => decodeRequest({ model: 'm', input }).inputs
  t.same(inputs('a'), ['a'])
  t.same(inputs(['a', 'b']), ['a', 'b'])
  t.same(inputs([1, 2]), [[1, 2]])
  t.same(inputs([[1, 2], [3]]), [[1, 2], [3]])
  t.same(
    [['a'], [1], [[1]]].map((input) => hasTokens({ input } as JsonObject)),
    [false, true, true],
  )
  t.notOk(hasTokens({ input: 'a' }))
  t.end()
})

test('what is not input is refused with its place', (t) => {
  const refuse = (body: JsonObject, param: string) =>
    t.match(
      thrownBy(() => decodeRequest({ model: 'm', ...body })),
      { code: 'invalid_request', param },
    )
  for (const input of [null, 1, [], {}]) refuse({ input }, 'input')
  for (const item of [1.5, -1, [], ['a'], {}, null]) refuse({ input: ['a', item] as never }, 'input.1')
  for (const dimensions of [0, 1.5, '5']) refuse({ input: 'a', dimensions }, 'dimensions')
  refuse({ input: 'a', encoding_format: 'int8' }, 'encoding_format')
  t.same(decodeRequest({ input: 'a', dimensions: 3, user: 'u', encoding_format: null }), {
    ...{ inputs: ['a'], dimensions: 3, task: null, user: 'u' },
  })
  t.end()
})

test('a provider of the wire is always asked for numbers, and has no tasks', (t) => {
  t.same(encodeRequest({ ...PLAIN, inputs: ['a', [1]] }, 'm'), {
    body: { model: 'm', input: ['a', [1]], encoding_format: 'float' },
    dropped: [],
  })
  const full = { inputs: ['a'], dimensions: 3, user: 'u', task: { type: 'RETRIEVAL_QUERY', title: null } }
  t.same(encodeRequest(full, 'm'), {
    body: { model: 'm', input: ['a'], dimensions: 3, user: 'u', encoding_format: 'float' },
    dropped: ['taskType'],
  })
  t.end()
})

test('the answer has vectors as asked, by the name that the client used, and counts for one without usage', (t) => {
  const response = { vectors: [[0.5, -1]], model: null, usage: null }
  const echo = { ...readEcho({ model: 'fast', encoding_format: 'base64' }), inputTokens: 7 }
  t.same(encodeResponse(response, echo), {
    object: 'list',
    data: [
      { object: 'embedding', index: 0, embedding: Buffer.from(new Float32Array([0.5, -1]).buffer).toString('base64') },
    ],
    model: 'fast',
    usage: { prompt_tokens: 7, total_tokens: 7 },
  })
  const usage = decodeUsage({ prompt_tokens: 3, total_tokens: 3 })
  t.match(encodeResponse({ vectors: [[1]], model: 'up', usage }, readEcho({ model: 'fast' })), {
    data: [{ embedding: [1] }],
    model: 'up',
    usage: { prompt_tokens: 3 },
  })
  t.match(encodeResponse({ vectors: [], model: null, usage: 'implausible' }, {}), {
    model: '',
    usage: { total_tokens: 0 },
  })
  t.end()
})

test('a provider’s vectors come in the order of their indices, as numbers or base64', (t) => {
  const base64 = Buffer.from(new Float32Array([2, 4]).buffer).toString('base64')
  const data = [
    { index: 1, embedding: [1, 2] },
    { index: 0, embedding: base64 },
  ]
  const usage = { prompt_tokens: 5, total_tokens: 5 }
  t.match(decodeResponse({ data, model: 'up', usage }), {
    vectors: [
      [2, 4],
      [1, 2],
    ],
    model: 'up',
    usage: { inputTokens: 5 },
  })
  t.same(decodeResponse({ data: [{ embedding: [1] }] }), { vectors: [[1]], model: null, usage: null })
  t.match(decodeUsage({ total_tokens: 4 }), { inputTokens: 4, outputTokens: 0 })
  t.equal(decodeUsage({ prompt_tokens: -1 }), 'implausible')
  t.end()
})

test('anything else is no answer', (t) => {
  const wrong = { code: 'upstream_malformed' }
  const one = { index: 0, embedding: [1] }
  const bad = [
    ...[{}, { data: 1 }, { data: [1] }, { data: [{ index: 0, embedding: ['a'] }] }, { data: [one, one] }],
    ...[{ data: [{ ...one, index: 1 }] }, { data: [{ ...one, index: -1 }] }, { data: [{ ...one, index: 0.5 }] }],
  ]
  for (const body of bad)
    t.match(
      thrownBy(() => decodeResponse(body as never)),
      wrong,
      JSON.stringify(body),
    )
  for (const text of ['', 'AAA=', null])
    t.match(
      thrownBy(() => decodeVector(text)),
      wrong,
    )
  t.end()
})

test('numbers where base64 was asked for are not as asked, and become it, with all else as it was', (t) => {
  const answer: JsonObject = {
    ...{ object: 'list', model: 'm', usage: { prompt_tokens: 1, extra: 2 } },
    data: [{ object: 'embedding', index: 0, embedding: [1, -0.5], own: 'x' }, 'other', { embedding: 'AAAA' }, {}],
  }
  const asBytes = (json: JsonObject) => Buffer.from(JSON.stringify(json))
  t.notOk(isAsAsked(asBytes(answer), { isBase64: true }))
  t.ok(isAsAsked(asBytes(answer), { isBase64: false }))
  const right = asAsked(answer)
  t.same(right, {
    ...answer,
    data: [
      { ...{ object: 'embedding', index: 0, own: 'x' }, embedding: 'AACAPwAAAL8=' },
      'other',
      { embedding: 'AAAA' },
      {},
    ],
  })
  t.ok(isAsAsked(asBytes(right), { isBase64: true }))
  t.ok(isAsAsked(asBytes({ data: [] }), { isBase64: true }))
  t.same(asAsked({ error: 'x' }), { error: 'x', data: null })
  t.end()
})
