// The small proxy for a caller's own provider keys, behaviour by behaviour, at a running gateway: its document's curls as they
// stand there (host and key adapted), and what must never become of a caller's key.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { t as root, test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway } from '../../helpers/gateway.js'
import { readFixture } from '../../helpers/matrix.js'
import { reload } from '../../helpers/reload.js'
import { json, stream, type Tell, ToldUpstream } from '../../helpers/told-upstream.js'

const run = promisify(execFile)
const GATEWAY_KEY = 'gateway-key-of-team-a-0001'
const OTHER_KEY = 'gateway-key-of-team-b-0002'
const OPERATOR_KEY = 'sk-of-the-operator'
const CALLER_KEY = 'canary.caller.key.0123456789'
const MESSAGES = [{ role: 'user', content: 'Hello!' }]

const CHAT_ANSWER = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-4o-mini',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello!' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
}
const MESSAGES_ANSWER = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-3-5-sonnet-20240620',
  content: [{ type: 'text', text: 'Hi there' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 1, output_tokens: 2 },
}

const upstream = await ToldUpstream.start(root, json(CHAT_ANSWER))
const elsewhere = await ToldUpstream.start(root, json(CHAT_ANSWER))
const { origin } = upstream
const ADDRESSES = {
  OPENAI_BASE_URL: `${origin}/v1`,
  ANTHROPIC_BASE_URL: origin,
  GOOGLE_BASE_URL: origin,
  OLLAMA_BASE_URL: origin,
  OPENROUTER_BASE_URL: origin,
}
/** As that system's users start it: addresses in the environment, keys with the callers alone. */
const open = await startGateway(root, { args: ['--port', '0'], env: { ...ADDRESSES, ANTHROPIC_VERSION: '2024-02-02' } })
/** With keys of its own, and two providers of the operator's. */
const closed = await startGateway(root, {
  env: { LOG_LEVEL: 'trace' },
  config: {
    keys: [
      { name: 'team-a', key: GATEWAY_KEY },
      { name: 'team-b', key: OTHER_KEY, models: ['gpt-4o*'], limits: { requestsPerMinute: 3 } },
    ],
    providers: {
      openai: { baseUrl: origin, apiKey: OPERATOR_KEY },
      elsewhere: { protocol: 'openai-chat', baseUrl: elsewhere.origin, apiKey: 'sk-elsewhere' },
    },
    models: { both: { targets: ['openai/a', 'elsewhere/b'], fallbacks: ['spare'] }, spare: 'elsewhere/c' },
  },
})

type Asking = { readonly headers?: Readonly<Record<string, string>>; readonly body?: object }

async function ask(gateway: Running, path: string, { headers = { 'x-api-key': CALLER_KEY }, body = {} }: Asking = {}) {
  const answer = await request(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'gpt-4o-mini', messages: MESSAGES, ...body }),
  })
  const text = await answer.body.text()
  return { status: answer.statusCode, headers: answer.headers, text }
}

/** What the document's curl prints. */
async function curl(gateway: Running, path: string, body: string, flag = '-s'): Promise<string> {
  const args = [flag, '-H', 'Content-Type: application/json', '-H', `X-API-Key: ${CALLER_KEY}`, '-X', 'POST']
  return (await run('curl', [...args, gateway.origin + path, '-d', body])).stdout
}

const WHOLE: readonly (readonly [provider: string, path: string, answer: object])[] = [
  ['openai', '/v1/chat/completions', CHAT_ANSWER],
  ['anthropic', '/v1/messages', MESSAGES_ANSWER],
  [
    'google',
    '/v1beta/models/m:streamGenerateContent?alt=sse',
    { candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] },
  ],
  ['ollama', '/api/chat', { message: { role: 'assistant', content: 'Hi' }, done: true, done_reason: 'stop' }],
  ['openrouter', '/api/v1/chat/completions', CHAT_ANSWER],
]

test('row 33: every well-known and every configured provider answers below its name', async (t) => {
  for (const [provider, path, whole] of WHOLE) {
    upstream.tell = json(whole)
    const { status, text, headers } = await ask(open, `/v1/chat/${provider}`, { body: { model: 'm' } })
    t.equal(status, 200, text)
    t.match(JSON.parse(text), { provider, content: /^H/, stop_reason: /./ })
    t.equal(headers['x-sluice-target'], `${provider}/m`)
    t.equal(upstream.last.url, path)
  }
  upstream.tell = json(WHOLE[3]?.[2])
  t.equal((await ask(open, '/v1/chat/ollama', { headers: {} })).status, 200, 'a configured one without a key')
})

