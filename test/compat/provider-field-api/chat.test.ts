// The streaming API with the provider in the body, behaviour by behaviour, at a running gateway: its document's curls as they
// stand there (host and key adapted), with a scripted upstream in the place of both of its providers.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { t as root, test } from 'tap'
import { request } from 'undici'
import { startGateway } from '../../helpers/gateway.js'
import { json, stream, ToldUpstream } from '../../helpers/told-upstream.js'

const run = promisify(execFile)
const KEY = 'llama-secret-api-key-00001'
const MODEL = 'meta-llama/llama-3.2-3b-instruct:free'
const PROVIDER_KEY = 'canary.provider.key.0123456789'
const ANSWER = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: MODEL,
  choices: [{ index: 0, message: { role: 'assistant', content: 'Why did the llama?' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
}
const upstream = await ToldUpstream.start(root, json(ANSWER))
/** The .env of that system, its two providers included. */
const ENV = {
  API_KEYS: `${KEY}, another-secret-key-00002`,
  OLLAMA_BASE_URL: upstream.origin,
  OPENROUTER_API_KEY: PROVIDER_KEY,
  OPENROUTER_BASE_URL: upstream.origin,
  RATE_LIMIT_REQUESTS: '100',
  RATE_LIMIT_WINDOW_SECONDS: '60',
}
const gateway = await startGateway(root, { args: ['--port', '0'], env: ENV })

/** What curl prints. */
async function curl(path: string, body: string, ...flags: readonly string[]): Promise<string> {
  const headers = ['-H', 'Content-Type: application/json', '-H', `Authorization: Bearer ${KEY}`]
  return (await run('curl', ['-s', ...flags, '-X', 'POST', gateway.origin + path, ...headers, '-d', body])).stdout
}

async function ask(path: string, body: object, key: string = KEY, origin = gateway.origin) {
  const answer = await request(origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === '' ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], ...body }),
  })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

test('row 19: the health route is open and lists the providers, never a key', async (t) => {
  const { stdout } = await run('curl', ['-s', '-X', 'GET', `${gateway.origin}/v1/health`])
  const providers = ['ollama', 'openrouter'].map((name) => ({ name, configured: true, breaker: 'closed' }))
  t.strictSame(JSON.parse(stdout), { status: 'ok', providers })
})

const JOKE = `{
      "provider": "openrouter",
      "model": "${MODEL}",
      "messages": [
        {
          "role": "user",
          "content": "Tell me a joke."
        }
      ]
    }`

test("row 20: the document's curl gives one complete JSON, of the provider in the body", async (t) => {
  upstream.tell = json(ANSWER)
  t.strictSame(JSON.parse(await curl('/v1/chat/completions', JOKE)), ANSWER)
  t.match(upstream.last, { url: '/api/v1/chat/completions', headers: { authorization: `Bearer ${PROVIDER_KEY}` } })
  t.equal(upstream.body.model, MODEL)
  t.notOk('provider' in upstream.body)
  const full = { provider: 'openrouter', model: MODEL, temperature: 0.7, max_tokens: 100, stream: false }
  t.equal((await ask('/v1/chat/completions', full)).status, 200)
  t.match(upstream.body, { temperature: 0.7, max_tokens: 100, stream: false })
  upstream.tell = json({ message: { role: 'assistant', content: 'Hi' }, done: true, done_reason: 'stop' })
  const local = await ask('/v1/chat/completions', { provider: 'ollama', model: 'llama3.2' })
  t.match(JSON.parse(local.text), { object: 'chat.completion', choices: [{ message: { content: 'Hi' } }] })
  t.equal(upstream.last.url, '/api/chat')
})

test('row 20: an unknown provider is 400 and the configured ones are listed; well-known alone is not enough', async (t) => {
  const before = upstream.asked.length
  for (const provider of ['nowhere', 'anthropic', 'constructor', 'OpenRouter', ' ']) {
    for (const path of ['/v1/chat/completions', '/v1/chat/stream']) {
      const { status, text } = await ask(path, { provider, model: MODEL })
      t.equal(status, 400)
      const message = `Unsupported provider: ${provider}. Configured: ollama, openrouter.`
      t.match(JSON.parse(text), { error: { message, param: 'provider', type: 'invalid_request_error' } })
    }
  }
  t.equal(upstream.asked.length, before)
})

const STORY = JOKE.replace('Tell me a joke.', 'Tell me a story about a brave knight.').replace(
  /\n {4}\}$/,
  ',\n      "stream": true\n    }',
)
const CHUNKS =
  'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Once"}}]}\n\ndata: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

