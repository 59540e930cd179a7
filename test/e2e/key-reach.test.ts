// A key of limited models, and every way to a provider that there is: whatever the key asks, a provider only ever hears of the
// models that it may use. The providers write down what they are asked for.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import WebSocket from 'ws'
import { type Running, startGateway } from '../helpers/gateway.js'

const KEY = 'key-of-limited-models-0123456789'
const OPEN_KEY = 'key-of-all-models-0123456789'
const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }],
})

type Asked = { readonly path: string; readonly text: string }
type Rig = { readonly gateway: Running; readonly asked: Asked[] }

/**
 * The key may use the model `fast`, which is adam's `small` and falls back to eve's `spare`, the models whose names begin
 * with `tiny`, which adam has by pattern, and eve's `eve/open-*`.
 */
async function start(t: Test): Promise<Rig> {
  const asked: Asked[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    asked.push({ path: req.url ?? '', text: Buffer.concat(chunks).toString() })
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(ANSWER)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = (name: string) => ({ protocol: 'openai-chat', baseUrl: `${origin}/${name}/v1` })
  const gateway = await startGateway(t, {
    config: {
      keys: [
        { name: 'limited', key: KEY, models: ['fast', 'tiny*', 'eve/open-*'] },
        { name: 'open', key: OPEN_KEY },
      ],
      providers: {
        adam: { ...provider('adam'), models: ['tiny-1'] },
        eve: provider('eve'),
        gem: { protocol: 'google-gemini', baseUrl: `${origin}/gem/v1beta`, models: ['tiny-gem', 'huge-gem'] },
      },
      models: {
        fast: { targets: ['adam/small'], fallbacks: ['spare'] },
        spare: 'eve/spare',
        secret: 'adam/secret',
      },
    },
  })
  return { gateway, asked }
}

function post(gateway: Running, path: string, body: unknown, key = KEY): Promise<Response> {
  return fetch(gateway.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

const TURN = [{ role: 'user', content: 'Hi' }]
const chat = (fields: object) => ({ messages: TURN, max_tokens: 9, ...fields })
const raw = (fields: object, body: unknown = { model: 'tiny-1' }) => ({ path: '/chat/completions', body, ...fields })
const CHAT = '/v1/chat/completions'
const RAW = '/api/passthrough'

const CHAT_LINES = '/ollama/api/chat'
const CONTENTS = { contents: [{ parts: [{ text: 'Hi' }] }] }
const named = (model: string, method = 'generateContent') => `/v1beta/models/${model}:${method}`

const MAY: readonly (readonly [path: string, body: object, provider: string, model: string])[] = [
  [CHAT, chat({ model: 'fast' }), 'adam', 'small'],
  [CHAT, chat({ model: 'fast', stream: true }), 'adam', 'small'],
  [CHAT, chat({ model: 'fast', models: null, route: null }), 'adam', 'small'],
  [CHAT, chat({ model: 'fast', provider: { order: ['x'] } }), 'adam', 'small'],
  [CHAT, chat({ model: 'tiny-1' }), 'adam', 'tiny-1'],
  [CHAT, chat({ model: 'tiny-1', provider: 'adam' }), 'adam', 'tiny-1'],
  [CHAT, chat({ model: 'eve/open-1' }), 'eve', 'open-1'],
  [CHAT, chat({ model: 'open-1', provider: 'eve' }), 'eve', 'open-1'],
  [CHAT, chat({ model: 'eve/open-1', provider: 'eve' }), 'eve', 'open-1'],
  ['/v1/messages', chat({ model: 'fast' }), 'adam', 'small'],
  ['/v1/chat/eve', chat({ model: 'open-1' }), 'eve', 'open-1'],
  [RAW, raw({ model: 'tiny-1' }), 'adam', 'tiny-1'],
  [RAW, raw({ provider: 'adam' }), 'adam', 'tiny-1'],
  [RAW, raw({ provider: 'eve' }, { model: 'open-1', models: null }), 'eve', 'open-1'],
  [named('fast'), CONTENTS, 'adam', 'small'],
  [named('eve%2Fopen-1'), CONTENTS, 'eve', 'open-1'],
  [named('tiny-1'), { ...CONTENTS, model: 'models/secret' }, 'adam', 'tiny-1'],
  [CHAT_LINES, chat({ model: 'fast', stream: false }), 'adam', 'small'],
  ['/ollama/api/generate', { model: 'tiny-1', prompt: 'Hi', stream: false }, 'adam', 'tiny-1'],
]

test('a key of limited models reaches what its globs name', async (t) => {
  const { gateway, asked } = await start(t)
  for (const [path, body, provider, model] of MAY) {
    asked.length = 0
    const response = await post(gateway, path, body)
    const name = `${path} ${JSON.stringify(body)}`
    t.equal(response.status, 200, name)
    await response.text()
    t.same(
      asked.map((each) => [each.path, (JSON.parse(each.text) as { model?: string }).model]),
      [[`/${provider}/v1/chat/completions`, model]],
      name,
    )
  }
  const gemini = await post(gateway, RAW, { model: 'tiny-gem', path: '/models/tiny-gem:generateContent', body: {} })
  t.equal(gemini.status, 200, 'the path itself names the model')
  asked.length = 0
  await (await post(gateway, named('tiny-gem'), { ...CONTENTS, model: 'models/huge-gem' })).text()
  t.match(asked, [{ path: '/gem/v1beta/models/tiny-gem:generateContent', text: JSON.stringify(CONTENTS) }])
})

const SELECTORS = [
  ...[
    'models',
    'route',
    'fallbacks',
    'fallback_models',
    'context_window_fallbacks',
    'content_policy_fallbacks',
    'preset',
  ],
  ...['Model', 'MODELS'],
]

/** With the member that the refusal names. */
const MAY_NOT: readonly (readonly [path: string, body: object | string, param: string])[] = [
  ...['secret', 'small', 'spare', 'adam/small', 'adam/secret', 'eve/fast', 'eve/tiny-1', 'huge-gem'].map(
    (model) => [CHAT, chat({ model }), 'model'] as const,
  ),
  [CHAT, chat({ model: 'secret', stream: true }), 'model'],
  ...['adam', 'eve'].map((provider) => [CHAT, chat({ model: 'fast', provider }), 'model'] as const),
  [CHAT, chat({ model: 'tiny-1', provider: 'eve' }), 'model'],
  [CHAT, chat({ model: 'open-1', provider: 'adam' }), 'model'],
  [CHAT, chat({ model: 'eve/open-1', provider: 'adam' }), 'model'],
  ...SELECTORS.map((member) => [CHAT, chat({ model: 'fast', [member]: ['secret'] }), member] as const),
  ['/v1/messages', chat({ model: 'secret' }), 'model'],
  ['/v1/messages', chat({ model: 'fast', fallbacks: [{ model: 'secret' }] }), 'fallbacks'],
  ['/v1/chat/eve', chat({ model: 'fast' }), 'model'],
  ['/v1/chat/adam', chat({ model: 'secret' }), 'model'],
  [RAW, raw({ model: 'fast' }, { model: 'secret' }), 'model'],
  [RAW, raw({ provider: 'eve' }), 'model'],
  [RAW, raw({ provider: 'adam', model: 'tiny-1' }, {}), 'body.model'],
  [RAW, raw({ provider: 'adam', model: 'tiny-1' }, [{ model: 'secret' }]), 'body.model'],
  [RAW, raw({ model: 'tiny-1' }, [{ model: 'tiny-1' }]), 'body.model'],
  ...SELECTORS.filter((member) => member !== 'Model').map(
    (member) => [RAW, raw({ provider: 'adam' }, { model: 'tiny-1', [member]: 'secret' }), `body.${member}`] as const,
  ),
  [RAW, '{"provider":"adam","path":"/chat/completions","body":{"model":"secret","model":"tiny-1"}}', 'body.model'],
  [
    RAW,
    '{"provider":"adam","path":"/chat/completions","body":{"mod\\u0065l":"secret","model":"tiny-1"}}',
    'body.model',
  ],
  [RAW, { provider: 'adam', path: '/files', body: { model: 'tiny-1' } }, 'path'],
  [RAW, { provider: 'gem', path: '/models/huge-gem:generateContent', body: {} }, 'model'],
  [RAW, { model: 'tiny-gem', path: '/models/huge-gem:generateContent', body: {} }, 'path'],
  ...['generateContent', 'streamGenerateContent', 'streamGenerateContent?alt=sse', 'countTokens'].flatMap((method) =>
    ['secret', 'huge-gem', 'adam/secret', 'adam%2Fsecret', 'gem%2fhuge-gem', 'models/huge-gem'].map(
      (model) => [named(model, method), CONTENTS, 'model'] as const,
    ),
  ),
  [named('gem/huge-gem', 'embedContent'), { content: CONTENTS.contents[0] }, 'model'],
  [named('gem%2Fhuge-gem', 'batchEmbedContents'), { requests: [{ content: CONTENTS.contents[0] }] }, 'model'],
  ...SELECTORS.map((member) => [named('fast'), { ...CONTENTS, [member]: ['secret'] }, member] as const),
  ...SELECTORS.map((member) => [CHAT_LINES, chat({ model: 'fast', [member]: ['secret'] }), member] as const),
  ...['secret', 'adam/secret', 'eve/fast'].flatMap((model) => [
    [CHAT_LINES, chat({ model }), 'model'] as const,
    ['/ollama/api/generate', { model, prompt: 'Hi' }, 'model'] as const,
    ['/ollama/api/embed', { model, input: 'Hi' }, 'model'] as const,
  ]),
]

test('a key of limited models reaches nothing else, whatever way it tries; no provider hears of it', async (t) => {
  const { gateway, asked } = await start(t)
  for (const [path, body, param] of MAY_NOT) {
    const response = await post(gateway, path, body)
    const name = `${path} ${typeof body === 'string' ? body : JSON.stringify(body)}`
    t.equal(response.status, 403, name)
    const text = await response.text()
    if (path === CHAT) t.equal((JSON.parse(text) as { error: { param: string } }).error.param, param, name)
    // Elsewhere the words of the error name it.
    else if (param !== 'model') t.match(text, param === 'path' ? /chat path/ : param, name)
  }
  t.same(asked, [])
})

test('jobs are refused at the door, chats of a WebSocket in their own words', async (t) => {
  const { gateway, asked } = await start(t)
  for (const fields of [
    { model: 'secret' },
    { model: 'fast', provider: 'eve' },
    { model: 'fast', models: ['secret'] },
  ]) {
    const response = await fetch(gateway.origin + CHAT, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, prefer: 'respond-async' },
      body: JSON.stringify(chat(fields)),
    })
    t.equal(response.status, 403, JSON.stringify(fields))
    await response.text()
    t.match(await chatFrame(t, gateway, chat(fields)), { type: 'error', error: { code: 'forbidden' } })
  }
  t.same(asked, [])
  t.match(await chatFrame(t, gateway, chat({ model: 'fast' })), { type: 'done', outcome: 'complete' })
})

/** The last frame of one chat on a socket of its own. */
async function chatFrame(t: Test, gateway: Running, request: object): Promise<{ readonly type: string }> {
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1'], {
    headers: { authorization: `Bearer ${KEY}` },
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  return new Promise((resolve) => {
    socket.on('message', (bytes: Buffer) => {
      const frame = JSON.parse(bytes.toString()) as { readonly type: string }
      if (frame.type !== 'event') resolve(frame)
    })
    socket.send(JSON.stringify({ type: 'chat', id: 'a', request }))
  })
}

test('the list of models shows what may be reached, and a key for all is not held up', async (t) => {
  const { gateway, asked } = await start(t)
  const list = async (key: string) => {
    const response = await fetch(`${gateway.origin}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
    return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id)
  }
  const shown = await list(KEY)
  t.same(shown, ['fast'])
  for (const model of shown) t.equal((await post(gateway, CHAT, chat({ model }))).status, 200, model)
  for (const id of ['secret', 'adam/tiny-1', 'eve/fast']) {
    const response = await fetch(`${gateway.origin}/v1/models/${id}`, { headers: { authorization: `Bearer ${KEY}` } })
    t.equal(response.status, 403, id)
    await response.text()
  }
  asked.length = 0
  for (const [path, body] of MAY_NOT) {
    const response = await post(gateway, path, body, OPEN_KEY)
    t.not(response.status, 403, `${path} ${JSON.stringify(body)}`)
    await response.text()
  }
  t.ok(
    asked.some(({ text }) => text.includes('"models":["secret"]')),
    'members that providers read pass for a key of all models',
  )
})
