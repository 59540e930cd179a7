// Inside a company's network: a real proxy that wants credentials, providers with a private authority and a client's certificate,
// and all the ways in which that goes wrong for a client of the gateway.

import { writeFileSync } from 'node:fs'
import { type Test, test } from 'tap'
import { request } from 'undici'
import { Authority } from '../helpers/certificates.js'
import { type Running, startGateway } from '../helpers/gateway.js'
import { ScriptedProxy } from '../helpers/scripted-proxy.js'
import { answer, ScriptedUpstream, whole } from '../helpers/scripted-upstream.js'
import { PROXY_PASSWORD, startTinyproxy } from '../helpers/tinyproxy.js'
import { TlsUpstream } from '../helpers/tls-upstream.js'

const TIMEOUTS = { connectMs: 3000, firstTokenMs: 10_000, betweenTokensMs: 10_000, totalMs: 20_000 }
const ANSWER = '{"choices":[{"index":0,"message":{"role":"assistant","content":"plain"},"finish_reason":"stop"}]}'
const NO_RETRIES = { retries: { max: 0 }, breaker: { enabled: false } }

async function ask({ origin }: Running, model: string, stream = false) {
  const { statusCode, body } = await request(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hi' }] }),
  })
  return { status: statusCode, body }
}

async function textOf(gateway: Running, model: string): Promise<{ status: number; text: string }> {
  const { status, body } = await ask(gateway, model)
  return { status, text: await body.text() }
}

async function setUp(t: Test) {
  const authority = new Authority(t)
  const wanted = { ca: authority.ca, requestCert: true, rejectUnauthorized: true }
  const upstream = await TlsUpstream.listen(t, { ...authority.issue('up', { names: 'DNS:provider.test' }), ...wanted })
  const plain = await ScriptedUpstream.listen(answer(whole(200, ANSWER, ['content-type: application/json'])))
  t.teardown(() => plain.close())
  const proxy = await startTinyproxy(t, [upstream.port])
  const own = authority.issue('gateway')
  const tls = { caFile: authority.caFile, certFile: own.certFile, keyFile: own.keyFile, serverName: 'provider.test' }
  const provider = {
    protocol: 'openai-chat',
    baseUrl: `${upstream.origin}/v1`,
    apiKey: 'sk-x',
    timeouts: TIMEOUTS,
    tls,
  }
  const gateway = await startGateway(t, {
    config: {
      routing: NO_RETRIES,
      providers: {
        up: { ...provider, proxy: proxy.url },
        wrong: { ...provider, proxy: proxy.urlWith('corp', 'wrongcanary9') },
        nobody: { ...provider, proxy: proxy.url.replace(/[^/]*@/, '') },
        closed: { ...provider, proxy: proxy.url, baseUrl: 'https://127.0.0.1:9/v1' },
        plain: { protocol: 'openai-chat', baseUrl: `${plain.origin}/v1`, proxy: proxy.url, timeouts: TIMEOUTS },
      },
      models: { both: { targets: [{ provider: 'wrong', model: 'm' }], fallbacks: ['sound'] }, sound: 'up/m' },
    },
  })
  return { gateway, proxy, upstream, plain }
}

test('a proxy with credentials carries https and http, and its refusals are reported as such', async (t) => {
  const { gateway, upstream, plain } = await setUp(t)
  for (let i = 0; i < 3; i++) {
    const { status, text } = await textOf(gateway, 'up/m')
    t.equal(status, 200, text)
    t.match(text, /whole/)
  }
  t.same(upstream.serverNames, ['provider.test'], 'one tunnel, to the configured name')
  t.same(upstream.clients, ['gateway'])
  t.match((await textOf(gateway, 'plain/m')).text, /plain/)
  t.match(plain.requests[0]?.head, /^via: .*tinyproxy/im, 'it came through the proxy')
  t.notMatch(plain.requests[0]?.head, /proxy-authorization/i)

  for (const model of ['wrong/m', 'nobody/m']) {
    const { status, text } = await textOf(gateway, model)
    t.equal(status, 502, text)
    t.match(JSON.parse(text), {
      error: { code: 'upstream_auth', message: /proxy .* rejected the gateway's credentials/ },
    })
  }
  const refused = await textOf(gateway, 'closed/m')
  t.equal(refused.status, 502)
  t.match(refused.text, /PROXY_STATUS_403/)
  t.match((await textOf(gateway, 'both')).text, /whole/, 'another target is tried')
  await gateway.stop()
  t.notMatch([gateway.errorOutput, ...gateway.output].join('\n'), new RegExp(`${PROXY_PASSWORD}|wrongcanary9|Basic `))
})

test('a proxy that dies in mid-stream is a stream that is cut, with an error and without an end marker', async (t) => {
  const { gateway, proxy } = await setUp(t)
  const { status, body } = await ask(gateway, 'up/m', true)
  t.equal(status, 200)
  let text = ''
  for await (const chunk of body) {
    text += String(chunk)
    if (text.includes('first')) await proxy.kill()
  }
  t.match(text, /first.*"error"/s)
  t.notMatch(text, /\[DONE\]/)
  const line = await gateway.logLine(({ outcome }) => outcome !== undefined)
  t.equal(line.outcome, 'upstream_cut')
  const after = await textOf(gateway, 'up/m')
  t.equal(after.status, 502)
  t.match(after.text, /PROXY_ECONNREFUSED/)
})

test('the environment’s proxy is used for providers and not for this machine; a reload takes a renewed authority', async (t) => {
  const authority = new Authority(t)
  const upstream = await TlsUpstream.listen(t, authority.issue('up', { names: 'DNS:provider.test' }))
  const plain = await ScriptedUpstream.listen(answer(whole(200, ANSWER, ['content-type: application/json'])))
  t.teardown(() => plain.close())
  const proxy = await ScriptedProxy.listen(t, { tunnel: upstream.port })
  const tls = { caFile: authority.caFile }
  const gateway = await startGateway(t, {
    env: { HTTPS_PROXY: proxy.urlWithCredentials, http_proxy: 'http://127.0.0.1:1', NO_PROXY: 'exempt.test' },
    config: {
      routing: NO_RETRIES,
      providers: {
        up: { protocol: 'openai-chat', baseUrl: 'https://provider.test/v1', timeouts: TIMEOUTS, tls },
        here: { protocol: 'openai-chat', baseUrl: `${plain.origin}/v1` },
        exempt: { protocol: 'openai-chat', baseUrl: 'https://exempt.test:1/v1', timeouts: TIMEOUTS },
      },
    },
  })
  t.match((await textOf(gateway, 'up/m')).text, /whole/)
  t.match(proxy.heads[0], /^CONNECT provider\.test:443 /)
  t.match((await textOf(gateway, 'here/m')).text, /plain/)
  t.equal((await textOf(gateway, 'exempt/m')).status, 502)
  t.equal(proxy.heads.length, 1)

  writeFileSync(authority.caFile, new Authority(t, 'Other CA').ca)
  gateway.child.kill('SIGHUP')
  await gateway.logLine(({ msg }) => msg === 'configuration reloaded')
  t.match(
    (await textOf(gateway, 'up/m')).text,
    /UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
    'its old connection is not used again',
  )
})
