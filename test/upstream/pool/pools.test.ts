// Pools: one per provider, replaced with its configuration, closed by a deadline.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { test } from 'tap'
import { Pools } from '../../../src/upstream/pool/pools.js'
import { AT_ONCE_TURNS, turnsUntil } from '../../helpers/own-time.js'
import { answer, chunk, LAST_CHUNK, ScriptedUpstream, streamHead, whole } from '../../helpers/scripted-upstream.js'
import { testProvider } from '../../helpers/targets.js'
import { probe, testUpstream } from '../../helpers/upstream-probe.js'

test('counts open and busy connections', async (t) => {
  const server = await ScriptedUpstream.listen(
    answer(streamHead(), { wait: 'go', name: 'on' }, LAST_CHUNK),
    answer(whole(200, 'ok')),
  )
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin)
  t.same(upstream.stats(provider), { open: 0, busy: 0 })
  const held = probe(upstream, provider)
  await server.until(() => server.requests.length === 1)
  await probe(upstream, provider).done()
  t.same(upstream.stats(provider), { open: 2, busy: 1 })
  server.go('on')
  await held.done()
  t.same(upstream.stats(provider), { open: 2, busy: 0 })
})

test('holds no more connections than the provider allows', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok')))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin, { maxConnections: 2 })
  const seen = await Promise.all(Array.from({ length: 10 }, () => probe(upstream, provider).done()))
  t.same(new Set(seen.map((one) => one.body)), new Set(['ok']))
  t.equal(server.accepted, 2)
})

test('keeps no more idle connections than the provider allows', async (t) => {
  const held = answer({ wait: 'go', name: 'on' }, whole(200, 'ok'))
  const server = await ScriptedUpstream.listen(held)
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const provider = testProvider(server.origin, { maxIdleConnections: 1 })
  const first = probe(upstream, provider)
  await server.until(() => server.requests.length === 1)
  const second = probe(upstream, provider)
  await server.until(() => server.requests.length === 2)
  t.same(
    server.requests.map(({ head }) => /connection: (\S+)/i.exec(head)?.[1]),
    ['keep-alive', 'close'],
  )
  server.go('on')
  await Promise.all([first.done(), second.done()])
  await server.until(() => server.open === 1)
})

test('closes an idle connection after keepAliveMs', async (t) => {
  const server = await ScriptedUpstream.listen(answer(whole(200, 'ok', ['keep-alive: timeout=600'])))
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  await probe(upstream, testProvider(server.origin, { keepAliveMs: 100 })).done()
  t.equal(server.open, 1)
  await server.until(() => server.open === 0)
})

test('a changed provider gets a new pool; what runs on the old one ends as if nothing had happened', async (t) => {
  const server = await ScriptedUpstream.listen(
    answer(streamHead(), { wait: 'go', name: 'on' }, chunk('x'), LAST_CHUNK),
    answer(whole(200, 'ok')),
  )
  const { upstream, pools } = testUpstream()
  t.teardown(() => Promise.all([pools.close(0), server.close()]))
  const before = testProvider(`${server.origin}/a/`)
  const after = testProvider(`${server.origin}/b`)
  const running = probe(upstream, before)
  await server.until(() => server.requests.length === 1)
  t.equal((await probe(upstream, after).done()).body, 'ok')
  t.same(upstream.stats({ name: before.name }), { open: 2, busy: 1 }, 'counted under their one name')
  pools.keep(new Set([after]))
  server.go('on')
  t.equal((await running.done()).body, 'x')
  t.match(server.requests[0]?.head, /^POST \/a\/chat /)
  t.match(server.requests[1]?.head, /^POST \/b\/chat /)
  await server.until(() => server.closed === 1)
})

test('close waits for running calls until the deadline and then ends them', async (t) => {
  const server = await ScriptedUpstream.listen(
    answer(streamHead(), { delayMs: 50 }, LAST_CHUNK),
    answer(streamHead(), { stall: true }),
  )
  const { upstream, pools } = testUpstream()
  t.teardown(() => server.close())
  const provider = testProvider(server.origin)
  const short = probe(upstream, provider)
  await server.until(() => server.requests.length === 1)
  const endless = probe(upstream, provider)
  await server.until(() => server.requests.length === 2)
  await pools.close(1000)
  t.equal((await short.done()).events.at(-1), 'end')
  t.equal((await endless.done()).code, 'draining')
  await server.until(() => server.open === 0)
})

test('close waits for what runs on a pool that a reload has let go, too', async (t) => {
  const server = await ScriptedUpstream.listen(answer(streamHead(), chunk('x'), { delayMs: 50 }, LAST_CHUNK))
  const { upstream, pools } = testUpstream()
  t.teardown(() => server.close())
  const running = probe(upstream, testProvider(server.origin))
  await server.until(() => server.requests.length === 1)
  pools.keep(new Set())
  await pools.close(2000)
  t.equal((await running.done()).events.at(-1), 'end')
})

test('close returns at once when nothing runs', async (t) => {
  const pools = new Pools()
  pools.of(testProvider('http://127.0.0.1:1'))
  t.ok((await turnsUntil(pools.close(60_000))) < AT_ONCE_TURNS)
})

test('refuses a base URL that is not http', (t) => {
  const { upstream, pools } = testUpstream()
  for (const url of ['ftp://127.0.0.1/', 'not a url', '']) {
    t.throws(() => upstream.prepare(testProvider(url)), { name: 'GatewayError', message: /not an http or https URL/ })
  }
  upstream.prepare(testProvider('http://127.0.0.1:1'))
  return pools.close(0)
})

test('verifies the certificate whatever the environment says: unknown issuer and wrong name are refused', async (t) => {
  const fixture = (name: string) => readFileSync(new URL(`../../../../test/fixtures/tls/${name}`, import.meta.url))
  const cert = fixture('self-signed.crt')
  const answerText = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'
  const server = createServer({ cert, key: fixture('self-signed.key') }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => void socket.end(answerText))
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    server.close()
  })
  const call = async (pools: Pools, url: string) => {
    const upstream = testUpstream(1000, { pools }).upstream
    const seen = await probe(upstream, testProvider(url)).done()
    await pools.close(0)
    return seen
  }
  const unknown = await call(new Pools(), `https://127.0.0.1:${port}`)
  t.equal(unknown.error?.message, 'The provider could not be reached (DEPTH_ZERO_SELF_SIGNED_CERT).')
  const wrongName = await call(new Pools({ connect: { ca: cert } }), `https://127.0.0.2:${port}`)
  t.equal(wrongName.error?.message, 'The provider could not be reached (ERR_TLS_CERT_ALTNAME_INVALID).')
  t.equal((await call(new Pools({ connect: { ca: cert } }), `https://127.0.0.1:${port}`)).body, 'ok')
})
