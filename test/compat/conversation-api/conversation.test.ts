// A conversation gateway, row by row: what its document shows, at a running gateway with the simulator behind it, and at a
// scripted upstream where it matters when something comes or what was sent.
import tap, { type Test, test } from 'tap'
import { request } from 'undici'
import { type Arriving, contentChunk, endOfContent, KEY, read, send } from '../../helpers/compat.js'
import { simulatedProviders, startGateway, startSimulator } from '../../helpers/gateway.js'
import { scriptedSse } from '../../helpers/scripted-sse.js'

const simulator = await startSimulator(tap)
const upstream = await scriptedSse(tap)
const keys = [{ name: 'k', key: KEY }]
/** The documented models are the simulator's echo; `up/...` is the scripted upstream. */
const gateway = await startGateway(tap, {
  config: {
    keys,
    providers: { ...simulatedProviders(simulator.origin), up: { protocol: 'openai-chat', baseUrl: upstream.origin } },
    models: { 'gpt-4o': 'openai/echo', 'gemini-1.5-pro': 'google/echo', llama3: 'ollama/echo' },
  },
})
/** The variables of the document. */
const documented = await startGateway(tap, {
  config: { keys, providers: simulatedProviders(simulator.origin) },
  env: {
    LLM_PROXY_API_MINIMUM: '1',
    LLM_PROXY_API_EP_PREFIX: '/llm',
    LLM_PROXY_API_LOG_LEVEL: 'INFO',
    LLM_PROXY_API_TIMEOUT: '300',
    LLM_PROXY_API_IN_DEBUG: 'true',
  },
})

const CHAT = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello there' }], stream: true }
const TALK = { model_name: 'gemini-1.5-pro', user_last_statement: 'Explain recursion.', language: 'en' }
const EXTENDED = { model_name: 'llama3', user_last_statement: 'Go on.', system_prompt: 'Be brief.', temperature: 0.7 }
const TALK_PATH = '/api/conversation_with_model'
const EXTENDED_PATH = '/api/extended_conversation_with_model'

type Chunk = { choices: { delta: { content?: string }; finish_reason: string | null }[]; object: string }

/** What the lines of a whole stream say; the last line must have the finish reason. */
async function saidBy(t: Test, answer: Arriving): Promise<string> {
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-type'], 'application/x-ndjson')
  const chunks = (await answer.lines()) as unknown as Chunk[]
  t.match(chunks.at(-1), { object: 'chat.completion.chunk', choices: [{ finish_reason: 'stop' }] })
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
}

test('row 6: the prefix stands before all of its routes, and nothing is left at the default one', async (t) => {
  const posted = { '/chat': CHAT, '/chat/completions': CHAT, '/conversation_with_model': TALK }
  for (const [path, body] of Object.entries({ ...posted, '/extended_conversation_with_model': TALK })) {
    const answer = await send(documented, `/llm${path}`, { ...body, model: 'openai/echo', model_name: 'openai/echo' })
    await saidBy(t, answer)
    const old = await send(documented, `/api${path}`, body)
    t.equal(old.status, 404, path)
    await old.end()
  }
  t.strictSame(await (await read(documented, '/llm/ping')).json(), { status: true, body: 'pong' })
  t.match(await (await read(documented, '/llm/models')).json(), { object: 'list' })
  t.match(await (await read(documented, '/llm/tags')).json(), { models: [] })
  const raw = { provider: 'openai', path: '/chat/completions', body: { ...CHAT, model: 'echo', stream: false } }
  const passed = await send(documented, '/llm/passthrough', raw)
  t.match(await passed.json(), { object: 'chat.completion' })
  for (const [path, method] of [
    ['/api/passthrough', 'POST'],
    ['/api/tags', 'GET'],
    ['/api/ping', 'GET'],
    ['/api/models', 'GET'],
  ] as const)
    t.equal((await send(documented, path, method === 'POST' ? raw : null, { method })).status, 404, path)
})

