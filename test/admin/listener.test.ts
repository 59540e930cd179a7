// The admin listener with routes of the test's own: who gets in, by which name of the host, with which body, and the form of all errors.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type Test, test } from 'tap'
import { Type } from 'typebox'
import { type AdminExchange } from '../../src/admin/http/admin-exchange.js'
import { adminRoute } from '../../src/admin/http/admin-route.js'
import { type AdminListenerConfig, type AdminListenerOptions, createAdminListener } from '../../src/admin/listener.js'
import { createAdminRoutes } from '../../src/admin/routes/all-routes.js'
import { GatewayError } from '../../src/errors.js'
import { NO_PARTS } from '../../src/model/usage.js'
import { type FrameReader } from '../../src/streams/reader.js'
import { adminContext } from '../helpers/admin.js'
import { exchangeRaw } from '../helpers/raw-http.js'

const WRITE = 'write-key-0123456789'
const READ = 'read-key-0123456789'
const hash = (key: string): string => createHash('sha256').update(key).digest('hex')
const CONFIG: AdminListenerConfig = {
  ...{ host: '127.0.0.1', port: 0, allowedHosts: ['admin.example'], tls: null, maxKeptBytes: 0, trustedProxies: [] },
  keys: [
    { name: 'oncall', keySha256: hash(WRITE), role: 'write' },
    { name: 'board', keySha256: hash(READ), role: 'read' },
  ],
}
const Thing = Type.Object({ size: Type.Integer({ minimum: 1, maximum: 9 }) }, { additionalProperties: false })
const RARE = { tag: 'T', summary: 'S', answers: {} }

/** Routes of each kind. */
const ROUTES = [
  adminRoute({
    ...{ ...RARE, method: 'GET', path: '/admin/v1/things', role: 'read' },
    query: Type.Object(
      { limit: Type.Integer({ minimum: 1, maximum: 5, default: 2 }) },
      { additionalProperties: false },
    ),
    act: ({ query, operator }) => ({ status: 200, body: { by: operator.name, limit: query.limit } }),
  }),
  adminRoute({
    ...{ ...RARE, method: 'POST', path: '/admin/v1/things', role: 'write' },
    body: Thing,
    act: async ({ body }) => ({ status: 201, body: { size: body.size }, headers: [['etag', '"1"']] }),
  }),
  adminRoute({
    ...{ ...RARE, method: 'PATCH', path: '/admin/v1/things/:name', role: 'write' },
    body: Thing,
    act: ({ name, ifMatch }) => ({ status: 200, body: { name, ifMatch } }),
  }),
  adminRoute({
    ...{ ...RARE, method: 'DELETE', path: '/admin/v1/things/:name', role: 'write' },
    act: ({ name }) => {
      if (name === 'broken') throw new TypeError('the words of a fault, with sk-secret-0123456789 in them')
      throw new GatewayError('rate_limited', { message: 'Later.', retryAfterMs: 1500 })
    },
  }),
  adminRoute({
    ...{ ...RARE, method: 'GET', path: '/admin/v1/events', role: 'read' },
    act({ exchange }) {
      exchange.follow((onReadable) => new ThreeEvents(onReadable))
      return null
    },
  }),
]

class ThreeEvents implements FrameReader {
  offset = 0
  readonly isCut = false

  constructor(onReadable: () => void) {
    queueMicrotask(onReadable)
  }

  read(): Uint8Array | null {
    if (this.offset === 3) return null
    this.offset += 1
    return Buffer.from(`event: e\ndata: ${this.offset}\n\n`)
  }

  end() {
    const usage = {
      inputTokens: 0,
      outputTokens: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      reasoningTokens: 0,
      parts: NO_PARTS,
    }
    return this.offset === 3
      ? { outcome: 'complete' as const, error: null, usage, usageSource: 'estimated' as const }
      : null
  }

  detach(): void {}
}

