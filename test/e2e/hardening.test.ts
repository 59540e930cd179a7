// Hostile clients and upstreams at a running gateway: whatever they do, the process lives, what was taken is given back,
// and others are served. Each test is a fault that once got through, or a line of the contract under attack.

import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { cpuMs } from '../../bench/stats.js'
import { type Running, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'
import { exchangeRaw } from '../helpers/raw-http.js'

test('a head of 12 KB, a long token, is read and answered; 20 KB is refused', async (t) => {
  const gateway = await startGateway(t, { config: {} })
  const get = (bytes: number) =>
    exchangeRaw(portOf(gateway.origin), `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(bytes)}\r\n\r\n`)
  t.equal((await get(12_000)).answers[0]?.status, 200)
  t.equal((await get(20_000)).answers[0]?.status, 431)
})

test('every answer of a limited key bears its limits, and every 429 and 503 a Retry-After', async (t) => {
  const gateway = await start(t, {
    keys: [{ name: 'k', key: KEY, limits: { requestsPerMinute: 1000, requestWindowSeconds: 86_400 } }],
    // One try: in pauses the bucket would fill again.
    routing: { retries: { max: 0 }, breaker: { enabled: false } },
  })
  const cases: readonly [string, number, string | Buffer, Record<string, string>][] = [
    ['good', 200, chat({}), {}],
    ['not JSON', 400, '{', {}],
    ['empty', 400, '', {}],
    ['another type', 415, 'x', { 'content-type': 'text/plain' }],
    ['too large', 413, Buffer.alloc(200_000, 0x20), {}],
    ['no such model', 404, chat({ model: 'nobody/x' }), {}],
    ['limited upstream', 429, chat({ model: 'openai/lorem-max+fault=status,429' }), {}],
    ['overloaded upstream', 503, chat({ model: 'openai/lorem-max+fault=status,503' }), {}],
  ]
  for (const [name, status, body, headers] of cases) {
    const answer = await post(gateway, body, headers)
    t.equal(answer.status, status, name)
    t.equal(answer.headers['x-ratelimit-limit-requests'], '1000', name)
    for (const header of ['x-request-id', 'x-content-type-options', 'x-frame-options', 'referrer-policy']) {
      t.ok(answer.headers[header], `${name}: ${header}`)
    }
    if (status === 429 || status === 503) t.match(answer.headers['retry-after'], /^[1-9]\d*$/, name)
  }
  const left = async () => {
    const models = await request(`${gateway.origin}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } })
    await models.body.dump()
    return models.headers['x-ratelimit-remaining-requests']
  }
  const first = await left()
  t.match(first, /^9\d\d$/, 'the list of models bears them, too')
  t.ok(Number(await left()) >= Number(first), 'and takes nothing from them')
})

test('a frame larger than what a reader may lag behind reaches a client that reads, in either protocol', async (t) => {
  const frames = ['a', 'x'.repeat(3 * MIB), 'b'].map((content) =>
    frameOf({ choices: [{ index: 0, delta: { content } }] }),
  )
  const whole = JSON.stringify({
    choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(3 * MIB) }, finish_reason: 'stop' }],
  })
  const { gateway } = await startBehind(t, [
    ['frames', streamOf(...frames, FINISH)],
    ['whole', jsonOf(whole)],
  ])
  for (const model of ['frames', 'whole']) {
    for (const path of ['/v1/chat/completions', '/v1/messages']) {
      const { status, text } = await post(gateway, chat({ model: `up/${model}`, stream: true }), {}, path)
      t.equal(status, 200)
      t.ok(text.includes('x'.repeat(3 * MIB)), `${model} at ${path}: ${text.length} characters`)
      t.match(text.slice(-200), /\[DONE\]|message_stop/)
    }
  }
})

test('a million blank lines and empty events from an upstream do not hold up others', async (t) => {
  const noise = Buffer.from('data:\n\n\n: x\n\n'.repeat(250_000))
  const { gateway } = await startBehind(t, [['noise', streamOf(noise, frameOf(HELLO), FINISH)]])
  for (const path of ['/v1/chat/completions', '/v1/messages']) {
    for (const stream of [true, false]) {
      const beforeMs = cpuMs(gateway.pid)
      const { status } = await post(gateway, chat({ model: 'up/noise', stream }), {}, path)
      t.equal(status, 200)
      const tookMs = cpuMs(gateway.pid) - beforeMs
      // It takes 0.1 s; when each of them was looked at as if it were an event, many seconds.
      t.ok(tookMs < 2500, `${path}, stream ${stream}: ${tookMs} ms of processor time`)
    }
  }
})

test('a gateway that ends reports each drained chat on its WebSockets, then closes them with 1001', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '20'])
  const gateway = await startGateway(t, {
    config: { server: { drainMs: 100 }, providers: simulatedProviders(simulator.origin) },
  })
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
  await once(socket, 'open')
  const said: { type: string; outcome?: string }[] = []
  socket.on('message', (bytes: Buffer) => said.push(JSON.parse(bytes.toString())))
  const request = { model: 'openai/lorem-max', max_tokens: 2000, messages: [{ role: 'user', content: 'Hi' }] }
  socket.send(JSON.stringify({ type: 'chat', id: 'a', request }))
  await once(socket, 'message')
  const closed = once(socket, 'close')
  t.equal(await gateway.stop(), 0)
  const [code, reason] = (await closed) as [number, Buffer]
  t.match(said.at(-1), { type: 'error', outcome: 'drained' })
  t.equal(code, 1001)
  t.equal(reason.toString(), 'draining')
})

const MIB = 1024 * 1024
const HELLO = { choices: [{ index: 0, delta: { content: 'Hello' } }] }
const FINISH = `${frameOf({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}data: [DONE]\n\n`

type Play = (answer: ServerResponse) => void

function frameOf(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

function streamOf(...parts: (string | Buffer)[]): Play {
  return (answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const part of parts) answer.write(part)
    answer.end()
  }
}

function jsonOf(body: string): Play {
  return (answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end(body)
}

/** A gateway in front of an upstream that plays, for the model of that name, what the list says. */
async function startBehind(t: Teardown, plays: readonly (readonly [string, Play])[], config: object = {}) {
  const upstream = createServer(async (asked, answer) => {
    let body = ''
    for await (const chunk of asked) body += chunk
    const { model } = JSON.parse(body) as { model: string }
    new Map(plays).get(model)?.(answer)
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`
  const gateway = await startGateway(t, {
    config: { providers: { up: { protocol: 'openai-chat', baseUrl } }, ...config },
  })
  return { gateway, upstream }
}

const KEY = 'test-key-0123456789abcdef'

function chat(fields: object): string {
  return JSON.stringify({ model: 'openai/echo', max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }], ...fields })
}

/** A gateway in front of the simulator; its bodies may hold 100 KB. */
async function start(t: Teardown, config: object = {}): Promise<Running> {
  const simulator = await startSimulator(t, ['--tokens-per-second', '1000'])
  const server = { maxBodyBytes: 100_000, ...(config as { server?: object }).server }
  return startGateway(t, { config: { providers: simulatedProviders(simulator.origin), ...config, server } })
}

async function post(
  gateway: Running,
  body: string | Buffer,
  headers: Record<string, string> = {},
  path = '/v1/chat/completions',
) {
  const answer = await request(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body,
  })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

function portOf(origin: string): number {
  return Number(new URL(origin).port)
}