test('row 33: an unknown provider is 400, whatever its name holds; literal routes go first', async (t) => {
  const before = upstream.asked.length
  const unknown = await ask(open, '/v1/chat/nowhere')
  t.equal(unknown.status, 400)
  t.match(JSON.parse(unknown.text), { detail: 'Unsupported provider: nowhere', error: { param: 'provider' } })
  for (const name of ['OPENAI', '__proto__', 'constructor', 'openai%00', 'openai;x', '"><script>', 'sim%2f']) {
    const { status, text } = await ask(open, `/v1/chat/${encodeURI(decodeURI(name))}`)
    t.equal(status, 400, name)
    t.type(JSON.parse(text).detail, 'string')
  }
  t.equal(upstream.asked.length, before, 'nobody was asked')
  upstream.tell = json(WHOLE[3]?.[2])
  const literal = await ask(open, '/v1/chat/completions', { body: { model: 'ollama/m' } })
  t.match(JSON.parse(literal.text), { object: 'chat.completion' })
  t.match((await ask(open, '/v1/chat/stream', { body: { model: 'ollama/m' } })).text, /data: \[DONE\]/)
})

test('row 34: the key of the caller goes where that provider has its keys, and a well-known one needs one', async (t) => {
  upstream.tell = json(CHAT_ANSWER)
  await ask(open, '/v1/chat/openai')
  t.match(upstream.last, { url: '/v1/chat/completions', headers: { authorization: `Bearer ${CALLER_KEY}` } })
  t.notOk('x-api-key' in upstream.last.headers)
  upstream.tell = json(MESSAGES_ANSWER)
  await ask(open, '/v1/chat/anthropic')
  const version = { 'x-api-key': CALLER_KEY, 'anthropic-version': '2024-02-02' }
  t.match(upstream.last, { url: '/v1/messages', headers: version })
  t.notOk('authorization' in upstream.last.headers)
  await ask(open, '/v1/chat/google', { body: { model: 'gemini-2' } })
  t.equal(upstream.last.headers['x-goog-api-key'], CALLER_KEY)
  t.equal(upstream.last.url?.includes(CALLER_KEY), false)
  const count = upstream.asked.length
  for (const headers of [{}, { authorization: `Bearer ${CALLER_KEY}` }]) {
    const without = await ask(open, '/v1/chat/openai', { headers })
    t.equal(without.status, 401, without.text)
  }
  t.equal(upstream.asked.length, count, 'a Bearer is no key of the caller with a provider')
})

const AUTHORITY: readonly (readonly [
  name: string,
  headers: Record<string, string>,
  status: number,
  sent: string | null,
])[] = [
  ['no key at all', {}, 401, null],
  ["the caller's key alone", { 'x-api-key': CALLER_KEY }, 401, null],
  ["the caller's key twice", { 'x-api-key': CALLER_KEY, authorization: `Bearer ${CALLER_KEY}` }, 401, null],
  ['a gateway key as Bearer', { authorization: `Bearer ${GATEWAY_KEY}` }, 200, OPERATOR_KEY],
  ['a gateway key as X-API-Key', { 'x-api-key': GATEWAY_KEY }, 200, OPERATOR_KEY],
  ['a gateway key as both', { 'x-api-key': GATEWAY_KEY, authorization: `Bearer ${GATEWAY_KEY}` }, 200, OPERATOR_KEY],
  ['another gateway key', { 'x-api-key': OTHER_KEY, authorization: `Bearer ${GATEWAY_KEY}` }, 200, OPERATOR_KEY],
  ['both kinds', { 'x-api-key': CALLER_KEY, authorization: `Bearer ${GATEWAY_KEY}` }, 200, CALLER_KEY],
  ['a key no header can hold', { 'x-api-key': 'a b', authorization: `Bearer ${GATEWAY_KEY}` }, 400, null],
]

