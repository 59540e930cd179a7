// The way through a proxy: what it is asked, and every way in which it can fail.
import { test } from 'tap'
import { Pools } from '../../src/upstream/pool/pools.js'
import { parseProxy } from '../../src/upstream/proxy.js'
import { Authority } from '../helpers/certificates.js'
import { holdStreams } from '../helpers/http2-rig.js'
import { Http2Upstream } from '../helpers/http2-upstream.js'
import { type ProxyAct, ScriptedProxy } from '../helpers/scripted-proxy.js'
import { answer, ScriptedUpstream, whole } from '../helpers/scripted-upstream.js'
import { testProvider } from '../helpers/targets.js'
import { TlsUpstream } from '../helpers/tls-upstream.js'
import { type ProbeOptions, probe, testUpstream } from '../helpers/upstream-probe.js'

const CREDENTIALS = `proxy-authorization: Basic ${Buffer.from('corp:p@ss-canary').toString('base64')}`

test('takes a proxy’s URL apart', (t) => {
  t.same(parseProxy('http://proxy.test'), { isSecure: false, host: 'proxy.test', port: 80, authorization: null })
  t.same(parseProxy('https://u:p%3Aw@[2001:db8::1]:8443'), {
    isSecure: true,
    host: '2001:db8::1',
    port: 8443,
    authorization: `Basic ${Buffer.from('u:p:w').toString('base64')}`,
  })
  t.equal(parseProxy('http://token@p:3128').authorization, `Basic ${Buffer.from('token:').toString('base64')}`)
  t.end()
})

test('https goes through a tunnel: the proxy learns name and port, the provider gets the rest', async (t) => {
  const authority = new Authority(t)
  const far = await TlsUpstream.listen(t, authority.issue('far', { names: 'DNS:provider.test' }))
  const proxy = await ScriptedProxy.listen(t, { tunnel: far.port })
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const tls = { ca: authority.ca, cert: null, key: null, serverName: null }
  const provider = testProvider('https://provider.test/v1', {
    proxy: proxy.urlWithCredentials,
    tls,
    apiKey: 'sk-canary',
  })
  const request = { isStream: false }
  for (let i = 0; i < 2; i++) {
    const seen = await probe(upstream, provider, { request }).done()
    t.match(seen.body, /whole/, `${seen.error?.message} ${String(seen.error?.cause)}`)
  }
  t.equal(proxy.heads.length, 1, 'one tunnel for both')
  t.match(proxy.heads[0], /^CONNECT provider\.test:443 HTTP\/1\.1\r\nHost: provider\.test:443\r\n/)
  t.ok(proxy.heads[0]?.toLowerCase().includes(CREDENTIALS.toLowerCase()))
  t.notMatch(proxy.heads[0], /canary.*sk-|sk-canary/)
  t.same(far.serverNames, ['provider.test'])
  t.equal(far.heads.length, 2)
  for (const head of far.heads) t.notMatch(head, /proxy-/, 'nothing of the proxy reaches the provider')
})

test('through a tunnel HTTP/2 is offered as without one, and streams share it', async (t) => {
  for (const isHttp1 of [false, true]) {
    const far = await Http2Upstream.listen(t, { isHttp1 })
    const proxy = await ScriptedProxy.listen(t, { tunnel: Number(new URL(far.origin).port) })
    const { upstream, pools } = testUpstream()
    t.teardown(() => pools.close(0))
    const tls = { ca: far.ca, cert: null, key: null, serverName: null }
    const provider = testProvider(far.origin, { proxy: proxy.urlWithCredentials, tls, http2: 'auto' })
    const seen = await Promise.all(Array.from({ length: 5 }, () => probe(upstream, provider).done()))
    for (const { body, error } of seen) t.equal(body, 'ok', error?.message ?? '')
    t.same(new Set(far.requests), new Set([`${isHttp1 ? '1.1' : '2.0'} POST /chat`]))
    if (!isHttp1) t.equal(proxy.heads.length, 1, 'one tunnel')
    for (const head of proxy.heads) t.ok(head.toLowerCase().includes(CREDENTIALS.toLowerCase()))
  }
})

