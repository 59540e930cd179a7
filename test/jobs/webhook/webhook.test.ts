// One attempt against servers that behave, misbehave and lie: what it is called afterwards, that nothing of the network
// shows through, and that no connection is left.
import { once } from 'node:events'
import { type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { Webhook } from 'standardwebhooks'
import { test } from 'tap'
import { sendWebhook, type WebhookOptions } from '../../../src/jobs/webhook/webhook.js'
import { answer, ScriptedUpstream, type Step, whole } from '../../helpers/scripted-upstream.js'
import { readText } from '../../helpers/source-tree.js'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const BODY = Buffer.from('{"request_id":"job_1","status":"completed","response":{}}')
const NOW_MS = Date.UTC(2026, 10, 21, 12)
/** Of an attempt that is meant to run into it. */
const SHORT_MS = 150

const LOCAL: WebhookOptions = {
  allowInsecure: true,
  allowPrivateNetworks: true,
  secret: SECRET,
  previousSecret: null,
  timeoutMs: 5000,
}
const GUARDED: WebhookOptions = { ...LOCAL, allowPrivateNetworks: false }
const UNREACHABLE = { kind: 'retry', error: 'The endpoint is unreachable.', retryAfterMs: null }

type Teardown = { teardown(callback: () => unknown): void }

async function listen(t: Teardown, ...steps: Step[]): Promise<ScriptedUpstream> {
  const server = await ScriptedUpstream.listen(answer(...steps))
  t.teardown(() => server.close())
  return server
}

function send(url: string, options: WebhookOptions = LOCAL) {
  return sendWebhook({ id: 'msg_1', url, body: BODY }, options)
}

test('posts the signed body, and any 2xx is success', async (t) => {
  for (const status of [200, 201, 202, 204]) {
    const server = await listen(t, { send: `HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n` })
    t.same(await send(`${server.origin}/hook?a=b`), { kind: 'delivered' }, String(status))
    const [request] = server.requests
    t.match(request?.head, /^POST \/hook\?a=b HTTP\/1\.1\r\n/)
    t.match(request?.head, /connection: close/i)
    t.same(request?.body, BODY)
    const headers = Object.fromEntries(
      Array.from((request?.head ?? '').matchAll(/^(webhook-\w+): (.*?)\r?$/gm), ([, name, value]) => [name, value]),
    )
    t.equal(headers['webhook-id'], 'msg_1')
    t.same(new Webhook(SECRET).verify(BODY.toString(), headers), JSON.parse(BODY.toString()))
    await server.until(() => server.open === 0)
  }
})

test('both secrets sign while one is replaced, and without a secret nothing is signed', async (t) => {
  const server = await listen(t, whole(200, ''))
  await send(server.origin, { ...LOCAL, previousSecret: 'the-secret-before' })
  t.match(server.requests[0]?.head, /webhook-signature: v1,\S+ v1,\S+/)
  await send(server.origin, { ...LOCAL, secret: null })
  t.notMatch(server.requests[1]?.head, /webhook-signature/)
})

test('what the other answers are called', async (t) => {
  const cases: readonly (readonly [number, string])[] = [
    ...[301, 302, 303, 307, 308, 400, 401, 403, 404, 422].map((status) => [status, 'failed'] as const),
    [410, 'gone'],
    ...[408, 425, 429, 500, 502, 503, 504, 599].map((status) => [status, 'retry'] as const),
  ]
  for (const [status, kind] of cases) {
    const server = await listen(t, whole(status, 'x'))
    t.match(await send(server.origin), { kind, error: `The endpoint returned status ${status}.` }, String(status))
  }
})

test('Retry-After is read in seconds and as a date; nonsense is not', async (t) => {
  const cases: readonly (readonly [string, number | null])[] = [
    ['120', 120_000],
    ['Sat, 21 Nov 2026 12:01:00 GMT', 60_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['999999999', 86_400_000],
    ['soon', null],
  ]
  for (const [value, retryAfterMs] of cases) {
    const server = await listen(t, whole(429, '', [`retry-after: ${value}`]))
    t.match(await send(server.origin, { ...LOCAL, unixMs: () => NOW_MS }), { kind: 'retry', retryAfterMs }, value)
  }
})

test('no redirect is followed: one request, and it failed', async (t) => {
  for (const status of [301, 302, 307, 308]) {
    const second = await listen(t, whole(200, ''))
    const places = ['http://169.254.169.254/latest/meta-data', second.origin]
    for (const place of places) {
      const server = await listen(t, whole(status, '', [`location: ${place}`]))
      t.match(await send(server.origin), { kind: 'failed' }, `${status} ${place}`)
      t.equal(server.requests.length, 1)
    }
    t.equal(second.accepted, 0)
  }
})

test('of a long answer no more than 64 KiB is read, and the head decides', async (t) => {
  const megabyte = Buffer.alloc(1 << 20, 'x')
  const endless = Array.from({ length: 200 }, () => ({ send: megabyte }))
  for (const [status, kind] of [
    [200, 'delivered'],
    [500, 'retry'],
  ] as const) {
    const head = { send: `HTTP/1.1 ${status} X\r\ncontent-length: 1073741824\r\n\r\n` }
    const server = await listen(t, head, ...endless, { stall: true })
    const sending = send(server.origin, { ...LOCAL, timeoutMs: 60_000 })
    await server.until(() => server.accepted === 1 && server.open === 0)
    t.match(await sending, { kind }, String(status))
  }
})

test('a slow drip is cut at the deadline: in the head nothing was answered, in the body the head counts', async (t) => {
  const options = { ...LOCAL, timeoutMs: SHORT_MS }
  const inHead = await listen(t, { drip: 'HTTP/1.1 200 OK\r\n'.repeat(100), everyMs: 20 })
  t.match(await send(inHead.origin, options), UNREACHABLE)
  const inBody = await listen(t, { send: 'HTTP/1.1 200 OK\r\n\r\n' }, { drip: 'x'.repeat(1000), everyMs: 20 })
  t.same(await send(inBody.origin, options), { kind: 'delivered' })
  for (const server of [inHead, inBody]) await server.until(() => server.open === 0)
})

test('an early hint is no answer yet', async (t) => {
  const server = await listen(t, { send: 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n' }, whole(500, ''))
  t.match(await send(server.origin), { kind: 'retry', error: 'The endpoint returned status 500.' })
})

test('an answer that ends with its connection, or is cut after its head, counts by its head', async (t) => {
  for (const end of ['fin', 'rst'] as const) {
    const server = await listen(
      t,
      { send: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc' },
      { delayMs: 20 },
      { end },
    )
    t.same(await send(server.origin), { kind: 'delivered' }, end)
  }
})

test('every attempt without a response has the same error text', async (t) => {
  const reset = await listen(t, { end: 'rst' })
  const silent = await listen(t, { stall: true })
  const closed = await listen(t, { end: 'fin' })
  const garbage = await listen(t, { send: 'SSH-2.0-OpenSSH\r\n\r\n' })
  const bigHead = await listen(t, { send: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}\r\n\r\n` })
  const gone = await ScriptedUpstream.listen()
  await gone.close()
  const allowed = LOCAL
  const cases: readonly (readonly [string, string, WebhookOptions])[] = [
    ['reset', reset.origin, allowed],
    ['timeout', silent.origin, { ...allowed, timeoutMs: SHORT_MS }],
    ['closed', closed.origin, allowed],
    ['not HTTP', garbage.origin, allowed],
    ['head too long', bigHead.origin, allowed],
    ['refused', gone.origin, allowed],
    ['TLS to a plain port', closed.origin.replace('http:', 'https:'), { ...allowed, timeoutMs: SHORT_MS }],
    ['unresolvable', 'http://x.example/', { ...allowed, resolve: () => Promise.reject(new Error('ENOTFOUND')) }],
    ['no address', 'http://x.example/', { ...allowed, resolve: async () => [] }],
    ['DNS that hangs', 'http://x.example/', { ...allowed, resolve: () => new Promise(() => {}), timeoutMs: SHORT_MS }],
    ['blocked by its text', silent.origin, GUARDED],
    ['blocked by its name', 'http://x.example/', { ...GUARDED, resolve: async () => [LOOPBACK] }],
    ['not a URL', 'x', GUARDED],
  ]
  for (const [name, url, options] of cases) {
    const { cause: _, ...told } = { cause: null, ...(await send(url, options)) }
    t.same(told, UNREACHABLE, name)
  }
  for (const server of [reset, silent, closed, garbage, bigHead]) await server.until(() => server.open === 0)
})

const LOOPBACK = { address: '127.0.0.1', family: 4 }

test('a name that leads inside is never connected to', async (t) => {
  const server = await listen(t, whole(200, ''))
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '0.0.0.0', '::1']) {
    const resolve = async () => [
      { address: '8.8.8.8', family: 4 },
      { address, family: address.includes(':') ? 6 : 4 },
    ]
    const found = await send(`http://x.example:${server.port}/`, { ...GUARDED, resolve })
    t.match(found, { ...UNREACHABLE, cause: { message: /not public/ } }, address)
  }
  t.equal(server.accepted, 0)
})

test('an address that is another by the time of the connect is seen on the socket: not a byte is sent', async (t) => {
  const server = await listen(t, whole(200, ''))
  let reads = 0
  const turncoat = {
    family: 4,
    get address() {
      return reads++ === 0 ? '8.8.8.8' : '127.0.0.1'
    },
  }
  const options = { ...GUARDED, resolve: async () => [turncoat] }
  const found = await send(`http://x.example:${server.port}/`, options)
  t.match(found, { ...UNREACHABLE, cause: { message: /connected to an address that is not public/ } })
  await server.until(() => server.accepted === 1 && server.open === 0)
  t.equal(server.requests.length, 0)
})

test('TLS is verified, whatever the environment says', async (t) => {
  const cert = readText('test/fixtures/tls/self-signed.crt')
  const server = createServer({ cert, key: readText('test/fixtures/tls/self-signed.key') }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
  })
  t.match(await send(url), { ...UNREACHABLE, cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
  t.same(await send(url, { ...LOCAL, ca: cert }), { kind: 'delivered' })
})

test('a hundred at once leave no connection behind', async (t) => {
  const server = await listen(t, whole(503, 'busy'))
  const answers = await Promise.all(Array.from({ length: 100 }, () => send(server.origin)))
  t.ok(answers.every(({ kind }) => kind === 'retry'))
  await server.until(() => server.accepted === 100 && server.open === 0)
})
