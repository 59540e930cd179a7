// Browser tokens at a gateway of two event loops with its account database: issued for a key, used in its place by every surface and on
// WebSockets, narrower than it, and of no use once they or their key have ended.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { t as tap, test } from 'tap'
import WebSocket from 'ws'
import { type NewKey } from '../../src/accounts/types.js'
import { SluiceSocket } from '../../src/client/index.js'
import { startAccountsGateway } from '../helpers/accounts-gateway.js'
import { IN_CHROMIUM, openPage } from '../helpers/browser.js'
import { bundleClient } from '../helpers/client-bundle.js'
import { wordsOf } from '../helpers/cut-clients.js'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { fencedBlocks, PAGES } from '../helpers/markdown.js'
import { Random } from '../helpers/random.js'

const run = promisify(execFile)
const ADMIN = { by: 'test' }
const ANY = { ...ADMIN, ifVersion: null }
/** No subprotocol can hold it as it is. */
const FILE_KEY = 'key/of=the+file-0123456789'
const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }
const CHAT = { model: 'openai/echo', messages: [{ role: 'user', content: 'Hi' }] }
const PAGE = 'https://app.example.com'

type Issued = { readonly token: string; readonly expiresAt: string; readonly expiresInSeconds: number }
type Sent = { readonly headers?: Record<string, string>; readonly body?: object }

const simulator = await startSimulator(tap, ['--tokens-per-second', '400'])
const { gateway, store } = await startAccountsGateway(tap, {
  server: { threads: 2, cors: { origins: [PAGE] } },
  keys: [{ name: 'file', key: FILE_KEY }],
  providers: simulatedProviders(simulator.origin),
  streams: { graceMs: 60_000 },
})
/** Every token, to be looked for in what the gateway has written. */
const issued: string[] = []

async function create(name: string, over: Partial<NewKey> = {}): Promise<string> {
  const key = { name, team: null, models: ['*'], limits: NO_LIMITS, tags: [], metadata: {}, trustUser: false }
  return (await store.createKey({ ...key, disabled: false, expiresAtMs: null, ...over }, ADMIN)).secret ?? ''
}

