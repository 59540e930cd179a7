// A raw request to a provider, at a running gateway: what may be sent where, what comes back, and that it is an
// exchange like any other.
import { t as root, test } from 'tap'
import { request } from 'undici'
import { type Running, startGateway } from '../../helpers/gateway.js'
import { readFixture } from '../../helpers/matrix.js'
import { exchangeRaw } from '../../helpers/raw-http.js'
import { json, stream, ToldUpstream } from '../../helpers/told-upstream.js'

const KEY = 'gateway-key-of-team-a-0001'
const NARROW_KEY = 'gateway-key-of-team-b-0002'
const PROVIDER_KEY = 'canary.provider.key.0123456789'
const upstream = await ToldUpstream.start(root, json({ ok: true }))
const elsewhere = await ToldUpstream.start(root, json({ ok: true }))
const gateway = await startGateway(root, {
  env: { LOG_LEVEL: 'trace' },
  config: {
    keys: [
      { name: 'team-a', key: KEY },
      { name: 'team-b', key: NARROW_KEY, models: ['gpt-4o*'], limits: { requestsPerMinute: 4 } },
    ],
    providers: {
      openai: { baseUrl: `${upstream.origin}/base/v1`, apiKey: PROVIDER_KEY },
      other: { protocol: 'ollama-chat', baseUrl: elsewhere.origin },
    },
    // Weight 0 comes last.
    models: { both: { targets: ['openai/a', { provider: 'other', model: 'b', weight: 0 }] } },
  },
})

type Asking = { readonly key?: string; readonly headers?: Readonly<Record<string, string>>; readonly raw?: string }

async function pass(body: object, { key = KEY, headers = {}, raw }: Asking = {}) {
  const answer = await request(`${gateway.origin}/api/passthrough`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
    body: raw ?? JSON.stringify({ provider: 'openai', path: '/embeddings', body: {}, ...body }),
  })
  const text = await answer.body.text()
  return { status: answer.statusCode, headers: answer.headers, text, id: String(answer.headers['x-request-id']) }
}

function lineOf(running: Running, id: string) {
  return running.exchange(id)
}

test('row 13: a raw request reaches the provider byte for byte, with its key, and the answer comes back as it is', async (t) => {
  upstream.tell = json({ data: [1], usage: { prompt_tokens: 3, total_tokens: 3 } }, 201)
  const raw = '{"provider":"openai","path":"/embeddings?x=1","body": {"n":12345678901234567890, "b":[1.0,"\\u00fc"]} }'
  const { status, text, headers, id } = await pass({}, { raw })
  t.equal(status, 201)
  t.equal(text, '{"data":[1],"usage":{"prompt_tokens":3,"total_tokens":3}}')
  t.match(upstream.last, {
    method: 'POST',
    url: '/base/v1/embeddings?x=1',
    headers: { authorization: `Bearer ${PROVIDER_KEY}` },
  })
  t.equal(upstream.last.text, '{"n":12345678901234567890, "b":[1.0,"\\u00fc"]}')
  t.equal(headers['content-type'], 'application/json')
  const line = {
    outcome: 'complete',
    status: 201,
    surface: 'raw-passthrough',
    key: 'team-a',
    attempts: 1,
    tokens: { in: 3 },
  }
  t.match(await lineOf(gateway, id), line)
})

test('row 13: the provider of a model is asked, and no other one', async (t) => {
  upstream.tell = json({ error: { message: 'busy' } }, 503)
  const { status, text } = await pass({ provider: undefined, model: 'both', path: '/base/v1/x' })
  t.equal(status, 503)
  t.strictSame(JSON.parse(text), { error: { message: 'busy' } }, 'its own words')
  t.equal(upstream.last.url, '/base/v1/x')
  t.equal(elsewhere.asked.length, 0)
})

test('row 13: no header of the client goes up, no header of the provider comes down, hop by hop or other', async (t) => {
  const down = {
    'set-cookie': 'a=b',
    'x-up': '1',
    'proxy-authenticate': 'x',
    upgrade: 'h2c',
    'access-control-allow-origin': '*',
  }
  upstream.tell = json({ ok: true }, 200, { ...down, connection: 'keep-alive, x-up', 'keep-alive': 'timeout=9' })
  const hops = [
    'te: trailers',
    'proxy-authorization: Basic x',
    'keep-alive: timeout=9',
    'x-hop: 1',
    'cookie: a=b',
    'x-forwarded-for: 1.2.3.4',
  ]
  const body = JSON.stringify({ provider: 'openai', path: '/x', body: {} })
  const head = [
    'POST /api/passthrough HTTP/1.1',
    'host: evil.example',
    'content-type: application/json',
    `authorization: Bearer ${KEY}`,
  ]
  const lines = [...head, 'connection: close, x-hop', `content-length: ${body.length}`, ...hops, '', body]
  const { answers } = await exchangeRaw(Number(new URL(gateway.origin).port), lines.join('\r\n'))
  t.equal(answers[0]?.status, 200)
  for (const name of [...Object.keys(down), 'keep-alive']) t.notOk(answers[0]?.headers.has(name), name)
  const up = upstream.last.headers
  for (const name of ['te', 'proxy-authorization', 'keep-alive', 'x-hop', 'cookie', 'x-forwarded-for'])
    t.notOk(name in up, name)
  t.equal(up.host, new URL(upstream.origin).host)
})

