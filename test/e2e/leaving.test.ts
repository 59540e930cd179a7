// What is left of clients that left: the tokens that were used for them, counted once, and nothing that another client waits for.
import { once } from 'node:events'
import { type Socket } from 'node:net'
import { type Test, test } from 'tap'
import { request } from 'undici'
import WebSocket from 'ws'
import { type LogLine, type Running, startGateway } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { openRaw, post } from '../helpers/raw-http.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'

const STALL = { stall: true } as const
const event = (body: object) => chunk(`data: ${JSON.stringify(body)}\n\n`)
const words = (text: string) => event({ choices: [{ index: 0, delta: { content: text } }] })
const named = (type: string, body: object) => chunk(`event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`)

/** Tells its usage in the middle, as some providers do with each chunk. */
const TOLD: Script = answer(
  streamHead(),
  event({
    choices: [{ index: 0, delta: { content: 'told' } }],
    usage: { prompt_tokens: 40, completion_tokens: 2, total_tokens: 42 },
  }),
  STALL,
)
const UNTOLD: Script = answer(streamHead(), words('sixteen letters!'), STALL)
/** The other wire tells its input at the start. */
const MESSAGES: Script = answer(
  streamHead(),
  named('message_start', {
    message: {
      ...{ id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null },
      usage: { input_tokens: 40, output_tokens: 1 },
    },
  }),
  named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  named('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'sixteen letters!' } }),
  STALL,
)

type Tokens = { readonly in: number; readonly out: number }

/** A 429 is answered as it is, at once. */
const NO_PAUSES = { retries: { maxWaitMs: 0 } }

async function start(t: Test, script: Script, provider: object = {}) {
  const upstream = await ScriptedUpstream.listen(script)
  t.teardown(() => upstream.close())
  const up = { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, ...provider }
  return {
    upstream,
    gateway: await startGateway(t, { config: { providers: { up }, models: { m: 'up/m' }, routing: NO_PAUSES } }),
  }
}

const CHAT = {
  model: 'm',
  max_tokens: 99,
  messages: [{ role: 'user', content: 'A prompt of forty bytes or thereabouts.' }],
}

async function openStream({ origin }: Running): Promise<Socket> {
  const socket = await openRaw(Number(new URL(origin).port))
  socket.on('error', () => undefined)
  socket.write(post('/v1/chat/completions', JSON.stringify({ ...CHAT, stream: true })))
  return socket
}

async function leaveSse(gateway: Running): Promise<LogLine> {
  const socket = await openStream(gateway)
  await once(socket, 'data')
  socket.destroy()
  return gateway.logLine(({ msg }) => msg === 'exchange')
}

async function leaveSocket(gateway: Running): Promise<LogLine> {
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'])
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'chat', id: 'a', request: CHAT }))
  await once(socket, 'message')
  socket.terminate()
  return gateway.logLine(({ msg }) => msg === 'exchange')
}

const CASES = [
  { name: 'told so far', script: TOLD, provider: {}, source: 'partial', tokens: { in: 40, out: 2 } },
  { name: 'never told', script: UNTOLD, provider: {}, source: 'estimated', tokens: { in: null, out: 4 } },
  {
    name: 'told at the start alone',
    script: MESSAGES,
    provider: { protocol: 'anthropic-messages' },
    source: 'partial',
    tokens: { in: 40, out: 4 },
  },
] as const

for (const [way, leave] of Object.entries({ SSE: leaveSse, WebSocket: leaveSocket })) {
  for (const { name, script, provider, source, tokens } of CASES) {
    test(`usage that is ${name} is kept and counted once when a client leaves by ${way}`, async (t) => {
      const { gateway } = await start(t, script, provider)
      const line = await leave(gateway)
      t.equal(line.outcome, 'client_gone')
      t.equal(line.usageSource, source)
      const told = line.tokens as Tokens
      t.equal(told.out, tokens.out)
      if (tokens.in === null) t.ok(told.in > 0)
      else t.equal(told.in, tokens.in)
      const { samples } = parsePage(await (await request(`${gateway.origin}/metrics`)).body.text())
      const counted = (direction: string) =>
        sampleValue(samples, 'sluice_tokens_total', { model: 'm', provider: 'up', direction })
      t.same([counted('input'), counted('output')], [told.in, told.out])
    })
  }
}

test('streams that clients left, or do not read, hold none of the connections that others wait for', async (t) => {
  const held = answer(streamHead(), words('begun'), STALL)
  const sound = answer(
    streamHead(),
    words('well'),
    event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  )
  const end = [chunk('data: [DONE]\n\n'), LAST_CHUNK]
  const upstream = await ScriptedUpstream.listen(held, held, [...sound, ...end])
  t.teardown(() => upstream.close())
  const up = {
    protocol: 'openai-chat',
    baseUrl: `${upstream.origin}/v1`,
    maxConnections: 2,
    limits: { concurrency: 2 },
  }
  const gateway = await startGateway(t, { config: { providers: { up }, models: { m: 'up/m' } } })
  const sockets = await Promise.all([openStream(gateway), openStream(gateway)])
  await Promise.all(sockets.map((socket) => once(socket, 'data')))
  for (const socket of sockets) socket.destroy()
  await upstream.until(({ closed }) => closed >= 2)
  const { statusCode, body } = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...CHAT, stream: true }),
  })
  t.equal(statusCode, 200)
  t.match(await body.text(), /well[\s\S]*\[DONE\]/)
})

test('a client that leaves before an answer that is whole stops its provider, and costs its input', async (t) => {
  const { upstream, gateway } = await start(t, answer(STALL))
  const socket = await openRaw(Number(new URL(gateway.origin).port))
  socket.write(post('/v1/chat/completions', JSON.stringify(CHAT)))
  await upstream.until(({ requests }) => requests.length === 1)
  socket.destroy()
  await upstream.until(({ closed }) => closed === 1)
  const line = await gateway.logLine(({ msg }) => msg === 'exchange')
  t.match(line, { outcome: 'client_gone', usageSource: 'estimated' })
  t.ok((line.tokens as Tokens).in > 0)
})

test('a 429 without Retry-After gets one for the client; the provider’s own is passed on', async (t) => {
  for (const [headers, seconds] of [
    [[], /^[1-9]\d*$/],
    [['retry-after: 17'], /^17$/],
    [['retry-after-ms: 2500'], /^3$/],
  ] as const) {
    const body = '{"error":{"message":"slow down","type":"rate_limit_error"}}'
    const { gateway } = await start(t, answer(whole(429, body, ['content-type: application/json', ...headers])))
    for (const stream of [true, false]) {
      const answered = await request(`${gateway.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...CHAT, stream }),
      })
      await answered.body.dump()
      t.match(answered.headers['retry-after'], seconds, `${headers.join()} stream ${stream}: ${answered.statusCode}`)
    }
  }
})
