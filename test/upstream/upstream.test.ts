// Requests whose credentials expire: they wait for them, share them, are sent again once where others help, and fail clearly where
// there are none. Against an upstream that checks what arrives and an issuer of the tests' own.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { type CredentialsConfig } from '../../src/config/credential-types.js'
import { type ProviderConfig } from '../../src/config/types.js'
import { CredentialsError } from '../../src/upstream/credentials/issuer-request.js'
import { Issuer, type IssuerRoutes } from '../helpers/issuer.js'
import { faultOfSignature } from '../helpers/signature-verifier.js'
import { testProvider } from '../helpers/targets.js'
import { type Probe, probe, testUpstream } from '../helpers/upstream-probe.js'

type Arrived = {
  readonly method: string | undefined
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An upstream that keeps what arrives and answers as told; and an Upstream whose clock the test moves. */
async function setUp(t: Test, answer: (arrived: Arrived, response: ServerResponse) => void, routes: IssuerRoutes = {}) {
  const arrived: Arrived[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const seen = {
        method: request.method,
        target: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
      }
      arrived.push(seen)
      answer(seen, response)
    })()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = await Issuer.listen(routes)
  const clock = { nowMs: Date.UTC(2030, 0, 1) }
  const { upstream, pools } = testUpstream(undefined, { nowMs: () => clock.nowMs })
  t.teardown(async () => {
    await pools.close(0)
    server.closeAllConnections()
    server.close()
    await issuer.close()
  })
  const provider = (credentials: CredentialsConfig, over: Partial<ProviderConfig> = {}) =>
    testProvider(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, { credentials, ...over })
  const source = { from: 'metadata', url: `${issuer.origin}/token`, headers: {} } as const
  return { arrived, issuer, clock, upstream, provider, bearer: { kind: 'bearer', source, proxy: null } as const }
}

const LIFE_MS = 3_600_000
const fine = (_: Arrived, response: ServerResponse) => void response.end('{"ok":true}')

/** Tokens of an hour: token-1, token-2 ... */
function tokens(): IssuerRoutes {
  let count = 0
  return { '/token': () => ({ body: { access_token: `token-${++count}`, expires_in: 3600 } }) }
}

function sentTokens(arrived: readonly Arrived[]): (string | undefined)[] {
  return arrived.map(({ headers }) => headers.authorization)
}

test('a token is obtained with the first request that needs it, and goes with all', async (t) => {
  const { arrived, issuer, upstream, provider, bearer } = await setUp(t, fine, tokens())
  const target = provider(bearer)
  upstream.prepare(target)
  t.equal(issuer.asked.length, 0, 'none is needed yet')
  t.same(upstream.secretsOf(target), [])
  const probes = Array.from({ length: 20 }, () => probe(upstream, target))
  const seen = await Promise.all(probes.map((each) => each.done()))
  t.ok(seen.every(({ status, body }) => status === 200 && body === '{"ok":true}'))
  t.same(new Set(sentTokens(arrived)), new Set(['Bearer token-1']))
  t.equal(issuer.asked.length, 1)
  t.same(upstream.secretsOf(target), ['token-1'], 'what answers must not show')
  t.match(seen[0]?.call, { bytesReceived: 11, attempts: 1 })
})

test('a renewal runs while requests go on with the old token; one that expires under load is renewed once', async (t) => {
  const { arrived, issuer, clock, upstream, provider, bearer } = await setUp(t, fine, tokens())
  const target = provider(bearer)
  await probe(upstream, target).done()
  clock.nowMs += 0.85 * LIFE_MS
  issuer.hold()
  const during = Array.from({ length: 10 }, () => probe(upstream, target).done())
  await issuer.reached(2)
  await Promise.all(during)
  t.same(new Set(sentTokens(arrived)), new Set(['Bearer token-1']), 'none of them waits')
  issuer.release()
  await probe(upstream, target).done()
  clock.nowMs += 2 * LIFE_MS
  arrived.length = 0
  await Promise.all(Array.from({ length: 30 }, () => probe(upstream, target).done()))
  t.same(new Set(sentTokens(arrived)), new Set(['Bearer token-3']))
  t.equal(issuer.asked.length, 3)
})