test('row 34: with gateway keys set the caller needs one of them, and a gateway key never leaves', async (t) => {
  upstream.tell = json(CHAT_ANSWER)
  const before = upstream.asked.length
  for (const [name, headers, status, sent] of AUTHORITY) {
    const count = upstream.asked.length
    const answer = await ask(closed, '/v1/chat/openai', { headers })
    t.equal(answer.status, status, `${name}: ${answer.text}`)
    t.equal(upstream.asked.length, count + (sent === null ? 0 : 1), name)
    if (sent !== null) t.equal(upstream.last.headers.authorization, `Bearer ${sent}`, name)
    t.notMatch(JSON.stringify(upstream.asked.slice(before)), /gateway-key/, name)
  }
  await ask(closed, '/v1/chat/completions', {
    headers: { 'x-api-key': CALLER_KEY, authorization: `Bearer ${GATEWAY_KEY}` },
  })
  t.equal(upstream.last.headers.authorization, `Bearer ${OPERATOR_KEY}`, 'on other routes it is nothing')
})

test('row 34: the model globs and the limits of the gateway key hold for a caller with a key of its own', async (t) => {
  upstream.tell = json(CHAT_ANSWER)
  const before = upstream.asked.length
  const headers = { 'x-api-key': CALLER_KEY, authorization: `Bearer ${OTHER_KEY}` }
  t.equal((await ask(closed, '/v1/chat/openai', { headers })).status, 200)
  t.equal((await ask(closed, '/v1/chat/openai', { headers, body: { model: 'o3' } })).status, 403)
  t.equal((await ask(closed, '/v1/chat/openai', { headers, body: { model: 'x/gpt-4o' } })).status, 403)
  const limited = await ask(closed, '/v1/chat/openai', { headers })
  t.equal(limited.status, 429)
  t.ok(limited.headers['retry-after'])
  t.equal(upstream.asked.length, before + 1)
})

/** Ways in which a provider, or a caller, might take a key to where it does not belong. */
const LURES: readonly (readonly [name: string, body: object, tell: (elsewhere: string) => Tell])[] = [
  ...[301, 302, 303, 307, 308].map(
    (status) =>
      [
        `redirect ${status}`,
        {},
        (to: string): Tell =>
          (answer) =>
            answer.writeHead(status, { location: to }).end(),
      ] as const,
  ),
  ['refresh', {}, (to) => json({}, 500, { refresh: `0; url=${to}`, location: to })],
  ['base_url in the body', { base_url: 'ELSEWHERE', api_base: 'ELSEWHERE' }, () => json(CHAT_ANSWER)],
  ['another provider in the body', { provider: 'elsewhere' }, () => json(CHAT_ANSWER)],
  ['a model of another provider', { model: 'elsewhere/m' }, () => json(CHAT_ANSWER)],
  ['a configured model with fallbacks', { model: 'both' }, () => json({ error: { message: 'busy' } }, 503)],
  ['a connection that breaks', { model: 'both' }, () => (answer) => answer.socket?.destroy()],
]

test('row 34: no redirect, fallback or field takes the key of the caller to another place', async (t) => {
  const headers = { 'x-api-key': CALLER_KEY, authorization: `Bearer ${GATEWAY_KEY}` }
  for (const [name, body, tell] of LURES) {
    upstream.tell = tell(elsewhere.origin)
    const text = JSON.stringify(body).replaceAll('ELSEWHERE', elsewhere.origin)
    const before = upstream.asked.length
    const { status } = await ask(closed, '/v1/chat/openai', { headers, body: JSON.parse(text) })
    t.ok(upstream.asked.length > before, `${name}: ${status}`)
    t.equal(upstream.last.headers.authorization, `Bearer ${CALLER_KEY}`, name)
    if (name.startsWith('redirect')) t.equal(status, 502, name)
  }
  t.same(elsewhere.asked, [])
  upstream.tell = json(CHAT_ANSWER)
  await ask(closed, '/v1/chat/openai', { headers: { authorization: headers.authorization } })
  t.equal(upstream.last.headers.authorization, `Bearer ${OPERATOR_KEY}`, 'it is kept for nobody')
})