test('row 7: a chat streams by default, one chunk a line, from every provider', async (t) => {
  const { stream: _, ...silent } = CHAT
  for (const body of [CHAT, silent]) t.equal(await saidBy(t, await send(gateway, '/api/chat', body)), 'Hello there')
  for (const model of ['openai/echo', 'anthropic/echo', 'google/echo', 'ollama/echo']) {
    const answer = await send(gateway, '/api/chat/completions', { ...silent, model, max_tokens: 50 })
    t.equal(await saidBy(t, answer), 'Hello there', model)
  }
  const { data } = await (await read(gateway, '/api/models')).json()
  t.match(data, [{ id: 'gpt-4o' }, { id: 'gemini-1.5-pro' }, { id: 'llama3' }])
})

test('row 7: each line goes out as it comes, and a failure in mid-stream is the last one', async (t) => {
  const asked = [
    ['/api/chat', { ...CHAT, model: 'up/m' }],
    [TALK_PATH, { ...TALK, model_name: 'up/m' }],
    [EXTENDED_PATH, { ...EXTENDED, model_name: 'up/m' }],
  ] as const
  for (const [path, body] of asked) {
    const asking = send(gateway, path, body)
    const call = await upstream.next()
    call.write(contentChunk('Hel'))
    const answer = await asking
    await answer.until('"Hel"')
    await answer.until('\n')
    // The upstream is still open here.
    call.destroy()
    const lines = await answer.lines()
    t.strictSame(Object.keys(lines.at(-1) ?? {}), ['error'], path)
    t.type(lines.at(-1)?.error, 'string')
    t.notOk(lines.slice(0, -1).some((line) => 'error' in line))
  }
})

test('row 8: with stream false it is one aggregated JSON', async (t) => {
  for (const model of ['openai/echo', 'anthropic/echo', 'google/echo', 'ollama/echo']) {
    const whole = { object: 'chat.completion', choices: [{ message: { role: 'assistant', content: 'Hello there' } }] }
    const answer = await send(gateway, '/api/chat', { ...CHAT, model, stream: false, max_tokens: 50 })
    t.equal(answer.headers['content-type'], 'application/json')
    t.match(await answer.json(), whole, model)
    for (const path of [TALK_PATH, EXTENDED_PATH]) {
      const talk = { model_name: model, user_last_statement: 'Hello there', stream: false }
      t.match(await (await send(gateway, path, talk)).json(), whole, `${model} ${path}`)
    }
  }
})

test('row 9: a conversation is the history and the last statement', async (t) => {
  t.equal(await saidBy(t, await send(gateway, TALK_PATH, TALK)), 'Explain recursion.')
  const history = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
  ]
  const asked = send(gateway, TALK_PATH, { ...TALK, model_name: 'up/m', historical_messages: history })
  const call = await upstream.next()
  call.write(contentChunk('x') + endOfContent())
  call.end()
  t.equal(await saidBy(t, await asked), 'x')
  const messages = call.body.messages as { role: string }[]
  t.match(
    messages.filter(({ role }) => role === 'user' || role === 'assistant'),
    [...history, { role: 'user', content: 'Explain recursion.' }],
  )
})

test('row 10: an extended one has its own prompt and options, defaults where none are given', async (t) => {
  const send10 = async (options: object) => {
    const asked = send(gateway, EXTENDED_PATH, { ...EXTENDED, ...options, model_name: 'up/m' })
    const call = await upstream.next()
    call.write(contentChunk('x') + endOfContent())
    call.end()
    return { body: call.body, dropped: (await asked).headers['x-sluice-dropped'] }
  }
  const { temperature: _, ...bare } = EXTENDED
  const byDefault = await send10({ ...bare, temperature: null })
  t.match(byDefault.body, { temperature: 0.75, top_p: 0.99, max_tokens: 256, messages: [{ content: 'Be brief.' }, {}] })
  t.equal(byDefault.dropped, 'typical_p, repetition_penalty, top_k')
  const given = await send10({ temperature: 0.7, top_p: 0.5, max_new_tokens: 9 })
  t.match(given.body, { temperature: 0.7, top_p: 0.5, max_tokens: 9 })
  const carried = await send(gateway, EXTENDED_PATH, { ...EXTENDED, max_new_tokens: 256 })
  t.equal(carried.headers['x-sluice-dropped'], undefined, 'this provider takes all of them')
  t.equal(await saidBy(t, carried), 'Go on.')
})

