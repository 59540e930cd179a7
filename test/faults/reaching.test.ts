// Providers that cannot be reached, each in its own way, against four kinds of client: an answer by the connect limit, the
// fallback asked, nothing left open. And each of them opens its breaker.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { type Test, test } from 'tap'
import { request } from 'undici'
import { openBlackHole } from '../helpers/black-hole.js'
import { FAKE_DNS } from '../helpers/fake-dns.js'
import { FaultRig, type Row, WAYS } from '../helpers/fault-rig.js'
import { ROOT, startGateway } from '../helpers/gateway.js'

const TLS_FOLDER = join(ROOT, 'test/fixtures/tls')
const CONNECT_MS = 500
/** Beyond the limit: undici's timers have ticks of half a second, and the machine may be busy. */
const SLACK_MS = 8000

/** A TLS server with this certificate; its port. */
async function listenTls(t: Test, name: string): Promise<number> {
  const read = (suffix: string) => readFileSync(join(TLS_FOLDER, `${name}.${suffix}`))
  const server = createServer({ cert: read('crt'), key: read('key') }, (socket) => {
    socket.on('error', () => undefined)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** What is wrong with the address, and the status that says so. */
async function addresses(t: Test): Promise<readonly (readonly [fault: string, baseUrl: string, status: number])[]> {
  const [sound, expired, hole] = [
    await listenTls(t, 'self-signed'),
    await listenTls(t, 'expired'),
    await openBlackHole(t),
  ]
  return [
    ['a name that does not exist', 'http://nxdomain.test/v1', 502],
    ['a resolver that fails', 'http://servfail.test/v1', 502],
    ['a resolver that never answers', 'http://hang.test/v1', 504],
    ['nobody listens', 'http://127.0.0.1:9/v1', 502],
    ['packets are dropped', `http://127.0.0.1:${hole}/v1`, 504],
    ['a certificate that has expired', `https://localhost:${expired}/v1`, 502],
    ['a certificate of another name', `https://misnamed.test:${sound}/v1`, 502],
    ['a certificate of nobody we know', `https://127.0.0.1:${await listenTls(t, 'stranger')}/v1`, 502],
  ]
}

/** The gateway trusts two certificates: what else is wrong with them must be seen all the same. */
const ENVIRONMENT = { ...FAKE_DNS, NODE_EXTRA_CA_CERTS: join(TLS_FOLDER, 'trusted.pem') }

for (const isHttp2 of [false, true]) {
  const offered = isHttp2 ? 'HTTP/2' : 'HTTP/1.1'
  test(`an unreachable provider is detected within connectMs, and the fallback answers, where ${offered} is offered`, async (t) => {
    const faults = await addresses(t)
    const rows = faults.map(
      ([fault, baseUrl, status]): Row => ({
        ...{ fault, script: [], timeoutMs: CONNECT_MS, baseUrl: () => baseUrl },
        expect: { kind: 'early', status },
      }),
    )
    const rig = await FaultRig.start(t, rows, { env: ENVIRONMENT, isHttp2 })
    for (const [at, { fault, expect }] of rows.entries()) {
      for (const way of WAYS) {
        const askedAtMs = performance.now()
        const seen = await rig.ask(way, at)
        const tookMs = performance.now() - askedAtMs
        const status = way === 'fallback' || way === 'websocket' ? 200 : 'status' in expect ? expect.status : 0
        t.equal(seen.status, status, `${fault} as ${way}`)
        t.equal(seen.error === null, way === 'fallback', `${fault} as ${way}`)
        t.equal(seen.content, way === 'fallback' ? seen.canary : '', `${fault} as ${way}`)
        t.ok(tookMs < CONNECT_MS + SLACK_MS, `${fault} as ${way} took ${Math.round(tookMs)} ms`)
        t.same([...rig.judge(seen), ...(await rig.complaints())], [], `${fault} as ${way}`)
      }
    }
    t.equal(await rig.gateway.stop(), 0)
  })
}

test('each way of being out of reach opens the breaker', async (t) => {
  const faults = await addresses(t)
  const names = faults.map((_, i) => `p${i}`)
  const entries = faults.map(([, baseUrl], i) => [
    `p${i}`,
    { protocol: 'openai-chat', baseUrl, timeouts: { connectMs: CONNECT_MS } },
  ])
  const gateway = await startGateway(t, {
    config: {
      routing: { retries: { max: 0 }, breaker: { consecutiveFailures: 2, openMs: 60_000 } },
      providers: Object.fromEntries(entries),
    },
    env: ENVIRONMENT,
  })
  const statuses = async () => {
    const asked = names.map(async (name) => {
      const answer = await request(`${gateway.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: `${name}/m`, messages: [{ role: 'user', content: 'Hi' }] }),
      })
      await answer.body.dump()
      return answer.statusCode
    })
    return Promise.all(asked)
  }
  const wanted = faults.map(([, , status]) => status)
  t.same(await statuses(), wanted)
  t.same(await statuses(), wanted)
  t.same(
    await statuses(),
    names.map(() => 503),
    'nobody is asked any more',
  )
  const { body } = await request(`${gateway.origin}/v1/health`)
  const { providers } = (await body.json()) as { providers: { name: string; breaker: string }[] }
  for (const [i, { breaker }] of providers.entries()) t.equal(breaker, 'open', faults[i]?.[0] ?? '')
  t.equal(providers.length, faults.length)
})