test("row 21: the document's curl streams chunks, and so does a body that does not ask for it", async (t) => {
  upstream.tell = stream(CHUNKS)
  t.match(JSON.parse(STORY), { stream: true })
  const bodies = [STORY, JOKE, JOKE.replace(/\n {4}\}$/, ',\n      "stream": false\n    }')]
  for (const body of bodies) {
    const printed = await curl('/v1/chat/stream', body, '-i')
    t.match(printed, /^content-type: text\/event-stream; charset=utf-8\r$/im)
    t.ok(printed.endsWith(CHUNKS), printed)
    t.match(upstream.body, { stream: true, model: MODEL })
  }
  upstream.tell = stream(
    '{"message":{"content":"Once"},"done":false}\n{"message":{"content":""},"done":true,"done_reason":"stop"}\n',
    'application/x-ndjson',
  )
  const local = await ask('/v1/chat/stream', { provider: 'ollama', model: 'llama3.2' })
  t.match(local.text, /^data: \{.*"object":"chat.completion.chunk".*"content":"Once"[\s\S]*\ndata: \[DONE\]\n\n$/m)
})

test('row 21: the stream comes as it is written, and a failure is a status before it and a frame within', async (t) => {
  let write: (text: string) => void = () => undefined
  upstream.tell = (answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    write = (text) => void answer.write(text)
    write('data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\n')
  }
  const answer = await request(`${gateway.origin}/v1/chat/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JOKE,
  })
  const chunks = answer.body[Symbol.asyncIterator]()
  t.match(String((await chunks.next()).value), /"one"/, 'the first is here before the second is written')
  write('data: {"choices":[{"index":0,"delta":{"content":"two"}}]}\n\n')
  t.match(String((await chunks.next()).value), /"two"/)
  write('data: {"error":{"message":"It broke","code":502}}\n\n')
  const last = String((await chunks.next()).value)
  t.match(last, /^data: \{"error":\{"message":"It broke"/)
  t.ok((await chunks.next()).done)
  t.notMatch(last, /\[DONE\]/)
  upstream.tell = json({ error: { message: 'No such model', code: 404 } }, 404)
  t.equal((await ask('/v1/chat/stream', { provider: 'openrouter', model: 'x' })).status, 404)
})

test('row 22: every key of the comma list opens, as Bearer, and nothing else does', async (t) => {
  upstream.tell = json(ANSWER)
  for (const key of [KEY, 'another-secret-key-00002']) {
    t.equal((await ask('/v1/chat/completions', { provider: 'openrouter', model: MODEL }, key)).status, 200)
  }
  for (const key of ['', 'x', ENV.API_KEYS, `${KEY} `.repeat(2), PROVIDER_KEY, KEY.toUpperCase()]) {
    for (const path of ['/v1/chat/completions', '/v1/chat/stream']) {
      t.equal((await ask(path, { provider: 'openrouter', model: MODEL }, key)).status, 401)
    }
  }
})

test('row 23: so many requests in a window for each client, whatever the window', async (t) => {
  upstream.tell = json(ANSWER)
  const env = { ...ENV, RATE_LIMIT_REQUESTS: '3', RATE_LIMIT_WINDOW_SECONDS: '3600' }
  const { origin } = await startGateway(t, { args: ['--port', '0'], env })
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) {
    const { status } = await ask('/v1/chat/completions', { provider: 'openrouter', model: MODEL }, KEY, origin)
    statuses.push(status)
  }
  t.same(statuses, [200, 200, 200, 429, 429])
  const limited = await ask('/v1/chat/stream', { provider: 'openrouter', model: MODEL }, KEY, origin)
  t.equal(limited.headers['x-ratelimit-limit-requests'], '3')
  t.ok(Number(limited.headers['retry-after']) > 1000, 'a third of an hour')
  const other = await ask(
    '/v1/chat/completions',
    { provider: 'openrouter', model: MODEL },
    'another-secret-key-00002',
    origin,
  )
  t.equal(other.status, 200, 'each client has its own')
})

test('row 24: its whole .env starts the gateway without a word of warning, and no key of it shows up anywhere', async (t) => {
  upstream.tell = json({ error: { message: `Bad ${PROVIDER_KEY}`, code: PROVIDER_KEY } }, 400)
  const refused = await ask(`/v1/chat/stream?key=${PROVIDER_KEY}`, { provider: 'openrouter', model: MODEL })
  const health = await (await request(`${gateway.origin}/v1/health`)).body.text()
  const metrics = await request(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
  const page = await metrics.body.text()
  await gateway.stop()
  t.notMatch(gateway.errorOutput, /warn|placeholder/i)
  t.notMatch([refused.text, health, page, ...gateway.output].join('\n'), /canary|secret-api-key/i)
})