test('row 12: ping, open to all', async (t) => {
  const answer = await request(`${gateway.origin}/api/ping`)
  t.strictSame([answer.statusCode, await answer.body.json()], [200, { status: true, body: 'pong' }])
})

test('row 16: in debug an error tells all there is', async (t) => {
  const answer = await send(documented, '/llm/chat', { model: 'openai/echo' })
  t.equal(answer.status, 400)
  t.match(await answer.json(), {
    error: 'bad_request',
    details: { code: 'invalid_request', param: 'messages', request_id: String(answer.headers['x-request-id']) },
  })
  const upstreamFault = await send(documented, '/llm/chat', { ...CHAT, model: 'openai/echo+fault=status,503' })
  t.match(await upstreamFault.json(), { error: 'internal_error', details: { upstream: { status: 503 } } })
})

test('row 17: bad input and failures have the documented bodies', async (t) => {
  const bad: readonly (readonly [path: string, body: unknown, details: RegExp])[] = [
    ['/api/chat', { model: 'gpt-4o' }, /messages/],
    ['/api/chat', { ...CHAT, stream: 'yes' }, /stream/],
    ['/api/chat/completions', '{', /JSON/],
    ['/api/chat', '', /empty/],
    [TALK_PATH, { model_name: 'gpt-4o' }, /user_last_statement/],
    [TALK_PATH, { ...TALK, model_name: 7 }, /model_name/],
    [TALK_PATH, { ...TALK, historical_messages: [7] }, /historical_messages\.0/],
    [EXTENDED_PATH, { ...EXTENDED, temperature: 9 }, /temperature/],
    [EXTENDED_PATH, { ...EXTENDED, top_k: 'x' }, /top_k/],
    [EXTENDED_PATH, '[]', /object/],
  ]
  for (const [path, body, details] of bad) {
    const answer = await send(gateway, path, body)
    t.equal(answer.status, 400, `${path} ${JSON.stringify(body)}`)
    t.match(await answer.json(), { error: 'bad_request', details }, path)
  }
  for (const [fault, status] of [
    ['status,500', 500],
    ['status,503', 503],
    ['cut-after-accept', 502],
  ] as const) {
    for (const stream of [true, false]) {
      const answer = await send(gateway, '/api/chat', { ...CHAT, model: `openai/echo+fault=${fault}`, stream })
      t.equal(answer.status, status, fault)
      t.match(await answer.json(), { error: 'internal_error', details: String }, fault)
    }
  }
  const wordOf = async (answer: Arriving) => [answer.status, (await answer.json()).error]
  t.strictSame(await wordOf(await send(gateway, '/api/chat', { ...CHAT, model: 'no-such' })), [404, 'not_found'])
  t.strictSame(await wordOf(await read(gateway, '/api/none')), [404, 'not_found'])
  t.strictSame(await wordOf(await read(gateway, '/api/chat')), [405, 'method_not_allowed'])
  const stranger = { authorization: 'Bearer nobody' }
  t.strictSame(await wordOf(await read(gateway, '/api/models', stranger)), [401, 'unauthorized'])
  t.strictSame(await wordOf(await send(gateway, TALK_PATH, TALK, { headers: stranger })), [401, 'unauthorized'])
  const typed = await send(gateway, '/api/chat', '{}', { headers: { 'content-type': 'text/plain' } })
  t.strictSame(await wordOf(typed), [415, 'unsupported_media_type'])
})
