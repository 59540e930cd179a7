// Canary keys at a running gateway: a provider that quotes every header it gets in every kind of failure, clients that put
// their key in the wrong place. No answer, log line, metric or printed configuration holds one.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'tap'
import { request } from 'undici'
import { MAIN, type Running, startGateway, type Teardown } from '../helpers/gateway.js'

const GATEWAY_KEY = 'canary-gateway-key-00000001'
const METRICS_TOKEN = 'canary-metrics-token-0001'
const CANARY = /canary/i
const PROTOCOLS = ['openai-chat', 'openai-responses', 'anthropic-messages', 'google-gemini', 'ollama-chat']

/** Nobody has told the gateway of it, so it is known by its look alone. */
const STRAY_KEY = 'sk-proj-canary0123456789abcdefghijklmnop'
const CALLER_KEY = 'canary.caller.key.0123456789'

/** One form of request, to a provider's model. */
type Way = {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: (provider: string, model: string) => object
}

const messages = [{ role: 'user', content: 'Hi' }]
const chat = (stream: boolean) => (provider: string, model: string) => ({
  ...{ model: `${provider}/${model}`, max_tokens: 5, stream, messages },
})
const responses = (stream: boolean) => (provider: string, model: string) => ({
  ...{ model: `${provider}/${model}`, max_output_tokens: 16, stream, store: false, input: 'Hi' },
})
const talk = (stream: boolean) => (provider: string, model: string) => ({
  ...{ model_name: `${provider}/${model}`, user_last_statement: 'Hi', language: 'pl', stream },
})
const ofProvider = (stream: boolean) => (_provider: string, model: string) => ({ model, stream, messages })
const raw = (stream: boolean) => (provider: string, model: string) => ({
  ...{ provider, path: '/some/path', body: { model, stream } },
})
const prompt = (provider: string, model: string) => ({ model: `${provider}/${model}`, prompt: 'Hi' })
const parts = () => ({ contents: [{ parts: [{ text: 'Hi' }] }] })
const generate = (provider: string, model: string) => ({ model: `${provider}/${model}`, prompt: 'Hi', stream: false })
const CALLER = { 'x-api-key': CALLER_KEY }

const WAYS: readonly Way[] = [
  ...[true, false].flatMap((stream) => [
    { path: '/v1/chat/completions', body: chat(stream) },
    { path: '/v1/responses', body: responses(stream) },
    { path: '/v1/messages', body: chat(stream) },
    { path: '/api/chat', body: chat(stream) },
    { path: '/api/conversation_with_model', body: talk(stream) },
    { path: '/api/extended_conversation_with_model', body: talk(stream) },
    { path: '/v1/chat/{provider}', body: ofProvider(stream) },
    { path: '/v1/chat/{provider}', body: ofProvider(stream), headers: CALLER },
    { path: '/api/passthrough', body: raw(stream) },
    { path: '/ollama/api/chat', body: chat(stream) },
  ]),
  { path: '/v1/chat/stream', body: chat(false) },
  { path: '/stream', body: prompt },
  { path: '/stream', body: prompt, headers: { accept: 'text/event-stream' } },
  { path: '/ollama/api/generate', body: generate },
  { path: '/v1beta/models/{provider}/{model}:generateContent', body: parts },
  { path: '/v1beta/models/{provider}/{model}:streamGenerateContent', body: parts },
  { path: '/v1/models/{provider}/{model}:streamGenerateContent?alt=sse', body: parts },
]

function pathOf({ path }: Way, provider: string, model: string): string {
  return path.replace('{provider}', provider).replace('{model}', encodeURIComponent(model))
}

type Fault = (answer: ServerResponse, said: string, key: string) => void

const STATUS_FAULTS = [400, 401, 403, 404, 429, 500, 503].map((status): [string, Fault] => [
  `status-${status}`,
  (answer, said, key) => {
    answer.writeHead(status, { 'content-type': 'application/json', 'x-echo': key })
    const words = { type: key, code: key, param: key, status: key }
    answer.end(JSON.stringify({ type: 'error', error: { message: `Bad key ${key} in ${said}`, ...words } }))
  },
])

