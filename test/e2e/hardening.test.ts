// Hostile clients and upstreams at a running gateway: whatever they do, the process lives, what was taken is given back,
// and others are served. Each test is a fault that once got through, or a line of the contract under attack.

import { test } from 'tap'
import { request } from 'undici'
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
  const gateway = await start(t, { keys: [{ name: 'k', key: KEY, limits: { requestsPerMinute: 1000 } }] })
  const cases: readonly [string, number, string | Buffer, Record<string, string>][] = [
    ['good', 200, chat({}), {}],
    ['not JSON', 400, '{', {}],
    ['empty', 400, '', {}],
    ['another type', 415, 'x', { 'content-type': 'text/plain' }],
    ['too large', 413, Buffer.alloc(200_000, 0x20), {}],
    ['no such model', 404, chat({ model: 'nobody/x' }), {}],
    ['limited upstream', 429, chat({ model: 'openai/lorem+fault=status,429' }), {}],
    ['overloaded upstream', 503, chat({ model: 'openai/lorem+fault=status,503' }), {}],
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
})

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

async function post(gateway: Running, body: string | Buffer, headers: Record<string, string> = {}) {
  const answer = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
    body,
  })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

function portOf(origin: string): number {
  return Number(new URL(origin).port)
}
