// Bad input at a running gateway: a clear 4xx in the surface's envelope with the field's path, the process alive.

import { t as tap, test } from 'tap'
import { request } from 'undici'
import { type Running, simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'

const KEY = 'test-key-0123456789abcdef'

type Case = {
  readonly name: string
  readonly body: string | Buffer
  readonly status: number
  readonly param?: string
  readonly headers?: Record<string, string>
}

function chat(fields: object): string {
  return JSON.stringify({ model: 'openai/echo', max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }], ...fields })
}

const CASES: readonly Case[] = [
  { name: 'malformed JSON', body: '{"model": "x",', status: 400 },
  { name: 'an empty body', body: '', status: 400 },
  { name: 'an array', body: '[]', status: 400 },
  { name: 'a BOM', body: `\ufeff${chat({})}`, status: 400 },
  { name: 'invalid UTF-8', body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), status: 400 },
  { name: 'a wrong type', body: chat({ messages: 'Hi' }), status: 400, param: 'messages' },
  {
    name: 'a wrong type deep down',
    body: chat({ messages: [{ role: 'user', content: 1 }] }),
    status: 400,
    param: 'messages.0.content',
  },
  { name: 'no model', body: chat({ model: undefined }), status: 400, param: 'model' },
  { name: 'an unknown model', body: chat({ model: 'no-such-model' }), status: 404 },
  {
    name: 'nesting of 10^5',
    body: `{"model":"openai/echo","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    status: 400,
  },
  {
    name: 'a doubled key',
    body: '{"model":"openai/echo","model":"x","messages":[{"role":"user","content":"Hi"}]}',
    status: 400,
  },
  { name: 'a wrong content type', body: chat({}), status: 415, headers: { 'content-type': 'text/plain' } },
  {
    name: 'another charset',
    body: chat({}),
    status: 415,
    headers: { 'content-type': 'application/json; charset=utf-16' },
  },
]

async function post(gateway: Running, path: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const answer = await request(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body,
  })
  return {
    status: answer.statusCode,
    headers: answer.headers,
    json: (await answer.body.json()) as { error?: Record<string, unknown>; type?: string },
  }
}

const simulator = await startSimulator(tap)
const gateway = await startGateway(tap, {
  config: { keys: [{ name: 'test', key: KEY }], providers: simulatedProviders(simulator.origin) },
})

test('each bad body gets its clear 4xx in the envelope of the surface', async (t) => {
  for (const path of ['/v1/chat/completions', '/v1/messages']) {
    for (const each of CASES) {
      const { status, json } = await post(gateway, path, each.body, each.headers)
      t.equal(status, each.status, `${path}: ${each.name}: ${JSON.stringify(json)}`)
      t.type(json.error?.message, 'string')
      if (path === '/v1/messages') t.equal(json.type, 'error')
      else if (each.param !== undefined) t.equal(json.error?.param, each.param, each.name)
    }
  }
  t.equal(gateway.child.exitCode, null, 'the process is alive')
})

/** Whatever the API, these are bad. */
const BAD_ANYWHERE = CASES.filter(({ name, param }) => param === undefined && !/model|doubled/.test(name))
const GEMINI = '/v1beta/models/openai/echo:generateContent'

test('the same at the routes of Gemini and Ollama, with the path of a wrong field', async (t) => {
  const wrong: readonly (readonly [path: string, body: object, status: number, param: string | null])[] = [
    [GEMINI, {}, 400, 'contents'],
    [GEMINI, { contents: [{ parts: [{ text: 1 }] }] }, 400, 'contents.0.parts.0.text'],
    [GEMINI, { contents: [{ parts: [{ functionCall: {} }] }] }, 400, 'contents.0.parts.0.functionCall.name'],
    [GEMINI, { contents: [{}], generation_config: { top_k: 'x' } }, 400, 'generationConfig.topK'],
    ['/v1beta/models/none:generateContent', { contents: [{ parts: [{ text: 'Hi' }] }] }, 404, 'model'],
    ['/v1beta/models/openai/v:embedContent', { content: 1 }, 400, 'content'],
    ['/v1/models/openai/v:batchEmbedContents', { requests: [{}] }, 400, 'requests.0.content'],
    [`/v1beta/models/${'x'.repeat(300)}:generateContent`, {}, 400, null],
    ['/v1beta/models/:generateContent', {}, 400, null],
    ['/ollama/api/chat', { messages: [] }, 400, 'model'],
    ['/ollama/api/chat', { model: 'openai/echo', messages: [{ role: 'user', content: 1 }] }, 400, 'messages.0.content'],
    ['/ollama/api/chat', { model: 'openai/echo', messages: [{ role: 'x' }] }, 400, 'messages.0.role'],
    ['/ollama/api/generate', { model: 'openai/echo', images: [1] }, 400, 'images.0'],
    ['/ollama/api/embed', { model: 'openai/v', input: [1] }, 400, 'input'],
    ['/ollama/api/show', { model: 1 }, 400, 'model'],
  ]
  for (const [path, body, expected, param] of wrong) {
    const { status, json } = await post(gateway, path, JSON.stringify(body))
    t.equal(status, expected, `${path} ${JSON.stringify(json)}`)
    if (path.startsWith('/ollama')) t.match(json, { error: `'${param}'` })
    else if (param === null) t.match(json, { error: { code: expected, status: 'INVALID_ARGUMENT' } })
    else t.match(json, { error: { code: expected, details: [{ fieldViolations: [{ field: param }] }] } })
  }
  const paths = [GEMINI, GEMINI.replace(':g', ':streamG'), '/v1/models/openai/v:embedContent']
  for (const path of [...paths, '/ollama/api/chat', '/ollama/api/generate', '/ollama/api/embed', '/ollama/api/show']) {
    for (const each of BAD_ANYWHERE) {
      const { status, json } = await post(gateway, path, each.body, each.headers)
      t.equal(status, each.status, `${path}: ${each.name}: ${JSON.stringify(json)}`)
      if (path.startsWith('/ollama')) t.type(json.error, 'string')
      else t.match(json, { error: { code: each.status, status: 'INVALID_ARGUMENT', message: String } })
    }
  }
})

test('__proto__ in a body pollutes nothing and is forwarded as it came', async (t) => {
  const body =
    '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"model":"anthropic/echo","messages":[{"role":"user","content":"Hi","__proto__":{"x":1}}]}'
  const { status } = await post(gateway, '/v1/chat/completions', body)
  t.ok(status === 200 || status === 400, String(status))
  const after = await post(gateway, '/v1/chat/completions', chat({}))
  t.equal(after.status, 200)
})

test('no key and a wrong key are 401 with the same body, before the body is read', async (t) => {
  const bodies = []
  for (const authorization of [
    '',
    'Bearer ',
    'Bearer wrong',
    `Basic ${KEY}`,
    `Bearer ${KEY}x`,
    `Bearer ${KEY.slice(0, -1)}`,
  ]) {
    const { status, json } = await post(gateway, '/v1/chat/completions', 'not even JSON', { authorization })
    t.equal(status, 401, authorization)
    bodies.push(JSON.stringify(json))
  }
  t.equal(new Set(bodies).size, 1)
})

test('a body of 100 MB is refused with 413, declared or chunked, and memory stays flat', async (t) => {
  const declared = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: Buffer.alloc(100 * 1024 * 1024, 0x20),
  }).catch((error: Error) => error)
  // The gateway answers and closes while the client is still sending: a client sees the answer, or the closed connection.
  if (!(declared instanceof Error)) {
    t.equal(declared.statusCode, 413)
    await declared.body.dump()
  }
  const after = await post(gateway, '/v1/chat/completions', chat({}))
  t.equal(after.status, 200)
  const line = await gateway.logLine((each) => each.status === 413)
  t.equal(line.status, 413)
})

test('unknown routes are 404, known ones with a wrong method 405 with Allow, all JSON', async (t) => {
  const nowhere = await request(`${gateway.origin}/nowhere`)
  t.equal(nowhere.statusCode, 404)
  t.type(await nowhere.body.json(), 'object')
  const wrong = await request(`${gateway.origin}/v1/chat/completions`, { method: 'DELETE' })
  t.equal(wrong.statusCode, 405)
  t.match(wrong.headers.allow, /POST/)
  t.type(await wrong.body.json(), 'object')
})