test('a provider that a reload has changed obtains its own token: that of the former address goes to no other', async (t) => {
  const { arrived, issuer, upstream, provider, bearer } = await setUp(t, fine, tokens())
  const before = provider(bearer)
  const after = { ...before, baseUrl: before.baseUrl.replace('127.0.0.1', 'localhost') }
  await probe(upstream, before).done()
  await probe(upstream, after).done()
  await probe(upstream, before).done()
  t.same(sentTokens(arrived), ['Bearer token-1', 'Bearer token-2', 'Bearer token-1'])
  t.equal(issuer.asked.length, 2)
})

test('without credentials nothing is sent: a typed error, whose cause is for the log', async (t) => {
  const { arrived, issuer, clock, upstream, provider, bearer } = await setUp(t, fine, {
    '/token': () => ({ status: 401, body: { error: 'invalid_client', error_description: 'canary' } }),
  })
  const target = provider(bearer)
  const first = await probe(upstream, target).done()
  t.same(first.events, ['error upstream_auth'])
  t.match(first.error?.data, { retryable: false, status: 502, upstreamStatus: null })
  t.notMatch(first.error?.message, /127\.0\.0\.1|canary|invalid/)
  const cause = first.error?.cause
  t.ok(cause instanceof CredentialsError && /answered 401, invalid_client/.test(cause.message))
  await probe(upstream, target).done()
  t.equal(issuer.asked.length, 1, 'the next one fails at once')
  clock.nowMs += 500
  await probe(upstream, target).done()
  t.equal(issuer.asked.length, 2)
  t.equal(arrived.length, 0)
})

test('a token that is refused is replaced once if it has had time to become invalid', async (t) => {
  const revoked = new Set<string>()
  const { arrived, clock, upstream, provider, bearer } = await setUp(
    t,
    ({ headers }, response) => {
      if (revoked.has(headers.authorization ?? '')) response.writeHead(401).end('no')
      else response.end('yes')
    },
    tokens(),
  )
  const target = provider(bearer)
  t.equal((await probe(upstream, target).done()).body, 'yes')
  revoked.add('Bearer token-1')
  t.match(await probe(upstream, target).done(), { status: 401, body: 'no' }, 'it is fresh: nothing else would help')
  clock.nowMs += 60_000
  const again = await probe(upstream, target).done()
  t.same(again.events, ['head 200', 'bytes', 'end'], 'only the second answer is reported')
  t.equal(again.body, 'yes')
  t.same(sentTokens(arrived).slice(-2), ['Bearer token-1', 'Bearer token-2'])
  revoked.add('Bearer token-2')
  clock.nowMs += 60_000
  revoked.add('Bearer token-3')
  t.match(await probe(upstream, target).done(), { status: 401, body: 'no' }, 'once')
  t.equal(arrived.length, 6)
})

test('one that is aborted while it waits sends nothing, and one that waits too long fails', async (t) => {
  const { arrived, issuer, upstream, provider, bearer } = await setUp(t, fine, tokens())
  const target = provider(bearer)
  issuer.hold()
  const aborted = probe(upstream, target)
  const late = probe(upstream, target, { timeouts: { totalMs: 50 } })
  const silent = probe(upstream, target, { timeouts: { firstTokenMs: 50 } })
  const whole = probe(upstream, target, { timeouts: { firstTokenMs: 50 }, request: { isStream: false } })
  await issuer.reached(1)
  aborted.call?.abort()
  t.equal((await late.done()).error?.message, 'The provider did not complete its response within 50 ms.')
  t.equal((await silent.done()).error?.message, 'The provider sent no first token within 50 ms.')
  issuer.release()
  t.equal((await whole.done()).status, 200, 'the end of the one that has begun the renewal ends no other')
  t.same(aborted.events, [])
  t.equal(arrived.length, 1, 'that one alone')
})

