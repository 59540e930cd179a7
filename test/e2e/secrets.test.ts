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
const PROTOCOLS = ['openai-chat', 'anthropic-messages', 'google-gemini', 'ollama-chat']

const WAYS = [
  ...[true, false].flatMap((stream) => [['/v1/chat/completions', stream] as const, ['/v1/messages', stream] as const]),
  ['/stream', true],
  ['/api/chat', true],
] as const

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
    fault(answer, said, /canary\.provider[\w.-]*/.exec(said)?.[0] ?? '')
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

async function ask(gateway: Running, path: string, chat: object, headers: Record<string, string> = {}) {
  const answer = await request(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${GATEWAY_KEY}`, ...headers },
    body: JSON.stringify({ max_tokens: 5, prompt: 'Hi', messages: [{ role: 'user', content: 'Hi' }], ...chat }),
  })
  return { status: answer.statusCode, seen: JSON.stringify(answer.headers) + (await answer.body.text()) }
}

test('a provider that quotes its key in any failure tells it to nobody', async (t) => {
  const gateway = await startGateway(t, { config: configOf(await startEcho(t)) })
  for (const fault of FAULTS.keys()) {
    for (const protocol of PROTOCOLS) {
      for (const [path, stream] of WAYS) {
        const { seen } = await ask(gateway, path, { model: `${protocol}/fault-${fault}`, stream })
        t.notMatch(seen, CANARY, `${fault} of ${protocol} at ${path}, stream ${stream}`)
      }
    }
  }
  await isClean(t, gateway)
})

test('a key in the wrong place is in no log line', async (t) => {
  const gateway = await startGateway(t, { config: configOf(await startEcho(t)) })
  await ask(gateway, `/v1/chat/completions?key=${GATEWAY_KEY}`, { model: 'x' }, { 'x-request-id': GATEWAY_KEY })
  await ask(gateway, '/v1/chat/completions', { model: GATEWAY_KEY })
  await ask(gateway, '/v1/chat/completions', { model: `openai-chat/${GATEWAY_KEY}` })
  await ask(gateway, '/v1/chat/completions', { model: 'x', provider: GATEWAY_KEY })
  await ask(gateway, '/v1/chat/completions', { model: 'x', [GATEWAY_KEY]: 1 })
  await ask(gateway, `/${GATEWAY_KEY}`, {})
  await ask(gateway, '/v1/chat/completions', {}, { authorization: `Basic ${GATEWAY_KEY}`, origin: GATEWAY_KEY })
  await isClean(t, gateway)
})

test('the configuration as printed holds no secret', async (t) => {
  const config = { ...configOf('http://127.0.0.1:9'), server: { port: 0 } }
  const gateway = await startGateway(t, { config })
  const page = execFileSync(process.execPath, [MAIN, 'check', '--config', `${gateway.folder}/sluice.json`]).toString()
  t.match(page, /anthropic-messages/)
  t.notMatch(page, CANARY)
})

/** Nothing in health, models, metrics or log; the log is complete, as the process has ended. */
async function isClean(t: { notMatch(found: string, wanted: RegExp, name: string): unknown }, gateway: Running) {
  for (const path of ['/health', '/v1/health', '/readyz', '/v1/models', '/metrics']) {
    const answer = await request(gateway.origin + path, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })
    t.notMatch(await answer.body.text(), CANARY, path)
  }
  await gateway.stop()
  t.notMatch(gateway.output.join('\n') + gateway.errorOutput, CANARY, 'log')
}