async function start(t: Test, options: Partial<AdminListenerOptions> = {}) {
  const lines: { level: string; fields: object; message: string }[] = []
  const note = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const log = { info: note('info'), warn: note('warn'), error: note('error') }
  const listener = createAdminListener({
    readBrowserFile: (name) => Buffer.from(`file ${name}`),
    ...{ config: CONFIG, routes: ROUTES, log: () => log, requestIdSeed: 'seed', failedKeysPerMinute: 60 },
    ...options,
  })
  t.teardown(() => listener.close())
  const port = await listener.listen()
  const origin = `http://127.0.0.1:${port}`
  const ask = async (method: string, path: string, { key = WRITE, body, headers = {} }: Asked = {}) => {
    const answer = await fetch(`${origin}${path}`, {
      method,
      headers: {
        ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: text.startsWith('{') ? JSON.parse(text) : null,
    }
  }
  return { listener, port, origin, ask, lines }
}

type Asked = { key?: string; body?: string; headers?: Record<string, string> }

const codeOf = (answer: { json: { error?: { code?: string } } | null }) => answer.json?.error?.code

test('a known key gets in, a read key only to look, none and a wrong one nowhere', async (t) => {
  const { ask, lines } = await start(t)
  t.match(await ask('GET', '/admin/v1/things'), { status: 200, json: { by: 'oncall', limit: 2 } })
  t.match(await ask('GET', '/admin/v1/things?limit=5', { key: READ }), { status: 200, json: { by: 'board', limit: 5 } })
  t.match(await ask('POST', '/admin/v1/things', { body: '{"size":3}' }), { status: 201, json: { size: 3 } })
  const refused = await ask('POST', '/admin/v1/things', { key: READ, body: '{"size":3}' })
  t.match([refused.status, codeOf(refused)], [403, 'forbidden'])
  t.equal(lines.length, 0)
  for (const key of ['', 'wrong-key-0123456789']) {
    const answer = await ask('GET', '/admin/v1/things', { key })
    t.same(
      [answer.status, answer.json],
      [401, { error: { code: 'unauthenticated', message: 'Missing or unknown admin key.', param: null } }],
    )
  }
  t.same(lines, [{ level: 'warn', fields: { address: '127.0.0.1' }, message: 'admin key refused' }])
  t.notMatch(JSON.stringify(lines), /wrong-key/)
})

test('every answer may be neither cached nor framed, and bears its id', async (t) => {
  const { ask } = await start(t)
  const { headers } = await ask('GET', '/admin/v1/things', { headers: { 'x-request-id': 'mine' } })
  t.equal(headers.get('x-request-id'), 'mine')
  t.equal(headers.get('cache-control'), 'no-store')
  t.equal(headers.get('x-frame-options'), 'DENY')
  t.equal(headers.get('access-control-allow-origin'), null)
  t.match((await ask('GET', '/admin/v1/things')).headers.get('x-request-id'), /^adm-seed-/)
})

test('too many wrong keys lock their address out, on loopback as well', async (t) => {
  const { ask } = await start(t, { failedKeysPerMinute: 3 })
  for (let i = 0; i < 3; i++) t.equal((await ask('GET', '/admin/v1/things', { key: `wrong-${i}` })).status, 401)
  const locked = await ask('GET', '/admin/v1/things')
  t.same([locked.status, codeOf(locked)], [429, 'rate_limited'])
  t.ok(Number(locked.headers.get('retry-after')) > 0)
  const open = await start(t, { failedKeysPerMinute: null })
  for (let i = 0; i < 5; i++) await open.ask('GET', '/admin/v1/things', { key: `wrong-${i}` })
  t.equal((await open.ask('GET', '/admin/v1/things')).status, 200)
})

test('wrong keys of a login are counted and logged like others, and a session ends with its key', async (t) => {
  const routes = createAdminRoutes(adminContext([]).context)
  const { ask, lines, listener } = await start(t, { routes, failedKeysPerMinute: 3 })
  const logIn = (key: string) => ask('POST', '/admin/v1/session', { key: '', body: JSON.stringify({ key }) })
  const { headers, json } = await logIn(WRITE)
  const session = { cookie: headers.get('set-cookie')?.split(';')[0] ?? '', 'x-csrf-token': String(json.token) }
  const who = () => ask('GET', '/admin/v1/session', { key: '', headers: session })
  t.match(await who(), { status: 200, json: { name: 'oncall' } })
  listener.show({ ...CONFIG, keys: CONFIG.keys.slice(1) })
  t.equal((await who()).status, 401, 'the key is gone')
  listener.show(CONFIG)
  t.equal((await who()).status, 401, 'the session does not come back with it')
  for (let i = 0; i < 3; i++) t.equal((await logIn('wrong-0123456789')).status, 401)
  t.equal((await logIn(READ)).status, 429)
  t.same(
    lines.map(({ message }) => message),
    ['admin key refused', 'admin key refused', 'admin key refused'],
  )
})

test('without a key no more than a login is read', async (t) => {
  const { ask } = await start(t, { routes: [...createAdminRoutes(adminContext([]).context), ...ROUTES] })
  const body = JSON.stringify({ key: 'k'.repeat(17 * 1024) })
  const login = await ask('POST', '/admin/v1/session', { key: '', body })
  t.same([login.status, codeOf(login)], [413, 'payload_too_large'])
  t.equal((await ask('POST', '/admin/v1/things', { body })).status, 400, 'with a key it is read')
})

test('a long answer can tell that its key or its session is none any more', async (t) => {
  const held: AdminExchange[] = []
  const hold = adminRoute({
    ...{ ...RARE, method: 'GET', path: '/admin/v1/hold', role: 'read' },
    act({ exchange }) {
      held.push(exchange)
      exchange.follow((onReadable) => new ThreeEvents(onReadable))
      return null
    },
  })
  const routes = [...createAdminRoutes(adminContext([]).context), hold]
  const { ask, listener } = await start(t, { routes })
  const { headers, json } = await ask('POST', '/admin/v1/session', { key: '', body: JSON.stringify({ key: READ }) })
  const session = { cookie: headers.get('set-cookie')?.split(';')[0] ?? '', 'x-csrf-token': String(json.token) }
  await ask('GET', '/admin/v1/hold', { key: '', headers: session })
  await ask('GET', '/admin/v1/hold', { key: READ })
  const known = () => held.map(({ isStillKnown }) => isStillKnown)
  t.same(known(), [true, true])
  await ask('DELETE', '/admin/v1/session', { key: '', headers: session })
  t.same(known(), [false, true])
  listener.show({ ...CONFIG, keys: CONFIG.keys.slice(0, 1) })
  t.same(known(), [false, false])
})

test('the name of another host is refused before the key is looked at', async (t) => {
  const { port } = await start(t)
  const statusFor = async (host: string) => {
    const head = `GET /admin/v1/things HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${WRITE}\r\n\r\n`
    const { answers } = await exchangeRaw(port, head)
    return answers[0]?.status
  }
  for (const host of ['127.0.0.1', `localhost:${port}`, '[::1]:1', 'admin.example', 'sluice']) {
    t.equal(await statusFor(host), 200, host)
  }
  for (const host of ['evil.example', `evil.example:${port}`]) t.equal(await statusFor(host), 421, host)
})

test('framing that cannot be trusted is refused, and its connection closed', async (t) => {
  const { port } = await start(t)
  const { answers, isClosed } = await exchangeRaw(port, 'GET /admin/v1/things HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
  t.equal(answers[0]?.status, 400)
  t.ok(isClosed)
})

test('a body is JSON, not too large, and judged by its schema; none is an empty object', async (t) => {
  const { ask, port } = await start(t)
  const post = (body: string, headers: Record<string, string> = {}) =>
    ask('POST', '/admin/v1/things', { body, headers })
  t.match(await post('{"size":30}'), { status: 400, json: { error: { code: 'invalid_request', param: 'size' } } })
  t.match(await post('{"sise":3}'), { status: 400, json: { error: { param: 'sise', message: /did you mean "size"/ } } })
  t.match(await post('{"size":'), { status: 400, json: { error: { param: null } } })
  t.match(await post('{"size":3}', { 'content-type': 'text/plain' }), { status: 415 })
  t.match(await post('{"size":3}', { 'content-encoding': 'gzip' }), { status: 415 })
  t.match(await post(`{"size":3,"x":"${'x'.repeat(300_000)}"}`), { status: 413 })
  t.match(await ask('POST', '/admin/v1/things'), { status: 400, json: { error: { param: 'size' } } })
  const chunked = `POST /admin/v1/things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${WRITE}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
  const { answers } = await exchangeRaw(port, `${chunked}a\r\n{"size":3}\r\n0\r\n\r\n`)
  t.equal(answers[0]?.status, 201)
  const long = await exchangeRaw(
    port,
    `${chunked}${'20000\r\n'}${'x'.repeat(0x20000)}\r\n${'40000\r\n'}${'x'.repeat(0x40000)}\r\n0\r\n\r\n`,
  )
  t.equal(long.answers[0]?.status, 413)
})

test('names in paths are decoded, If-Match is passed on', async (t) => {
  const { ask } = await start(t)
  const patched = await ask('PATCH', '/admin/v1/things/a%20b', { body: '{"size":1}', headers: { 'if-match': '"7"' } })
  t.same(patched.json, { name: 'a b', ifMatch: '"7"' })
  t.same((await ask('PATCH', '/admin/v1/things/%zz', { body: '{"size":1}' })).json, { name: '%zz', ifMatch: '' })
})

test('errors have one form; a fault of our own says nothing of itself but in the log', async (t) => {
  const { ask, lines } = await start(t)
  const later = await ask('DELETE', '/admin/v1/things/x')
  t.same(later.json, { error: { code: 'rate_limited', message: 'Later.', param: null } })
  t.equal(later.headers.get('retry-after'), '2')
  const fault = await ask('DELETE', '/admin/v1/things/broken')
  t.same([fault.status, codeOf(fault)], [500, 'internal'])
  t.notMatch(fault.text, /words/)
  t.match(lines, [
    { level: 'error', message: 'admin request failed', fields: { cause: { message: /the words of a fault/ } } },
  ])
})

test('unknown paths and methods are said so, to those without a key as well', async (t) => {
  const { ask } = await start(t)
  t.match(await ask('GET', '/none', { key: '' }), { status: 404, json: { error: { code: 'not_found' } } })
  const answer = await ask('PUT', '/admin/v1/things', { key: '' })
  t.same([answer.status, codeOf(answer), answer.headers.get('allow')], [405, 'method_not_allowed', 'GET, POST'])
  t.equal((await ask('OPTIONS', '/admin/v1/things', { key: '' })).status, 405)
})

test('events are a stream that ends', async (t) => {
  const { ask } = await start(t)
  const { headers, text } = await ask('GET', '/admin/v1/events')
  t.equal(headers.get('content-type'), 'text/event-stream; charset=utf-8')
  t.equal(text, ': keepalive\n\nevent: e\ndata: 1\n\nevent: e\ndata: 2\n\nevent: e\ndata: 3\n\n')
})

test('other keys and names hold from a reload on', async (t) => {
  const { ask, listener } = await start(t)
  listener.show({ ...CONFIG, keys: [{ name: 'new', keySha256: hash('another-key-0123456789'), role: 'read' }] })
  t.equal((await ask('GET', '/admin/v1/things')).status, 401)
  t.match(await ask('GET', '/admin/v1/things', { key: 'another-key-0123456789' }), { json: { by: 'new' } })
  t.equal(listener.prepareTls(null), null)
})

test('the cookie of a session is for TLS alone where a trusted proxy ends it, and nobody else says so', async (t) => {
  const routes = createAdminRoutes(adminContext([]).context)
  const proxied = { ...CONFIG, trustedProxies: ['127.0.0.0/8'] }
  const { ask, listener } = await start(t, { routes, config: proxied })
  const isSecure = async (headers: Record<string, string>): Promise<boolean> => {
    const body = JSON.stringify({ key: WRITE })
    const answer = await ask('POST', '/admin/v1/session', { key: '', body, headers })
    return /; Secure$/.test(answer.headers.get('set-cookie') ?? '')
  }
  t.equal(await isSecure({ 'x-forwarded-proto': 'https' }), true)
  t.equal(await isSecure({ forwarded: 'for=192.0.2.1;proto=https' }), true)
  t.equal(await isSecure({ 'x-forwarded-proto': 'http' }), false)
  t.equal(await isSecure({}), false)
  listener.show({ ...CONFIG, trustedProxies: ['192.0.2.0/24'] })
  t.equal(await isSecure({ 'x-forwarded-proto': 'https' }), false, 'not the word of a proxy')
})

test('a port that is taken is said, and close cuts what is open', async (t) => {
  const { port, listener, origin } = await start(t)
  const second = createAdminListener({
    readBrowserFile: () => null,
    ...{ config: { ...CONFIG, port }, routes: ROUTES, requestIdSeed: 's', failedKeysPerMinute: null },
    log: () => ({ info() {}, warn() {}, error() {} }),
  })
  await t.rejects(second.listen(), { message: /Cannot listen on 127\.0\.0\.1:\d+/ })
  const socket = await import('node:net').then(({ connect }) => connect(port, '127.0.0.1'))
  await once(socket, 'connect')
  socket.write('GET /admin/v1/things HTTP/1.1\r\n')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined)
  socket.resume()
  await new Promise((resolve) => setImmediate(resolve))
  listener.close()
  await closed
  await t.rejects(fetch(origin))
})