async function post(path: string, { headers = {}, body = {} }: Sent) {
  const all = { 'content-type': 'application/json', connection: 'close', ...headers }
  const response = await fetch(`${gateway.origin}${path}`, { method: 'POST', headers: all, body: JSON.stringify(body) })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` }
}

async function issue(key: string, body: object = {}): Promise<Issued> {
  const { status, headers, text } = await post('/v1/tokens', { headers: bearer(key), body })
  if (status !== 200) throw new Error(text)
  if (headers.get('cache-control') !== 'no-store') throw new Error('it may be stored')
  const made = JSON.parse(text) as Issued
  issued.push(made.token)
  return made
}

const chat = (headers: Record<string, string>, body: object = CHAT, path = '/v1/chat/completions') =>
  post(path, { headers, body })

test('a token works wherever its key does, for keys of the file and of the database', async (t) => {
  for (const key of [FILE_KEY, await create('app')]) {
    const { token, expiresAt, expiresInSeconds } = await issue(key)
    t.ok(expiresInSeconds > 590 && expiresInSeconds <= 600, 'ten minutes')
    t.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 600_000) < 10_000)
    t.equal((await chat(bearer(token))).status, 200)
    t.equal((await chat({ 'x-api-key': token })).status, 200)
    const gemini = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }
    const path = '/v1beta/models/openai%2Fecho:generateContent'
    t.equal((await chat({ 'x-goog-api-key': token }, gemini, path)).status, 200)
    t.equal((await chat({}, gemini, `${path}?key=${token}`)).status, 200)
    const messages = { ...CHAT, max_tokens: 50 }
    t.equal((await chat({ 'x-api-key': token }, messages, '/v1/messages')).status, 200)
    t.equal((await fetch(`${gateway.origin}/v1/models`, { headers: bearer(token) })).status, 200)
    for (const protocol of [`bearer.${token}`, `bearer64.${Buffer.from(token).toString('base64url')}`]) {
      const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1', protocol])
      await once(socket, 'open')
      socket.send(JSON.stringify({ type: 'chat', id: 'a', request: CHAT }))
      const [frame] = await once(socket, 'message')
      t.match(JSON.parse(String(frame)), { type: 'event', id: 'a' })
      socket.close()
    }
  }
})

test('a token is narrower than its key: its models, its output and its origin', async (t) => {
  const key = await create('narrow', { models: ['openai/*'] })
  const models = await issue(key, { models: ['openai/echo', 'anthropic/*'] })
  t.equal((await chat(bearer(models.token))).status, 200)
  t.equal((await chat(bearer(models.token), { ...CHAT, model: 'openai/lorem-max' })).status, 403)
  t.equal((await chat(bearer(models.token), { ...CHAT, model: 'anthropic/echo' })).status, 403, 'not of the key')
  t.equal((await chat(bearer(key), { ...CHAT, model: 'openai/lorem-max', max_tokens: 20 })).status, 200)
  const capped = await issue(key, { maxOutputTokens: 16 })
  for (const max_tokens of [undefined, 500]) {
    const { text } = await chat(bearer(capped.token), { ...CHAT, model: 'openai/lorem-max', max_tokens })
    t.match(JSON.parse(text), { choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 16 } })
  }
  const lower = await chat(bearer(capped.token), { ...CHAT, model: 'openai/lorem-max', max_tokens: 5 })
  t.match(JSON.parse(lower.text), { usage: { completion_tokens: 5 } }, 'never raised')
  const { token } = await issue(key, { origin: PAGE })
  t.equal((await chat({ ...bearer(token), origin: PAGE })).status, 200)
  const refused = await chat({ ...bearer(token), origin: 'https://evil.example.com' })
  t.match([refused.status, refused.text], [403, /is for pages of another origin/])
  t.equal((await chat(bearer(token))).status, 403, 'a program has no origin')
  const list = (headers: object) => fetch(`${gateway.origin}/v1/models`, { headers: { ...bearer(token), ...headers } })
  t.equal((await list({})).status, 200, 'a page of the same origin reads without the header')
  t.equal((await list({ origin: 'https://evil.example.com' })).status, 403)
})

test('a token issues no other, and reaches neither jobs nor usage nor what is not read', async (t) => {
  const key = await create('holder')
  const { token } = await issue(key)
  const response = { model: 'openai/echo', input: 'Hi' }
  for (const [path, headers, body] of [
    ['/v1/tokens', {}, {}],
    ['/v1/chat/completions', { prefer: 'respond-async' }, CHAT],
    ['/v1/responses', {}, { ...response, background: true }],
    ['/api/passthrough', {}, { provider: 'openai', path: '/chat/completions', body: { ...CHAT, model: 'echo' } }],
  ] as const) {
    const { status, text } = await chat({ ...bearer(token), ...headers }, body, path)
    t.match([status, text], [403, /token/], path)
  }
  for (const path of ['/v1/usage', '/metrics', '/v1/files', '/v1/chat/completions']) {
    const { status } = await fetch(`${gateway.origin}${path}`, { headers: bearer(token) })
    t.equal(status, 403, path)
  }
  t.equal((await chat(bearer(token), response, '/v1/responses')).status, 200)
})

test('a token ends with its key, or with the secret that issued it', async (t) => {
  const key = await create('ending')
  const { token } = await issue(key)
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1', `bearer.${token}`])
  await once(socket, 'open')
  const chatOnSocket = async (id: string) => {
    socket.send(JSON.stringify({ type: 'chat', id, request: CHAT }))
    const [frame] = await once(socket, 'message')
    return JSON.parse(String(frame))
  }
  await store.updateKey('ending', { disabled: true }, ANY)
  t.equal((await chat(bearer(token))).status, 401)
  t.match(await chatOnSocket('a'), { type: 'error', error: { code: 'invalid_api_key' } })
  await store.updateKey('ending', { disabled: false }, ANY)
  t.equal((await chat(bearer(token))).status, 200)
  const { secret } = await store.rotateKey('ending', { overlapMs: 0 }, ANY)
  t.equal((await chat(bearer(token))).status, 401, 'rotated away')
  t.match(await chatOnSocket('b'), { type: 'error', error: { code: 'invalid_api_key' } })
  socket.close()
  const next = await issue(secret)
  t.equal((await chat(bearer(next.token))).status, 200)
  await store.deleteKey('ending', ANY)
  t.equal((await chat(bearer(next.token))).status, 401)
})

test('at its expiry a token is refused by name, and its sockets close with 4401', async (t) => {
  const { token } = await issue(FILE_KEY, { expiresInSeconds: 1 })
  const socket = new WebSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, ['sluice.v1', `bearer.${token}`])
  const [code, reason] = await once(socket, 'close')
  t.match([code, String(reason)], [4401, 'unauthenticated'])
  const refused = await chat(bearer(token))
  t.match([refused.status, refused.text], [401, /This token has expired/])
})

test('a client that fetches tokens goes on over their expiries, and misses no word', async (t) => {
  const text = wordsOf(new Random(11), 1500)
  const lost: (number | null)[] = []
  let count = 0
  const client = new SluiceSocket(`${gateway.origin.replace('http', 'ws')}/v1/ws`, {
    token: async () => {
      count += 1
      return (await issue(FILE_KEY, { expiresInSeconds: count === 1 ? 1 : 600 })).token
    },
    WebSocket,
  })
  client.on('lost', ({ code }) => lost.push(code))
  let answer = ''
  for await (const chunk of client.chat({ model: 'openai/echo', messages: [{ role: 'user', content: text }] })) {
    answer += chunk.choices[0]?.delta.content ?? ''
  }
  client.close()
  t.equal(answer, text)
  t.same([lost, count], [[4401], 2])
})

test('the command of the guide issues a token for the pages of its origin', async (t) => {
  const page = PAGES.find(({ path }) => path === 'docs/guide/browsers.md')
  const [command] = fencedBlocks(page?.text ?? '').filter(({ language }) => language === 'sh')
  const script = command?.text.replaceAll('http://127.0.0.1:3000', gateway.origin) ?? ''
  const { stdout } = await run('bash', ['-euc', script], { env: { ...process.env, APP_KEY: FILE_KEY } })
  const { token, ...claims } = JSON.parse(stdout) as Issued
  issued.push(token)
  t.match(claims, { models: ['fast'], maxOutputTokens: 2000, origin: PAGE })
  t.equal((await chat({ ...bearer(token), origin: PAGE })).status, 403, 'of another model')
})

test('issuing tokens counts in the limits of the key', async (t) => {
  const key = await create('limited', { limits: { ...NO_LIMITS, requestsPerMinute: 3 } })
  const answers = await Promise.all(Array.from({ length: 8 }, () => post('/v1/tokens', { headers: bearer(key) })))
  const made = answers.filter(({ status }) => status === 200)
  t.equal(made.length, 3)
  for (const { text } of made) issued.push((JSON.parse(text) as Issued).token)
  t.equal(answers.filter(({ status }) => status === 429).length, 5)
})

test('what is asked of a token is checked', async (t) => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ expiresInSeconds: 0 }, 'expiresInSeconds'],
    [{ expiresInSeconds: 3601 }, 'expiresInSeconds'],
    [{ models: [] }, 'models'],
    [{ models: ['a', 1] }, 'models'],
    [{ models: Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(200, 'x')) }, 'models'],
    [{ maxOutputTokens: 15 }, 'maxOutputTokens'],
    [{ origin: 'https://app.example.com/' }, 'origin'],
    [{ origin: 'app.example.com' }, 'origin'],
    [{ ttl: 5 }, 'ttl'],
  ]
  for (const [body, param] of wrong) {
    const { status, text } = await post('/v1/tokens', { headers: bearer(FILE_KEY), body })
    t.equal(status, 400, param)
    t.match(JSON.parse(text), { error: { code: 'invalid_request', param } })
  }
  t.equal((await post('/v1/tokens', { headers: bearer('unknown') })).status, 401)
})

test('pages that are open for too long are no guesses, wrong tokens are', async (t) => {
  const config = {
    server: { trustedProxies: ['127.0.0.1'] },
    keys: [{ name: 'file', key: FILE_KEY }],
    accounts: { tokenSecret: 'a secret of this gateway' },
    limits: { failedKeysPerMinute: 2 },
    providers: simulatedProviders(simulator.origin),
  }
  const other = await startGateway(t, { config })
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.7' }
  const ask = (key: string) => fetch(`${other.origin}/v1/models`, { headers: { ...headers, ...bearer(key) } })
  const made = await fetch(`${other.origin}/v1/tokens`, {
    ...{ method: 'POST', headers: { ...headers, ...bearer(FILE_KEY) }, body: '{"expiresInSeconds":1}' },
  })
  const { token } = (await made.json()) as Issued
  let status = 0
  while (status !== 401) status = (await ask(token)).status
  for (let i = 0; i < 5; i++) t.equal((await ask(token)).status, 401)
  t.equal((await ask(FILE_KEY)).status, 200)
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) statuses.push((await ask(`${token.slice(0, -1)}!`)).status)
  t.equal(statuses.at(-1), 429)
})

test('without a database and without a secret there are no tokens', async (t) => {
  const config = { keys: [{ name: 'file', key: FILE_KEY }], providers: simulatedProviders(simulator.origin) }
  const other = await startGateway(t, { config })
  const headers = { ...bearer(FILE_KEY), 'content-type': 'application/json' }
  t.equal((await fetch(`${other.origin}/v1/tokens`, { method: 'POST', headers, body: '{}' })).status, 404)
  const foreign = (await issue(FILE_KEY)).token
  t.equal((await fetch(`${other.origin}/v1/models`, { headers: bearer(foreign) })).status, 401)
})

test('a page in a Chromium chats with tokens alone', IN_CHROMIUM, async (t) => {
  const page = await openPage(t, bundleClient(t.testdir()))
  const other = await startGateway(t, {
    config: {
      server: { cors: { origins: [page.origin] } },
      keys: [{ name: 'file', key: FILE_KEY }],
      accounts: { tokenSecret: 'a secret of this gateway' },
      providers: simulatedProviders(simulator.origin),
    },
  })
  const tokenFor = async (origin: string): Promise<string> => {
    const headers = { ...bearer(FILE_KEY), 'content-type': 'application/json' }
    const made = await fetch(`${other.origin}/v1/tokens`, { method: 'POST', headers, body: JSON.stringify({ origin }) })
    return ((await made.json()) as Issued).token
  }
  const call = { origin: other.origin, model: 'openai/echo', text: 'Hello page' }
  const own = { ...call, key: await tokenFor(page.origin) }
  t.same((await page.run('readOnSocket', [own])).texts, ['Hello page'])
  t.match(await page.run('readResumed', own), { text: 'Hello page', isWhole: true })
  const foreign = await page.run('failOnSocket', { ...call, key: await tokenFor(PAGE) })
  t.match(foreign.lost[0], /^4403 forbidden/)
})

test('no token is in what the gateway has written', (t) => {
  const written = `${gateway.output.join('\n')}\n${gateway.errorOutput}\n${JSON.stringify(gateway.lines)}`
  t.ok(issued.length > 10 && written.includes('/v1/tokens'))
  for (const token of issued) {
    t.notOk(written.includes(token))
    t.notOk(written.includes(token.slice(token.lastIndexOf('.') + 1)))
  }
  t.end()
})