test('the time limits are those of the whole call, and named as they are configured', async (t) => {
  const { clock, upstream, provider, bearer } = await setUp(
    t,
    ({ headers }, response) => {
      const { authorization } = headers
      if (authorization === 'Bearer token-1') setTimeout(() => response.writeHead(401).end('no'), 500)
    },
    tokens(),
  )
  const target = provider(bearer)
  await probe(upstream, target).done()
  clock.nowMs += 60_000
  const ended: string[] = []
  const later = setTimeout(() => ended.push('later'), 1000)
  const { error } = await probe(upstream, target, { timeouts: { totalMs: 600 } }).done()
  clearTimeout(later)
  t.equal(error?.message, 'The provider did not complete its response within 600 ms.')
  t.same(ended, [], 'the refusal was part of its time')
})

test("a caller's own key goes in place of the credentials, which are not even obtained", async (t) => {
  const { arrived, issuer, upstream, provider, bearer } = await setUp(t, fine, tokens())
  await probe(upstream, provider(bearer), { request: { callerKey: 'own-key' } }).done()
  t.same(sentTokens(arrived), ['Bearer own-key'])
  t.equal(issuer.asked.length, 0)
})

test('a request without a body has its own method, and declares no type', async (t) => {
  const methods: (string | undefined)[] = []
  const { arrived, upstream, provider, bearer } = await setUp(t, (seen, response) => {
    methods.push(seen.method)
    response.end('{}')
  })
  for (const method of ['GET', 'DELETE', 'POST', undefined] as const) {
    await probe(upstream, provider(bearer), { request: { callerKey: 'own', method, body: new Uint8Array(0) } }).done()
  }
  t.same(methods, ['GET', 'DELETE', 'POST', 'POST'])
  t.same(new Set(arrived.map(({ headers }) => headers['content-type'])), new Set([undefined]))
  t.equal(arrived[2]?.headers['content-length'], '0')
  await probe(upstream, provider(bearer), { request: { callerKey: 'own' } }).done()
  t.equal(arrived[4]?.headers['content-type'], 'application/json')
})

