// A prompt-streaming proxy, row by row: what its document shows, at a running gateway with the simulator behind it, and at a
// scripted upstream where it matters when something comes.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import tap, { test } from 'tap'
import { request } from 'undici'
import { contentChunk, endOfContent, KEY, read, send } from '../../helpers/compat.js'
import { simulatedProviders, startGateway, startSimulator } from '../../helpers/gateway.js'
import { scriptedSse } from '../../helpers/scripted-sse.js'

const run = promisify(execFile)
const DOT_ENV = `# Authentication
API_TOKEN=your_secure_token

# API Keys
ANTHROPIC_API_KEY=your_anthropic_api_key
GOOGLE_API_KEY=your_google_api_key
OPENAI_API_KEY=your_openai_api_key

# Server configuration
PORT=3000
`

const simulator = await startSimulator(tap)
const upstream = await scriptedSse(tap)
const keys = [{ name: 'api-token', key: KEY }]
/** The documented model is the simulator's echo. */
const gateway = await startGateway(tap, {
  config: {
    keys,
    providers: simulatedProviders(simulator.origin),
    models: { 'gpt-4o': 'openai/echo' },
    compat: { healthStatus: 'healthy' },
  },
})
/** In front of the scripted upstream; its keepalives come soon. */
const scripted = await startGateway(tap, {
  config: {
    server: { keepaliveMs: 100 },
    keys,
    providers: { up: { protocol: 'openai-chat', baseUrl: upstream.origin } },
    compat: { defaultModel: 'up/of-the-house' },
    // It dies on purpose, over and over, and each time that is the answer.
    routing: { retries: { max: 0 }, breaker: { enabled: false } },
  },
})
/** Nothing but the documented file; the vendors being far away, the simulator's address is theirs, and the port any free one. */
const documented = await startGateway(tap, {
  files: { '.env': DOT_ENV },
  args: ['--port', '0'],
  env: { OPENAI_BASE_URL: simulator.origin, ANTHROPIC_BASE_URL: simulator.origin, GOOGLE_BASE_URL: simulator.origin },
})

const EVENTS = { accept: 'text/event-stream' }
const ASKED = { model: 'up/m', prompt: 'Hi' }

/** `data` objects of an event stream. */
function eventsOf(text: string): Record<string, unknown>[] {
  return Array.from(text.matchAll(/^data: (.*)$/gm), ([, data = '']) => JSON.parse(data) as Record<string, unknown>)
}

test('row 1: the documented request is answered as one JSON document with the result', async (t) => {
  const answer = await send(gateway, '/stream', { model: 'gpt-4o', prompt: 'Your instructions...' })
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-type'], 'application/json')
  t.equal(answer.headers['transfer-encoding'], 'chunked')
  t.strictSame(await answer.json(), { result: 'Your instructions...' })
  const line = await gateway.exchange(String(answer.headers['x-request-id']))
  t.match(line, { surface: 'prompt-stream', transport: 'json', outcome: 'complete', target: 'openai/echo' })
  for (const model of ['openai/echo', 'anthropic/echo', 'google/echo', 'ollama/echo', 'openai/reason']) {
    const prompt = 'Say "hi" \\ </script>\n\u2028 \u{1f600}'
    t.strictSame(await (await send(gateway, '/stream', { model, prompt })).json(), { result: prompt }, model)
  }
})

test("row 1: the document's curl prints it", async (t) => {
  const args = ['-X', 'POST', `${gateway.origin}/stream`, '-H', `Authorization: Bearer ${KEY}`]
  const body = `{
    "model": "gpt-4o",
    "prompt": "Your instructions..."
  }`
  const { stdout } = await run('curl', ['-s', ...args, '-H', 'Content-Type: application/json', '-d', body])
  t.equal(stdout, '{"result":"Your instructions..."}')
})