test('row 34: a reload leaves the connections of a provider that nobody configured, and takes its new address at once', async (t) => {
  const configOf = (address: string, maxBodies: number) => ({
    limits: { concurrency: maxBodies },
    // Left out for want of a key, so it is there for those who bring one.
    providers: {
      openai: { baseUrl: address, apiKey: '' },
      other: { protocol: 'openai-chat', baseUrl: elsewhere.origin },
    },
  })
  const gateway = await startGateway(t, { config: configOf(origin, 10) })
  const ports: unknown[] = []
  upstream.tell = (answer, asked) => {
    ports.push(answer.socket?.remotePort)
    json(CHAT_ANSWER)(answer, asked)
  }
  t.equal((await ask(gateway, '/v1/chat/openai')).status, 200)
  t.equal((await reload(gateway, configOf(origin, 11))).msg, 'configuration reloaded')
  t.equal((await ask(gateway, '/v1/chat/openai')).status, 200)
  t.equal(new Set(ports).size, 1, 'one connection')
  const asked = elsewhere.asked.length
  await reload(gateway, configOf(elsewhere.origin, 11))
  t.equal((await ask(gateway, '/v1/chat/openai')).status, 200)
  t.equal(ports.length, 2)
  t.equal(elsewhere.asked.length, asked + 1)
  t.equal(elsewhere.last.headers.authorization, `Bearer ${CALLER_KEY}`)
})

test('row 35: the curls of the document give the small form', async (t) => {
  upstream.tell = json(CHAT_ANSWER)
  const chat = '{ "model":"gpt-4o-mini", "messages":[{"role":"user","content":"Hello!"}], "stream": false }'
  t.strictSame(JSON.parse(await curl(open, '/v1/chat/openai', chat)), {
    provider: 'openai',
    model: 'gpt-4o-mini',
    content: 'Hello!',
    stop_reason: 'stop',
  })
  upstream.tell = json(MESSAGES_ANSWER)
  const messages =
    '{ "model":"claude-3-5-sonnet-20240620", "messages":[{"role":"system","content":"You are helpful"},{"role":"user","content":"Hello!"}], "max_tokens": 256, "stream": false }'
  t.strictSame(JSON.parse(await curl(open, '/v1/chat/anthropic', messages)), {
    provider: 'anthropic',
    model: 'claude-3-5-sonnet-20240620',
    content: 'Hi there',
    stop_reason: 'end_turn',
  })
  t.match(upstream.body, { max_tokens: 256, system: [{ text: 'You are helpful' }], messages: [{ role: 'user' }] })
  t.equal((upstream.body.messages as unknown[]).length, 1)
})

/** A recorded stream of each wire. */
const STREAMS: readonly (readonly [provider: string, file: string, type: string])[] = [
  ['openai', 'openai-chat/streams/text.sse', 'text/event-stream'],
  ['anthropic', 'anthropic-messages/streams/text.sse', 'text/event-stream'],
  ['google', 'google-gemini/streams/text.sse', 'text/event-stream'],
  ['ollama', 'ollama-chat/streams/text.ndjson', 'application/x-ndjson'],
]

test('row 36: a stream is the bytes of the upstream as they are, whatever it speaks', async (t) => {
  for (const [provider, file, type] of STREAMS) {
    const bytes = readFixture(file)
    upstream.tell = stream(bytes, type)
    const body = { stream: true, stream_options: { include_usage: true } }
    const answer = await ask(open, `/v1/chat/${provider}`, { body })
    t.equal(answer.status, 200, answer.text)
    t.ok(String(answer.headers['content-type']).startsWith(type), provider)
    t.equal(answer.text, bytes.toString(), provider)
    const line = await open.exchange(String(answer.headers['x-request-id']))
    t.match(line, { outcome: 'complete', usageSource: 'provider', surface: 'provider-chat' }, provider)
    t.ok((line.tokens as { out: number }).out > 0, `${provider}: usage is observed`)
  }
})