test('a redirect is reported, not followed', async (t) => {
  const { arrived, upstream, provider, bearer } = await setUp(
    t,
    (_, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
    tokens(),
  )
  t.equal((await probe(upstream, provider(bearer)).done()).status, 307)
  t.equal(arrived.length, 1)
})

const KEYS = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret/example+key', sessionToken: null }
const SIGNED = { kind: 'signature', region: 'eu-central-1', service: 'bedrock', proxy: null } as const
const FIXED: CredentialsConfig = { ...SIGNED, source: { from: 'keys', ...KEYS } }

/** What the cloud would say of it, by its clock. */
function fault(arrived: Arrived, nowMs: number, token: string | null = null): string | null {
  const keys = new Map([[KEYS.accessKeyId, { secret: KEYS.secretAccessKey, token }]])
  return faultOfSignature({ ...arrived, method: arrived.method ?? 'POST' }, { ...SIGNED, keys, nowMs })
}

test('a request is signed as it is sent, also with parameters, as a stream or whole, in pieces', async (t) => {
  const { arrived, clock, upstream, provider } = await setUp(t, fine)
  const target = provider(FIXED, { headers: { 'x-team': 'a' } })
  const pieces = ['{"a":"', 'é'.repeat(70_000), '"}'].map((piece) => Buffer.from(piece))
  await probe(upstream, target).done()
  await probe(upstream, target, { request: { body: pieces, isStream: false } }).done()
  await probe(upstream, target, {
    request: { path: '/model/a.b-v1:0/invoke?x=1&a=b', headers: { 'x-beta': 'b' } },
  }).done()
  const media = { accept: 'audio/*', contentType: 'multipart/form-data; boundary=x' }
  await probe(upstream, target, { request: { media } }).done()
  t.equal(arrived[3]?.headers['content-type'], media.contentType)
  t.same(
    arrived.map((each) => fault(each, clock.nowMs)),
    [null, null, null, null],
  )
  t.match(arrived[2]?.headers, { 'x-team': 'a', 'x-beta': 'b' }, 'sent, not signed')
  t.same(upstream.secretsOf(target), [KEYS.secretAccessKey])
})

test("a clock that is wrong costs one repetition: from then on the server's date counts", async (t) => {
  const AHEAD_MS = 3_600_000
  const faults: (string | null)[] = []
  const { clock, arrived, upstream, provider } = await setUp(t, (seen, response) => {
    const wrong = fault(seen, clock.nowMs + AHEAD_MS)
    faults.push(wrong)
    const date = new Date(clock.nowMs + AHEAD_MS).toUTCString()
    response.writeHead(wrong === null ? 200 : 403, { date }).end(wrong ?? 'fine')
  })
  const target = provider(FIXED)
  const first = await probe(upstream, target).done()
  t.same(first.events, ['head 200', 'bytes', 'end'])
  t.equal((await probe(upstream, target).done()).body, 'fine')
  t.same(faults, ['skewed', null, null])
  t.equal(arrived.length, 3)
})

test('requests that were sent before the clock of the server was known are each repeated', async (t) => {
  const AHEAD_MS = 3_600_000
  const held: (() => void)[] = []
  const { clock, upstream, provider } = await setUp(t, (seen, response) => {
    const wrong = fault(seen, clock.nowMs + AHEAD_MS)
    const date = new Date(clock.nowMs + AHEAD_MS).toUTCString()
    const send = () => void response.writeHead(wrong === null ? 200 : 403, { date }).end(wrong ?? 'fine')
    if (wrong === null) send()
    // All are refused when all have been sent.
    else if (held.push(send) === 3) for (const each of held) each()
  })
  const target = provider(FIXED)
  const all = await Promise.all([1, 2, 3].map(() => probe(upstream, target).done()))
  t.same(
    all.map(({ body }) => body),
    ['fine', 'fine', 'fine'],
  )
  t.equal(held.length, 3)
})

test('fixed keys that are refused for another reason are not tried again', async (t) => {
  const { arrived, clock, upstream, provider } = await setUp(t, (_, response) => {
    response.writeHead(403, { date: new Date(clock.nowMs).toUTCString() }).end('denied')
  })
  t.match(await probe(upstream, provider(FIXED)).done(), { status: 403, body: 'denied' })
  clock.nowMs += 3_600_000
  t.match(await probe(upstream, provider(FIXED)).done(), { status: 403, body: 'denied' })
  t.equal(arrived.length, 2)
})

test('temporary keys are renewed when they are refused, and sign with their token', async (t) => {
  let count = 0
  const { arrived, clock, upstream, provider, issuer } = await setUp(
    t,
    (seen, response) => {
      const wrong = fault(seen, clock.nowMs, 'token-2')
      response.writeHead(wrong === null ? 200 : 403, { date: new Date(clock.nowMs).toUTCString() }).end(wrong ?? 'fine')
    },
    {
      '/creds': () => ({
        body: {
          ...{ AccessKeyId: KEYS.accessKeyId, SecretAccessKey: KEYS.secretAccessKey, Token: `token-${++count}` },
          Expiration: new Date(clock.nowMs + LIFE_MS).toISOString(),
        },
      }),
    },
  )
  const source = { from: 'container', url: `${issuer.origin}/creds`, token: null, tokenFile: null } as const
  const target = provider({ ...SIGNED, source })
  t.match(await probe(upstream, target).done(), { status: 403, body: 'token' })
  clock.nowMs += 60_000
  t.match(await probe(upstream, target).done(), { status: 200, body: 'fine' })
  t.equal(issuer.asked.length, 2)
  t.equal(arrived.length, 3)
})

test('a path that leaves the base URL fails before any credentials are obtained', async (t) => {
  const { issuer, upstream, provider, bearer } = await setUp(t, fine, tokens())
  const seen: Probe = await probe(upstream, provider(bearer), { request: { path: '/../x' } }).done()
  t.same(seen.events, ['error invalid_request'])
  t.equal(issuer.asked.length, 0)
})