test('row 1: the text goes out while the model speaks, after spaces that keep the connection alive', async (t) => {
  const asked = send(scripted, '/stream', ASKED)
  const call = await upstream.next()
  const answer = await asked
  await answer.until('  ')
  t.match(answer.text, /^ +$/, 'nothing but white space before the first token')
  call.write(contentChunk('Hel'))
  await answer.until('Hel')
  t.match(answer.text, /^ +\{"result":"Hel$/, 'the first token is here while the upstream is still open')
  // Longer than a keepalive takes: inside the document there can be none.
  await new Promise((resolve) => setTimeout(resolve, 250))
  call.write(contentChunk('lo') + endOfContent())
  call.end()
  t.strictSame(await answer.json(), { result: 'Hello' })
})

test('row 1: with Accept: text/event-stream the same comes as typed events', async (t) => {
  const whole = await send(gateway, '/stream', { model: 'gpt-4o', prompt: 'One two.' }, { headers: EVENTS })
  t.equal(whole.headers['content-type'], 'text/event-stream; charset=utf-8')
  const events = eventsOf(await whole.end())
  t.ok(events.length > 2)
  t.equal(
    events
      .slice(0, -1)
      .map(({ type, text }) => (type === 'delta' ? text : '?'))
      .join(''),
    'One two.',
  )
  t.match(events.at(-1), { type: 'done', usage: { input: Number, output: Number } })

  const asked = send(scripted, '/stream', ASKED, { headers: EVENTS })
  const call = await upstream.next()
  call.write(contentChunk('Hel'))
  const answer = await asked
  await answer.until('}\n\n')
  t.strictSame(eventsOf(answer.text), [{ type: 'delta', text: 'Hel' }], 'while the upstream is still open')
  call.destroy()
  t.match(eventsOf(await answer.end()).slice(1), [{ type: 'error', error: String }])
})

const EMOJI = '\u{1f600}'
const HOSTILE: readonly (readonly string[])[] = [
  ['"', '\\', '\n', '\r\n', '\t', '\u0000', '\u2028', '</script>', EMOJI],
  [EMOJI.slice(0, 1), EMOJI.slice(1), ' and ', EMOJI.slice(1), EMOJI.slice(0, 1)],
  ['","error":"', '"}', '{"result":"', '\\u0041', '\\'],
]

test('row 1: whatever the text holds, the body is one JSON document', async (t) => {
  for (const deltas of HOSTILE) {
    const asked = send(scripted, '/stream', ASKED)
    const call = await upstream.next()
    for (const delta of deltas) call.write(contentChunk(delta))
    call.write(endOfContent())
    call.end()
    t.strictSame(await (await asked).json(), { result: deltas.join('') })
  }
})

test('row 1: an upstream that dies in the middle ends the document with the error', async (t) => {
  for (const deltas of HOSTILE) {
    for (let said = 1; said <= deltas.length; said++) {
      const asked = send(scripted, '/stream', ASKED)
      const call = await upstream.next()
      for (const delta of deltas.slice(0, said)) call.write(contentChunk(delta))
      const answer = await asked
      await answer.until('{"result":"')
      call.destroy()
      t.equal(answer.status, 200)
      // What was said last may go down with the connection, but nothing is garbled.
      const { result, error } = await answer.json()
      t.ok(deltas.slice(0, said).join('').startsWith(String(result)))
      t.type(error, 'string')
    }
  }
  t.match(await scripted.logLine(({ outcome }) => outcome === 'upstream_cut'), { status: 200 })
})

test('row 1: one that dies after a keepalive and before any text leaves the error alone', async (t) => {
  const asked = send(scripted, '/stream', ASKED)
  const call = await upstream.next()
  const answer = await asked
  await answer.until(' ')
  call.destroy()
  t.strictSame(Object.keys(await answer.json()), ['error'])
})

test('row 1: one that fails before anything was sent gives its status', async (t) => {
  const answer = await send(gateway, '/stream', { model: 'openai/echo+fault=status,503', prompt: 'Hi' })
  t.equal(answer.status, 503)
  t.type((await answer.json()).error, 'string')
  const faulty = { model: 'openai/echo+fault=cut-after-head', prompt: 'Hi' }
  const events = await send(gateway, '/stream', faulty, { headers: EVENTS })
  t.equal(events.status, 502)
  t.type((await events.json()).error, 'string')
})

test('row 2: the name chooses the provider; without one the default is taken, else the first listed', async (t) => {
  for (const [model, provider] of [
    ['claude-opus-4-8', 'anthropic'],
    ['gemini-3-pro', 'google'],
    ['gpt-4o', 'openai'],
    ['o3-mini', 'openai'],
  ] as const) {
    // The simulator knows no such model; where the request went is told all the same.
    const answer = await send(documented, '/stream', { model, prompt: 'Hi' })
    await answer.end()
    t.equal(answer.headers['x-sluice-target'], `${provider}/${model}`)
  }
  const asked = send(scripted, '/stream', { prompt: 'Hi' })
  const call = await upstream.next()
  t.equal(call.body.model, 'of-the-house')
  call.write(contentChunk('x') + endOfContent())
  call.end()
  t.strictSame(await (await asked).json(), { result: 'x' })
  const { data } = await (await read(gateway, '/v1/models')).json()
  t.match(data, [{ id: 'gpt-4o' }])
  const answer = await send(gateway, '/stream', { prompt: 'Hi' })
  t.strictSame(await answer.json(), { result: 'Hi' })
  t.equal(answer.headers['x-sluice-target'], 'openai/echo')
})

test('row 2: no prompt and an unknown model are refused as documented, and so is all other bad input', async (t) => {
  const rows: readonly (readonly [unknown, object])[] = [
    [{ model: 'gpt-4o' }, { error: 'No prompt provided' }],
    [{ model: 'gpt-4o', prompt: '' }, { error: 'No prompt provided' }],
    [{}, { error: 'No prompt provided' }],
    [{ model: 'llama-9', prompt: 'Hi' }, { error: 'Unsupported model: llama-9' }],
    [{ model: 7, prompt: 'Hi' }, { error: /'model'/ }],
    [{ model: 'gpt-4o', prompt: ['Hi'] }, { error: /'prompt'/ }],
    ['{"model"', { error: /JSON/ }],
    ['', { error: /empty/ }],
    ['[]', { error: /object/ }],
  ]
  for (const headers of [{}, EVENTS]) {
    for (const [body, expected] of rows) {
      const answer = await send(gateway, '/stream', body, { headers })
      t.equal(answer.status, 400, JSON.stringify(body))
      t.match(await answer.json(), expected, JSON.stringify(body))
    }
  }
  const typed = await send(gateway, '/stream', '{}', { headers: { 'content-type': 'text/plain' } })
  t.equal(typed.status, 415)
  t.match(await typed.json(), { error: /application\/json/ })
  const wrong = await read(gateway, '/stream')
  t.equal(wrong.status, 405)
  t.match([wrong.headers.allow, await wrong.json()], ['POST, OPTIONS', { error: /does not support GET/ }])
})

test('row 3: a token that is missing and one that is wrong are told apart', async (t) => {
  const ask = async (headers: Record<string, string>) => {
    const answer = await request(`${gateway.origin}/stream`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"model":"gpt-4o","prompt":"Hi"}',
    })
    return [answer.statusCode, await answer.body.json()]
  }
  t.strictSame(await ask({}), [401, { message: 'Token is missing!' }])
  t.strictSame(await ask({ ...EVENTS }), [401, { message: 'Token is missing!' }])
  for (const authorization of ['Bearer nobody', 'Bearer', 'Basic x'])
    t.strictSame(await ask({ authorization }), [401, { message: 'Invalid token!' }], authorization)
  t.strictSame(await ask({ authorization: `Bearer ${KEY}` }), [200, { result: 'Hi' }])
})

test('row 4: the health answer has the configured word, open to all', async (t) => {
  const answer = await request(`${gateway.origin}/health`)
  t.strictSame([answer.statusCode, await answer.body.json()], [200, { status: 'healthy' }])
})

test('row 5: the documented .env starts the gateway: its token is the key, its vendors are the providers', async (t) => {
  const health = await (await read(documented, '/v1/health')).json()
  const providers = [{ name: 'anthropic' }, { name: 'google' }, { name: 'openai' }]
  const found = [...(health.providers as { name: string }[])].sort((a, b) => a.name.localeCompare(b.name))
  t.match(found, providers)
  t.equal((await read(documented, '/v1/models')).status, 200)
  t.equal((await read(documented, '/v1/models', { authorization: 'Bearer other' })).status, 401)
})