test("row 36: the document's curl streams, each chunk as it comes", async (t) => {
  let write: (text: string) => void = () => undefined
  upstream.tell = (answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    write = (text) => (text === '' ? answer.end() : answer.write(text))
    write('data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n')
  }
  const answer = await request(`${open.origin}/v1/chat/openai`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': CALLER_KEY },
    body: '{ "model":"gpt-4o-mini", "messages":[{"role":"user","content":"Stream please"}], "stream": true }',
  })
  const chunks = answer.body[Symbol.asyncIterator]()
  const next = async () => String((await chunks.next()).value)
  t.match(await next(), /"one"/, 'the first is here before the second is written')
  write('data: {"choices":[{"index":0,"delta":{"content":"two"},"finish_reason":"stop"}]}\n\n')
  t.match(await next(), /"two"/)
  write('data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\ndata: [DONE]\n\n')
  write('')
  t.equal(await next(), 'data: [DONE]\n\n', 'usage that the client did not ask for is kept back')
  t.match(await open.exchange(String(answer.headers['x-request-id'])), { outcome: 'complete', tokens: { out: 2 } })
  const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Stream please"}],"stream":true}'
  upstream.tell = stream('data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n')
  t.match(await curl(open, '/v1/chat/openai', body, '-sN'), /"x".*\n\ndata: \[DONE\]\n\n$/)
})

test('row 36: an upstream that will not stream is replayed, as chat chunks', async (t) => {
  upstream.tell = json({ message: { role: 'assistant', content: 'Hi' }, done: true, done_reason: 'stop' })
  const { text, headers } = await ask(open, '/v1/chat/ollama', { body: { stream: true } })
  t.match(headers['content-type'], /^text\/event-stream/)
  t.match(text, /"content":"Hi"[\s\S]*\ndata: \[DONE\]\n\n$/)
})

