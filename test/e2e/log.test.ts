// What the log of a running gateway tells an operator: who asked, what failed on the way, when a target went and came back.
import { once } from 'node:events'
import { test } from 'tap'
import { request } from 'undici'
import { WebSocket } from 'ws'
import { type LogLine, simulatedProviders, startGateway, startSimulator, type Teardown } from '../helpers/gateway.js'

const MESSAGES = [{ role: 'user', content: 'Hello' }]
const LONG_MESSAGES = [{ role: 'user', content: 'Tell me of the sea, of the ships and of the wind.' }]

async function start(t: Teardown) {
  const simulator = await startSimulator(t)
  const { openai } = simulatedProviders(simulator.origin)
  return startGateway(t, {
    config: {
      prices: { enabled: true, models: { 'sim/*': { input: 3, output: 15 } } },
      routing: { retries: { max: 0 }, breaker: { consecutiveFailures: 2, openMs: 100 } },
      providers: { sim: openai, gone: { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1:9' } },
      models: {
        pair: { targets: ['gone/echo'], fallbacks: ['echo'] },
        echo: 'sim/echo',
        alone: 'gone/echo',
      },
    },
  })
}

async function ask(origin: string, model: string) {
  const answer = await request(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'probe/1 (\u00e9)' },
    body: JSON.stringify({ model, messages: MESSAGES }),
  })
  await answer.body.dump()
  const { 'x-request-id': id, 'x-sluice-cost': cost } = answer.headers
  return { status: answer.statusCode, id: String(id), cost: Number(cost) }
}

test('the line of a request names its origin, and after a fallback the failed target and its error', async (t) => {
  const gateway = await start(t)
  const { status, id, cost } = await ask(gateway.origin, 'pair')
  t.equal(status, 200)
  const line = await gateway.exchange(id)
  const { in: input, out } = line.tokens as { readonly in: number; readonly out: number }
  t.equal(line.cost, (input * 3 + out * 15) / 1_000_000, 'the attempt that reached no provider costs nothing')
  t.equal(cost, line.cost)
  t.match(line, {
    level: 'info',
    method: 'POST',
    path: '/v1/chat/completions',
    address: '127.0.0.1',
    agent: /^probe\/1 \(\?+\)$/,
    target: 'sim/echo',
    tries: [
      { target: 'gone/echo', result: 'unreachable', code: 'upstream_unreachable', message: /ECONNREFUSED/, ms: Number },
      { target: 'sim/echo', result: 'ok', ms: Number },
    ],
  })
})

test('an outage and an opening breaker are logged at warn; a closing breaker is logged', async (t) => {
  const gateway = await start(t)
  const first = await ask(gateway.origin, 'alone')
  t.equal(first.status, 502)
  t.match(await gateway.exchange(first.id), { level: 'warn', status: 502, error: { code: 'upstream_unreachable' } })
  await ask(gateway.origin, 'alone')
  const isOpen = ({ msg }: LogLine) => msg === 'breaker open'
  t.match(await gateway.logLine(isOpen), {
    level: 'warn',
    target: 'gone/echo',
    code: 'upstream_unreachable',
    waitMs: 100,
  })
  t.equal((await ask(gateway.origin, 'nowhere/x')).status, 404)
  t.match(await gateway.logLine(({ status }) => status === 404), { level: 'info' })
})

test('the chats of a WebSocket are joined to their socket, and by their request ids to what the client saw', async (t) => {
  const gateway = await start(t)
  const headers = { 'user-agent': 'probe/2' }
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, 'sluice.v1', { headers })
  await once(socket, 'open')
  const ended: { id: string; requestId: string }[] = []
  const isOver = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const message = JSON.parse(String(data))
      if (message.type === 'event') return
      ended.push(message)
      if (ended.length === 2) resolve()
    })
  })
  socket.send(JSON.stringify({ type: 'chat', id: 'good', request: { model: 'echo', messages: MESSAGES } }))
  socket.send(JSON.stringify({ type: 'chat', id: 'bad', request: { model: 'nowhere/x', messages: MESSAGES } }))
  await isOver
  const lines = await Promise.all(ended.map(({ requestId }) => gateway.exchange(requestId)))
  t.same(
    lines.map(({ chat }) => chat),
    ended.map(({ id }) => id),
  )
  t.equal(new Set(lines.map(({ connection }) => connection)).size, 1)
  t.type(lines[0]?.connection, 'string')
  for (const line of lines) t.match(line, { method: 'GET', path: '/v1/ws', address: '127.0.0.1', agent: 'probe/2' })
  const good = lines.find(({ chat }) => chat === 'good')
  t.match(good, { target: 'sim/echo', finish: 'stop' })
  socket.close()
})

test('a WebSocket message that is too large has its line, and counts as a refused request', async (t) => {
  const gateway = await start(t)
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, 'sluice.v1')
  socket.on('error', () => {})
  await once(socket, 'open')
  socket.send('x'.repeat(256 * 1024 + 1))
  const line = await gateway.logLine(({ status }) => status === 413)
  t.match(line, { transport: 'websocket', outcome: 'rejected', path: '/v1/ws', chat: null })
  t.match(line.error, { code: 'payload_too_large', message: /at most 262144 bytes/ })
  t.type(line.connection, 'string')
  const page = await (await request(`${gateway.origin}/metrics`)).body.text()
  t.match(page, /sluice_requests_total\{[^}]*outcome="rejected",status="413"\} 1/)
})

test('the line of an answer says why the model stopped, streamed or whole, passed through or translated', async (t) => {
  const simulator = await startSimulator(t)
  const { openai, anthropic, google } = simulatedProviders(simulator.origin)
  const gateway = await startGateway(t, { config: { providers: { openai, anthropic, google } } })
  for (const provider of ['openai', 'anthropic', 'google']) {
    for (const stream of [false, true]) {
      for (const [path, finish, fields] of [
        ['chat/completions', 'stop', {}],
        ['chat/completions', 'length', { max_tokens: 1 }],
        ['messages', 'stop', { max_tokens: 500 }],
        ['messages', 'length', { max_tokens: 1 }],
      ] as const) {
        const answer = await request(`${gateway.origin}/v1/${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: `${provider}/echo`, messages: LONG_MESSAGES, stream, ...fields }),
        })
        await answer.body.dump()
        t.match(
          await gateway.exchange(String(answer.headers['x-request-id'])),
          { status: 200, finish },
          `${provider} ${path}`,
        )
      }
    }
  }
  const { id } = await ask(gateway.origin, 'nowhere/x')
  t.equal((await gateway.exchange(id)).finish, null)
})

test('the line names the end user whom the client names, in the words of each API', async (t) => {
  const gateway = await start(t)
  const asked = [
    ['/v1/chat/completions', { user: 'user-1' }],
    ['/v1/messages', { metadata: { user_id: 'user-2' }, max_tokens: 5 }],
    ['/v1/responses', { safety_identifier: 'user-3', input: 'Hello', messages: undefined }],
  ] as const
  for (const [path, members] of asked) {
    const answer = await request(`${gateway.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'echo', messages: MESSAGES, ...members }),
    })
    await answer.body.dump()
    const line = await gateway.exchange(String(answer.headers['x-request-id']))
    t.match(line, { outcome: 'complete', endUser: /^user-[123]$/ }, path)
  }
  const { id } = await ask(gateway.origin, 'echo')
  t.notOk('endUser' in (await gateway.exchange(id)))
})