test('a tunnel that breaks under HTTP/2 cuts its streams, and the next request opens another', async (t) => {
  const far = await Http2Upstream.listen(t)
  const proxy = await ScriptedProxy.listen(t, { tunnel: Number(new URL(far.origin).port) })
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const tls = { ca: far.ca, cert: null, key: null, serverName: null }
  const provider = testProvider(far.origin, { proxy: proxy.url, tls, http2: 'auto' })
  const ask = (options?: ProbeOptions) => probe(upstream, provider, options)
  const { probes } = await holdStreams({ server: far, ask }, 2)
  proxy.cutAll()
  for (const one of probes) t.equal((await one.done()).code, 'upstream_cut')
  far.answer = (response) => void response.end('again')
  t.equal((await ask().done()).body, 'again')
  t.equal(proxy.heads.length, 2)
})

test('a tunnel to an IPv6 address names it in brackets, and with its port', async (t) => {
  const proxy = await ScriptedProxy.listen(t, { say: 'HTTP/1.1 502 Bad Gateway\r\n\r\n' })
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  for (const [url, authority] of [
    ['https://[2001:db8::1]', '[2001:db8::1]:443'],
    ['https://[2001:db8::1]:8443', '[2001:db8::1]:8443'],
    ['https://192.0.2.1', '192.0.2.1:443'],
  ] as const) {
    await probe(upstream, testProvider(url, { proxy: proxy.url })).done()
    t.equal(proxy.heads.at(-1)?.split('\r\n').slice(0, 2).join(), `CONNECT ${authority} HTTP/1.1,Host: ${authority}`)
  }
})

test('a proxy that accepts a connection and never speaks TLS on it is waited for as long as for any connection', async (t) => {
  const proxy = await ScriptedProxy.listen(t, { silent: true })
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  for (const url of ['http://provider.test', 'https://provider.test']) {
    const provider = testProvider(url, {
      proxy: proxy.url.replace('http:', 'https:'),
      timeouts: { connectMs: 200, firstTokenMs: 30_000, betweenTokensMs: 30_000, totalMs: 30_000 },
    })
    const seen = await probe(upstream, provider).done()
    t.equal(seen.code, 'upstream_timeout')
    t.equal(seen.error?.message, 'The provider did not accept a connection within 200 ms.')
  }
  while (proxy.open > 0) await new Promise((resolve) => setTimeout(resolve, 5))
})

test('a call that is aborted in a tunnel closes it, on both sides of the proxy', async (t) => {
  const authority = new Authority(t)
  const far = await TlsUpstream.listen(t, authority.issue('far', { names: 'DNS:provider.test' }))
  const proxy = await ScriptedProxy.listen(t, { tunnel: far.port })
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  const tls = { ca: authority.ca, cert: null, key: null, serverName: null }
  const provider = testProvider('https://provider.test', { proxy: proxy.url, tls })
  const body = Buffer.from('{"stream":true}')
  const aborted = new Promise<void>((resolve) => {
    const seen = probe(upstream, provider, {
      request: { body },
      onEvent: (event) => {
        if (event !== 'bytes') return
        seen.call?.abort()
        resolve()
      },
    })
  })
  await aborted
  while (far.open + proxy.open > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(upstream.stats(provider), { open: 0, busy: 0 })
})

test('http requests go to the proxy itself, with the whole URL', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const proxy = server.origin.replace('//', '//corp:p%40ss-canary@')
  const provider = testProvider('http://provider.test:8000/v1', { proxy })
  for (let i = 0; i < 2; i++) t.equal((await probe(upstream, provider).done()).body, 'ok')
  t.equal(server.accepted, 1)
  t.match(
    server.requests[0]?.head,
    /^POST http:\/\/provider\.test:8000\/v1\/chat HTTP\/1\.1\r\nhost: provider\.test:8000\r\n/,
  )
  t.ok(server.requests[0]?.head.includes(CREDENTIALS))
})