const CUTS: readonly (readonly [provider: string, first: string, type: string, error: RegExp, marker: string])[] = [
  [
    'openai',
    'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    'text/event-stream',
    /^event: error\ndata: \{"type":"error"/m,
    '[DONE]',
  ],
  [
    'anthropic',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}\n\n',
    'text/event-stream',
    /^event: error\ndata: \{"type":"error"/m,
    'message_stop',
  ],
  [
    'google',
    'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n',
    'text/event-stream',
    /^event: error\ndata: \{"type":"error"/m,
    'finishReason',
  ],
  [
    'ollama',
    '{"message":{"content":"a"},"done":false}\n',
    'application/x-ndjson',
    /^\{"error":"[^"]+","code":"upstream_cut"\}\n$/m,
    '"done":true',
  ],
]

test('row 36: a failure after the first byte is an error frame in the framing of the stream, never an end marker', async (t) => {
  for (const [provider, first, type, error, marker] of CUTS) {
    upstream.tell = (answer) => {
      answer.writeHead(200, { 'content-type': type })
      answer.write(first, () => answer.socket?.destroy())
    }
    const { text, headers } = await ask(open, `/v1/chat/${provider}`, { body: { stream: true } })
    t.ok(text.startsWith(first), provider)
    t.match(text, error, provider)
    t.notOk(text.includes(marker), provider)
    t.equal((await open.exchange(String(headers['x-request-id']))).outcome, 'upstream_cut', provider)
  }
})

test('row 36: the upstream is left when the client leaves', async (t) => {
  upstream.tell = (answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
  }
  const answer = await request(`${open.origin}/v1/chat/openai`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': CALLER_KEY },
    body: JSON.stringify({ model: 'm', stream: true, messages: MESSAGES }),
  })
  await answer.body[Symbol.asyncIterator]().next()
  answer.body.destroy()
  await upstream.last.closed
  t.equal((await open.exchange(String(answer.headers['x-request-id']))).outcome, 'client_gone')
})

test('row 37: an error of the upstream keeps its status and its body', async (t) => {
  // One try: with the default ones each status that is worth another is asked for again after the seven seconds it names.
  const config = { routing: { retries: { max: 0 }, breaker: { enabled: false } } }
  const gateway = await startGateway(t, { config, env: ADDRESSES })
  for (const status of [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529]) {
    const body = { error: { message: `No ${status}`, type: 'theirs', extra: [1, { deep: null }] } }
    upstream.tell = json(body, status, { 'retry-after': '7', 'x-theirs': '1' })
    for (const asked of [{ stream: true }, { stream: false }]) {
      const answer = await ask(gateway, '/v1/chat/openai', { body: asked })
      t.equal(answer.status, status)
      t.strictSame(JSON.parse(answer.text), body)
      t.equal(answer.headers['retry-after'], '7')
      t.notOk('x-theirs' in answer.headers)
    }
  }
  upstream.tell = (answer) => answer.writeHead(500, { 'content-type': 'text/html' }).end('<h1>It broke</h1>')
  const page = await ask(open, '/v1/chat/openai')
  t.equal(page.status, 500)
  t.type(JSON.parse(page.text).detail, 'string')
})

const OWN_ENV = { HTTP_MAX_CONNECTIONS: '100', HTTP_MAX_KEEPALIVE_CONNECTIONS: '20', ANTHROPIC_VERSION: '2023-06-01' }

test('rows 37, 38: with its whole .env, what cannot be reached is 502, what does not answer in time 504, before any byte', async (t) => {
  const gateway = await startGateway(t, {
    args: ['--port', '0'],
    env: { ...ADDRESSES, ...OWN_ENV, HTTP_TIMEOUT_SECONDS: '0.3', OPENROUTER_BASE_URL: 'http://127.0.0.1:1' },
  })
  upstream.tell = (answer) => answer.socket?.destroy()
  for (const provider of ['openai', 'openrouter']) {
    const { status, text } = await ask(gateway, `/v1/chat/${provider}`)
    t.equal(status, 502, text)
    t.match(JSON.parse(text).error.code, /^upstream_/)
  }
  upstream.tell = () => undefined
  for (const asked of [{ stream: true }, { stream: false }]) {
    const { status, text } = await ask(gateway, '/v1/chat/openai', { body: asked })
    t.equal(status, 504, text)
    t.equal(JSON.parse(text).error.code, 'upstream_timeout')
  }
})

test('row 38: the health route answers as documented', async (t) => {
  const { stdout } = await run('curl', ['-s', `${open.origin}/healthz`])
  t.strictSame(JSON.parse(stdout), { status: 'ok' })
})

/** Answers that quote the key in all they can. */
const ECHOES: readonly Tell[] = [
  ...[400, 401, 404, 429, 500, 503].map((status) =>
    json({ error: { message: `Bad key ${CALLER_KEY}`, type: CALLER_KEY, code: CALLER_KEY } }, status, {
      'x-echo': CALLER_KEY,
    }),
  ),
  (answer) => answer.writeHead(500, { 'content-type': 'text/plain' }).end(`no: ${CALLER_KEY}`),
  (answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end(`{"x": ${CALLER_KEY}`),
  (answer) => answer.writeHead(302, { location: `http://127.0.0.1:9/${CALLER_KEY}` }).end(),
  (answer) => answer.writeHead(200, { 'content-encoding': CALLER_KEY }).end('x'),
  (answer) => answer.socket?.end(`HTTP/1.1 abc ${CALLER_KEY}\r\n\r\n`),
  stream(`event: error\ndata: {"error":{"message":"${CALLER_KEY}","code":"${CALLER_KEY}"}}\n\n`),
]

test('a canary key in header, query, body and the words of the upstream shows up nowhere', async (t) => {
  const asked = upstream.asked.length
  const headers = { 'x-api-key': CALLER_KEY, authorization: `Bearer ${GATEWAY_KEY}` }
  const answers: string[] = []
  const keep = async (path: string, asking: Asking) => {
    const { text, headers: got } = await ask(closed, path, asking)
    answers.push(text, JSON.stringify(got))
  }
  for (const tell of ECHOES) {
    upstream.tell = tell
    for (const streams of [true, false]) {
      await keep(`/v1/chat/openai?key=${CALLER_KEY}`, { headers, body: { stream: streams, api_key: CALLER_KEY } })
    }
  }
  const bearer = { 'x-api-key': CALLER_KEY, authorization: `Bearer ${CALLER_KEY}` }
  await keep('/v1/chat/openai', { headers: bearer })
  await keep(`/v1/chat/nowhere?key=${CALLER_KEY}`, { headers })
  await keep('/v1/chat/openai', { headers, body: { messages: CALLER_KEY } })
  for (const path of ['/metrics', '/v1/health', '/healthz', '/v1/models']) {
    const got = await request(`${closed.origin}${path}?key=${CALLER_KEY}`, { headers })
    answers.push(await got.body.text())
  }
  await closed.stop()
  t.ok(upstream.asked.length >= asked + 2 * ECHOES.length)
  t.ok(closed.lines.length >= 2 * ECHOES.length)
  t.notMatch(answers.join('\n'), /canary/i)
  await open.stop()
  for (const { output, errorOutput } of [open, closed]) t.notMatch(output.join('\n') + errorOutput, /canary/i)
})
