// What is done for speed changes no byte: streams that are not parsed, bodies of which one member is spliced, frames joined
// into one write, headers handed over in one call. Each against a real gateway, on the wire.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import {
  answer,
  chunk,
  LAST_CHUNK,
  type Script,
  ScriptedUpstream,
  streamHead,
  whole,
} from '../helpers/scripted-upstream.js'

const ASK = JSON.stringify({
  model: 'up/m',
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'Hi' }],
})
const frame = (members: string): string => `data: {"id":"c","model":"m",${members}}\n\n`
const text = (content: string): string => frame(`"choices":[{"index":0,"delta":{"content":"${content}"}}]`)
const FINISH = frame('"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]')
const USAGE = frame('"choices":[],"usage":{"prompt_tokens":1234,"completion_tokens":567,"total_tokens":1801}')
const DONE = 'data: [DONE]\n\n'

type Setup = { readonly gateway: Running; readonly upstream: ScriptedUpstream; readonly logFile: string }

async function setUp(t: Teardown, scripts: readonly Script[], config: object = {}): Promise<Setup> {
  const upstream = await ScriptedUpstream.listen(...scripts)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  t.teardown(() => upstream.close())
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const logFile = join(folder, 'log')
  const providers = { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-x' } }
  return {
    upstream,
    logFile,
    gateway: await startGateway(t, { config: { providers, log: { file: logFile }, ...config } }),
  }
}

async function post({ gateway }: Setup, body: string | Buffer): Promise<Buffer> {
  const answered = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  return Buffer.from(await answered.body.arrayBuffer())
}

/** The log's lines of exchanges, once the gateway has ended. */
async function logged({
  gateway,
  logFile,
}: Setup): Promise<{ tokens: { in: number; out: number }; usageSource: string }[]> {
  await gateway.stop()
  const lines = readFileSync(logFile, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'exchange')
}

test('a stream cut at any byte reaches the client as it was, and its usage is found', async (t) => {
  const bytes = Buffer.from(text('Grüße, 世界 👋') + FINISH + USAGE + DONE)
  const cuts = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
  const scripts = cuts.map((at) =>
    answer(streamHead(), chunk(bytes.subarray(0, at)), { delayMs: 1 }, chunk(bytes.subarray(at)), LAST_CHUNK),
  )
  const setup = await setUp(t, scripts)
  const ill: number[] = []
  for (const at of cuts) if (!(await post(setup, ASK)).equals(bytes)) ill.push(at)
  t.same(ill, [])
  const lines = await logged(setup)
  t.equal(lines.length, cuts.length)
  const found = new Set(lines.map(({ tokens, usageSource }) => `${tokens.in} ${tokens.out} ${usageSource}`))
  t.same(found, new Set(['1234 567 provider']))
})

test('a model is spliced into the body, escapes and all, and every other byte stays', async (t) => {
  const setup = await setUp(t, [answer(whole(200, '{"choices":[]}', ['content-type: application/json']))])
  const rest =
    '"messages":[{"role":"user","content":"\\u0022model\\u0022:\\"up/m\\" é"}],"seed":12345678901234567890, "x" : 1e2'
  const cases = [
    [`{"model":"up/m",${rest}}`, `{"model":"m",${rest}}`],
    [`{"mod\\u0065l":"up/m",${rest}}`, `{"mod\\u0065l":"m",${rest}}`],
    [`{ "model" : "u\\u0070\\/m" , ${rest} }`, `{ "model" : "m" , ${rest} }`],
    [`{${rest},"model":"up/m"}\n`, `{${rest},"model":"m"}\n`],
  ] as const
  for (const [sent] of cases) await post(setup, Buffer.from(sent))
  t.same(
    setup.upstream.requests.map(({ body }) => body.toString()),
    cases.map(([, expected]) => expected),
  )
})

test('events of any size, one read or many, leave as the bytes that came', async (t) => {
  const sizes = [1, 100, 15_000, 15_348, 15_360, 16_384, 40_000, 200_000]
  const big = sizes.map((size) => text('b'.repeat(size))).join('')
  const many = Array.from({ length: 3000 }, (_, i) => text(`${i} `)).join('')
  const streams = [big + FINISH + USAGE + DONE, many + FINISH + USAGE + DONE].map((one) => Buffer.from(one))
  const setup = await setUp(
    t,
    streams.map((bytes) => answer(streamHead(), chunk(bytes), LAST_CHUNK)),
  )
  const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  for (const bytes of streams) t.equal(digest(await post(setup, ASK)), digest(bytes))
})

test('the head of an answer is one line a header, each once, and nothing of a value becomes another', async (t) => {
  const setup = await setUp(t, [answer(whole(200, '{"choices":[]}', ['content-type: application/json']))], {
    limits: { requestsPerMinute: 100, tokensPerMinute: 100_000 },
  })
  const { hostname, port } = new URL(setup.gateway.origin)
  const socket = connect(Number(port), hostname)
  const body = JSON.stringify({ model: 'up/m', messages: [{ role: 'user', content: 'Hi' }] })
  const lines = [
    'POST /v1/chat/completions HTTP/1.1',
    'host: x',
    'content-type: application/json',
    'x-request-id: mine',
  ]
  socket.write(`${lines.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  const head = bytes.toString('latin1').split('\r\n\r\n')[0] ?? ''
  const [status, ...headers] = head.split('\r\n')
  t.equal(status, 'HTTP/1.1 200 OK')
  const names = headers.map((line) => /^([a-z-]+): \S/i.exec(line)?.[1]?.toLowerCase() ?? `ill: ${line}`)
  t.equal(new Set(names).size, names.length, 'each once')
  for (const name of [
    'x-request-id',
    'x-frame-options',
    'x-ratelimit-limit-requests',
    'x-sluice-target',
    'content-type',
  ]) {
    t.ok(names.includes(name), name)
  }
  t.ok(headers.includes('x-request-id: mine'))
  t.notOk(
    names.some((name) => name.startsWith('ill')),
    head,
  )
})