const REFUSED: readonly (readonly [status: number, body: object])[] = [
  ...[
    '/../x',
    '/%2e%2e/x',
    '/a/..%2fb',
    '/a%2Fb',
    '/a\\b',
    '//evil/x',
    'http://evil/x',
    'x',
    '/a\r\nx: y',
    '/%252e',
    '',
    '/a#b',
  ].map((path) => [400, { path }] as const),
  [400, { path: 7 }],
  [400, { provider: undefined }],
  [400, { provider: 'nowhere' }],
  [400, { provider: 'anthropic' }],
  [400, { provider: '__proto__' }],
  [400, { body: 'text' }],
  [400, { url: 'http://evil' }],
  [400, { headers: { 'x-a': 'b' } }],
  [400, { body: { model: 'a', Model: 'b' } }],
  [404, { provider: undefined, model: 'nowhere' }],
]

test('row 13: what leads elsewhere is refused in the words of this API, and nobody is asked', async (t) => {
  const before = upstream.asked.length + elsewhere.asked.length
  for (const [wanted, body] of REFUSED) {
    const { status, text } = await pass(body)
    t.equal(status, wanted, text)
    t.match(JSON.parse(text), { error: wanted === 400 ? 'bad_request' : 'not_found', details: /./ })
  }
  const twice = '{"provider":"openai","path":"/x","body":{"model":"a","model":"b"}}'
  t.equal((await pass({}, { raw: twice })).status, 400, 'a body that two parsers may read differently')
  t.equal((await pass({}, { key: 'nobody' })).status, 401)
  t.equal(upstream.asked.length + elsewhere.asked.length, before)
})

test('row 13: a redirect is not followed', async (t) => {
  for (const status of [301, 302, 303, 307, 308]) {
    upstream.tell = (answer) => answer.writeHead(status, { location: `${elsewhere.origin}/${status}` }).end()
    const answer = await pass({})
    t.equal(answer.status, 502)
    t.notOk('location' in answer.headers)
  }
  t.equal(elsewhere.asked.length, 0)
})

test('row 13: the globs and limits of the key hold', async (t) => {
  upstream.tell = json({ ok: true })
  const before = upstream.asked.length
  const chat = (model: string, path = '/chat/completions') => pass({ path, body: { model } }, { key: NARROW_KEY })
  t.equal((await chat('gpt-4o-mini')).status, 200)
  t.equal((await chat('o3')).status, 403)
  t.equal((await chat('gpt-4o', '/files')).status, 403)
  t.equal((await chat('gpt-4o')).status, 200)
  const limited = await chat('gpt-4o')
  t.equal(limited.status, 429)
  t.match(JSON.parse(limited.text), { error: 'rate_limited' })
  t.ok(limited.headers['retry-after'])
  t.equal(upstream.asked.length, before + 2)
})

test('row 13: whether the answer streams its content type tells, and it streams as it comes', async (t) => {
  const bytes = readFixture('openai-chat/streams/text.sse')
  upstream.tell = stream(bytes)
  for (const body of [{ stream: true }, {}]) {
    const { text, headers, id } = await pass({ path: '/chat/completions', body })
    t.match(headers['content-type'], /^text\/event-stream/)
    t.equal(text, bytes.toString())
    t.match(await lineOf(gateway, id), { outcome: 'complete', usageSource: 'provider', transport: 'sse' })
  }
  upstream.tell = stream('{"a":1}\n{"b":2}\n', 'application/x-ndjson')
  t.equal((await pass({})).text, '{"a":1}\n{"b":2}\n')
  upstream.tell = json({ whole: true })
  t.equal((await pass({ body: { stream: true } })).text, '{"whole":true}', 'a whole answer, whatever was asked for')
  upstream.tell = (answer) => answer.writeHead(200, { 'content-type': 'audio/mpeg' }).end(Buffer.from([255, 0, 128]))
  const sound = await pass({})
  t.equal(sound.headers['content-type'], 'audio/mpeg')
  upstream.tell = (answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<script>')
  t.equal((await pass({})).status, 502, 'no page of others on our origin')
})

test('row 13: a failure after the first byte is an error frame; a client that leaves stops the provider', async (t) => {
  upstream.tell = (answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write('data: {"a":1}\n\n', () => answer.socket?.destroy())
  }
  const cut = await pass({})
  t.match(cut.text, /^data: \{"a":1\}\n\nevent: error\ndata: \{"type":"error".*\n\n$/)
  t.equal((await lineOf(gateway, cut.id)).outcome, 'upstream_cut')
  upstream.tell = (answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write('data: {"a":1}\n\n')
  }
  const answer = await request(`${gateway.origin}/api/passthrough`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ provider: 'openai', path: '/x', body: {} }),
  })
  t.equal(
    String((await answer.body[Symbol.asyncIterator]().next()).value),
    'data: {"a":1}\n\n',
    'the first is here at once',
  )
  answer.body.destroy()
  await upstream.last.closed
  t.equal((await lineOf(gateway, String(answer.headers['x-request-id']))).outcome, 'client_gone')
})

test("row 13: the provider's key shows up nowhere", async (t) => {
  const answers: string[] = []
  for (const status of [400, 401, 403, 429, 500]) {
    upstream.tell = json({ error: { message: `Bad key ${PROVIDER_KEY}`, code: PROVIDER_KEY } }, status)
    const { text, status: told } = await pass({ path: `/x?key=${PROVIDER_KEY}`, body: { key: PROVIDER_KEY } })
    t.equal(told, status === 401 || status === 403 ? 502 : status)
    answers.push(text)
  }
  const metrics = await request(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
  const page = await metrics.body.text()
  t.match(page, /sluice_requests_total\{surface="raw-passthrough",model="other",provider="openai"/)
  await gateway.stop()
  t.notMatch(answers.join('\n') + page, /canary/i)
  t.notMatch(gateway.output.join('\n') + gateway.errorOutput, /canary/i)
})