const FAULTS: ReadonlyMap<string, Fault> = new Map<string, Fault>([
  ...STATUS_FAULTS,
  ['plain-text', (answer, said) => answer.writeHead(500, { 'content-type': 'text/plain' }).end(said)],
  ['web-page', (answer, said) => answer.writeHead(200, { 'content-type': 'text/html' }).end(said)],
  ['not-json', (answer, said) => answer.writeHead(200, { 'content-type': 'application/json' }).end(`{"x": ${said}`)],
  ['coding', (answer, _said, key) => answer.writeHead(200, { 'content-encoding': key }).end('x')],
  ['redirect', (answer, _said, key) => answer.writeHead(302, { location: `http://127.0.0.1:9/${key}` }).end()],
  ['broken-head', (answer, said) => answer.socket?.end(`HTTP/1.1 abc ${said}\r\n${said}\r\n\r\n`)],
  ['broken-chunk', (answer, _said, key) => answer.socket?.end(`${CHUNKED_HEAD}${key}\r\n`)],
  [
    'in-band',
    (answer, said, key) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      const error = JSON.stringify({ type: 'error', error: { message: `${key} ${said}`, type: key, code: key } })
      answer.end(`event: error\ndata: ${error}\n\n`)
    },
  ],
])
const NOT_FOUND: Fault = (answer, said) => answer.writeHead(404).end(said)
const CHUNKED_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'