const FAULTS: readonly (readonly [string, ProxyAct, string, RegExp])[] = [
  [
    'refuses the credentials',
    { say: 'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n' },
    'upstream_auth',
    /^The proxy in front of the provider rejected the gateway's credentials\.$/,
  ],
  [
    'wants credentials in the words of an upstream',
    { say: 'HTTP/1.1 401 Unauthorized\r\n\r\n' },
    'upstream_auth',
    /^The proxy in front of the provider rejected the gateway's credentials\.$/,
  ],
  [
    'refuses the address',
    { say: 'HTTP/1.1 403 Filtered\r\n\r\n<p>no</p>' },
    'upstream_unreachable',
    /\(PROXY_STATUS_403\)/,
  ],
  ['cannot reach it', { say: 'HTTP/1.0 502 Bad Gateway\r\n\r\n' }, 'upstream_unreachable', /\(PROXY_STATUS_502\)/],
  ['closes without a word', { say: '' }, 'upstream_unreachable', /\(PROXY_CLOSED\)/],
  ['closes within its head', { say: 'HTTP/1.1 200 OK\r\nvia' }, 'upstream_unreachable', /\(PROXY_CLOSED\)/],
  ['is no proxy', { say: 'SSH-2.0-x\r\n\r\n' }, 'upstream_unreachable', /\(PROXY_MALFORMED\)/],
  [
    'never ends its head',
    { say: `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(5000)}`, stays: true },
    'upstream_unreachable',
    /MALFORMED/,
  ],
  [
    'speaks for the provider',
    { say: 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', stays: true },
    'upstream_unreachable',
    /MALFORMED/,
  ],
  ['says nothing', { silent: true }, 'upstream_timeout', /^The provider did not accept a connection within 200 ms\.$/],
]

for (const [name, act, code, message] of FAULTS) {
  test(`a proxy that ${name} is ${code}, and its connection is closed`, async (t) => {
    const proxy = await ScriptedProxy.listen(t, act)
    const { upstream, pools } = testUpstream()
    t.teardown(() => pools.close(0))
    const provider = testProvider('https://provider.test', {
      proxy: proxy.urlWithCredentials,
      timeouts: { connectMs: 200, firstTokenMs: 3000, betweenTokensMs: 3000, totalMs: 5000 },
    })
    const seen = await probe(upstream, provider).done()
    t.equal(seen.code, code)
    t.match(seen.error?.message, message)
    t.notMatch(`${seen.error?.message} ${String(seen.error?.cause)}`, /canary|corp|Basic/)
    while (proxy.open > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    t.same(upstream.stats(provider), { open: 0, busy: 0 })
  })
}

test('distinguishes an unreachable proxy from an unreachable provider', async (t) => {
  const { upstream, pools } = testUpstream()
  t.teardown(() => pools.close(0))
  for (const url of ['https://provider.test', 'http://provider.test']) {
    const seen = await probe(upstream, testProvider(url, { proxy: 'http://127.0.0.1:1' })).done()
    t.equal(seen.error?.message, 'The provider could not be reached (PROXY_ECONNREFUSED).')
  }
})

test('a 407 to a request for a whole URL is the proxy’s as well', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(407, 'who are you')))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const seen = await probe(upstream, testProvider('http://provider.test', { proxy: server.origin })).done()
  t.same(seen.events, ['error upstream_auth'])
})

test('a proxy may itself be spoken to over TLS', async (t) => {
  const authority = new Authority(t)
  const far = await TlsUpstream.listen(t, authority.issue('far', { names: 'DNS:provider.test' }))
  const pools = new Pools()
  const upstream = testUpstream(1000, { pools }).upstream
  t.teardown(() => pools.close(0))
  // The authority of the provider is not asked to vouch for the proxy: only those that Node knows are.
  const tls = { ca: authority.ca, cert: null, key: null, serverName: null }
  const seen = await probe(upstream, testProvider('https://provider.test', { proxy: far.origin, tls })).done()
  t.equal(seen.error?.message, 'The provider could not be reached (PROXY_UNABLE_TO_VERIFY_LEAF_SIGNATURE).')
})