/** Fails as the model's name says, and quotes all it was sent. */
async function startEcho(t: Teardown): Promise<string> {
  const server = createServer(async (asked: IncomingMessage, answer) => {
    const body: Buffer[] = []
    for await (const chunk of asked) body.push(chunk)
    const name = /fault-([a-z0-9-]+)/.exec(`${Buffer.concat(body)}${asked.url}`)?.[1] ?? ''
    const said = `${JSON.stringify(asked.headers)} ${asked.url}`
    const fault = FAULTS.get(name) ?? NOT_FOUND
    fault(answer, said, /canary\.(?:provider|caller)[\w.-]*/.exec(said)?.[0] ?? '')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function configOf(origin: string) {
  const providers = PROTOCOLS.map((protocol) => [
    protocol,
    {
      protocol,
      baseUrl: origin,
      apiKey: `canary.provider.${protocol}`,
      headers: { 'x-tenant': 'canary.provider.tenant' },
    },
  ])
  return {
    keys: [{ name: 'k', key: GATEWAY_KEY }],
    metrics: { token: METRICS_TOKEN },
    compat: { errorDetails: true },
    log: { level: 'trace' },
    providers: Object.fromEntries(providers),
  }
}

type Asked = { readonly headers?: Readonly<Record<string, string>>; readonly method?: 'GET' | 'POST' }

/** All that the client gets to see. */
async function ask(gateway: Running, path: string, body: object | null, { headers = {}, method }: Asked = {}) {
  const answer = await request(gateway.origin + path, {
    method: method ?? 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${GATEWAY_KEY}`, ...headers },
    body: body === null ? null : JSON.stringify(body),
  })
  return JSON.stringify(answer.headers) + (await answer.body.text())
}

test('a key that a provider quotes in a failure, its own or the caller’s, is never shown', async (t) => {
  const gateway = await startGateway(t, { config: configOf(await startEcho(t)) })
  for (const fault of FAULTS.keys()) {
    for (const protocol of PROTOCOLS) {
      const asked = WAYS.map(async (way) => {
        const { headers = {}, body } = way
        const path = pathOf(way, protocol, `fault-${fault}`)
        const seen = await ask(gateway, path, body(protocol, `fault-${fault}`), { headers })
        t.notMatch(seen, CANARY, `${fault} of ${protocol} at ${path} ${JSON.stringify(body(protocol, 'm'))}`)
      })
      await Promise.all(asked)
    }
  }
  await isClean(t, gateway)
})

test('a key in the wrong place is in no log line and no error', async (t) => {
  const gateway = await startGateway(t, { config: configOf(await startEcho(t)) })
  const seen: string[] = []
  const wrong = async (path: string, body: object | null, asked: Asked = {}) => {
    seen.push(await ask(gateway, path, body, asked))
  }
  for (const key of [GATEWAY_KEY, 'canary.provider.openai-chat', STRAY_KEY]) {
    for (const way of WAYS) {
      const path = pathOf(way, 'openai-chat', 'fault-status-400')
      const and = path.includes('?') ? '&' : '?'
      const body = way.body('openai-chat', 'fault-status-400')
      const elsewhere = { 'x-request-id': key, 'x-other': key, 'anthropic-beta': key, origin: key, cookie: `k=${key}` }
      await wrong(`${path}${and}key=${key}`, { ...body, [key]: key }, { headers: { ...way.headers, ...elsewhere } })
      await wrong(`${path}${and}key=${key}`, body, { headers: { authorization: '' } })
      await wrong(pathOf(way, key, key), way.body(key, key), { headers: way.headers ?? {} })
      // The query of another address, taken for a part of the model's name.
      await wrong(pathOf(way, 'openai-chat', `fault-status-400?key=${key}`), way.body('openai-chat', `x?key=${key}`))
      await wrong(path, { ...body, stream: key, messages: key, prompt: [key], model_name: [key] })
      await wrong(`${path}/${key}`, body)
      await wrong(`${path}${and}${key}`, null, { method: 'GET' })
      for (const authorization of [`Basic ${key}`, key, `Bearer ${key}x`]) {
        await wrong(path, body, { headers: { authorization, 'x-api-key': `${key}x` } })
      }
    }
    await wrong(`/${key}`, {})
    await wrong(`/v1/chat/${key}`, { model: 'm', messages })
    await wrong(`/v1/models/${key}`, null, { method: 'GET' })
    await wrong('/api/passthrough', { provider: 'openai-chat', path: `/../${key}`, body: {} })
    await wrong('/api/passthrough', { provider: 'openai-chat', path: `http://${key}/`, body: { model: [key] } })
    await wrong('/api/conversation_with_model', { ...talk(true)('openai-chat', 'm'), language: `../${key}` })
  }
  t.ok(seen.length > 400)
  await isClean(t, gateway)
})

test('the configuration as printed holds no secret', async (t) => {
  const config = { ...configOf('http://127.0.0.1:9'), server: { port: 0 } }
  const gateway = await startGateway(t, { config })
  const page = execFileSync(process.execPath, [MAIN, 'check', '--config', `${gateway.folder}/sluice.json`]).toString()
  t.match(page, /anthropic-messages/)
  t.notMatch(page, CANARY)
})

const READ = [
  '/health',
  '/healthz',
  '/v1/health',
  '/readyz',
  '/ping',
  '/api/ping',
  '/v1/models',
  '/api/tags',
  '/openapi.json',
  '/metrics',
]

/** Nothing in health, models, metrics or log; the log is complete, as the process has ended. */
async function isClean(t: { notMatch(found: string, wanted: RegExp, name: string): unknown }, gateway: Running) {
  for (const path of READ) {
    const answer = await request(gateway.origin + path, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })
    t.notMatch(await answer.body.text(), CANARY, path)
  }
  await gateway.stop()
  t.notMatch(gateway.output.join('\n') + gateway.errorOutput, CANARY, 'log')
}

/** An answer that quotes the key in its content: by events where a stream was asked for and the model streams, else whole. */
async function startContentEcho(t: Teardown): Promise<string> {
  const server = createServer(async (asked, answer) => {
    const body: Buffer[] = []
    for await (const chunk of asked) body.push(chunk)
    const content = `your key is ${asked.headers.authorization}`
    const text = Buffer.concat(body).toString()
    if (text.includes('"stream":true') && text.includes('streams')) {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      answer.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`)
      answer.end('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
      return
    }
    const message = { role: 'assistant', content }
    answer.writeHead(200, { 'content-type': 'application/json' })
    answer.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a provider that quotes its key in the content of a whole answer is masked, however the answer is made', async (t) => {
  const gateway = await startGateway(t, { config: configOf(await startContentEcho(t)) })
  for (const [path, body] of [
    ['/v1/chat/completions', chat(false)('openai-chat', 'whole')],
    ['/v1/chat/completions', chat(true)('openai-chat', 'whole')],
    ['/v1/messages', chat(false)('openai-chat', 'whole')],
    ['/v1/messages', chat(false)('openai-chat', 'streams')],
    ['/v1/messages', chat(true)('openai-chat', 'whole')],
  ] as const) {
    const text = await ask(gateway, path, body)
    t.match(text, /your key is Bearer \*\*\*/, `${path} ${JSON.stringify(body)}`)
    t.notMatch(text, CANARY)
  }
})
