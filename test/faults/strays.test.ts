// An upstream that sends a second whole answer after the first, on a connection that is kept. HTTP/1.1 answers bear no name: one
// that comes while the next request is under way cannot be told from that request's own. What can be told is tested here: what
// comes before the next request goes out reaches nobody, `isolation` keeps keys or all requests apart, and an upstream that
// was caught keeps no connection. SOAK_REQUESTS=3000 for each client is a soak (npm run soak:strays).

import { type Test, test } from 'tap'
import { request as send } from 'undici'
import { newCanary } from '../helpers/fault-rig.js'
import { type Running, startGateway } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { StrayingUpstream } from '../helpers/straying-upstream.js'

const CLIENTS = 40
const QUICK_REQUESTS = 12
const REQUESTS = Number(process.env.SOAK_REQUESTS ?? QUICK_REQUESTS)
const DELAYS_MS = [0, 5, 20, 200]
const KEYS = ['tenant-a', 'tenant-b']

type Isolation = 'none' | 'key' | 'request'
type Rig = { readonly gateway: Running; readonly upstream: StrayingUpstream }

/** The delays in turn, for ever. */
function inTurn(delaysMs: readonly number[]): () => number {
  let at = 0
  return () => delaysMs[at++ % delaysMs.length] ?? 0
}

async function start(t: Test, isolation: Isolation, nextDelayMs: () => number | null): Promise<Rig> {
  const upstream = await StrayingUpstream.listen(nextDelayMs)
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, {
    config: {
      keys: KEYS.map((name) => ({ name, key: `key-of-${name}` })),
      limits: { shed: { lagMs: null } },
      // One try each: what a client sees is what its own connection brought.
      routing: { retries: { max: 0 }, breaker: { enabled: false } },
      providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-up', isolation } },
    },
  })
  return { gateway, upstream }
}

/** One whole chat; the canary that came back, or the status. */
async function ask({ gateway }: Rig, canary: string, tenant: string): Promise<string> {
  const { statusCode, body } = await send(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer key-of-${tenant}` },
    body: JSON.stringify({ model: 'up/m', messages: [{ role: 'user', content: canary }] }),
  })
  const text = await body.text()
  return /canary-[0-9a-f]{9}/.exec(text)?.[0] ?? `${statusCode} ${text}`
}

async function metricsPage({ gateway }: Rig): Promise<string> {
  const { body } = await send(`${gateway.origin}/metrics`, { headers: { authorization: `Bearer key-of-${KEYS[0]}` } })
  return body.text()
}

type Crossing = { readonly from: string; readonly to: string }

/** Clients of both keys, each with one request after the other; what got the words of another request. */
async function load(
  rig: Rig,
  requests = REQUESTS,
): Promise<{ readonly crossed: Crossing[]; readonly failed: string[] }> {
  const owners = new Map<string, string>()
  const crossed: Crossing[] = []
  const failed: string[] = []
  const client = async (_: unknown, i: number): Promise<void> => {
    const tenant = KEYS[i % KEYS.length] ?? ''
    for (let sent = 0; sent < requests; sent++) {
      const canary = newCanary()
      owners.set(canary, tenant)
      const got = await ask(rig, canary, tenant)
      if (got === canary) continue
      const from = owners.get(got)
      if (from === undefined) failed.push(got)
      else crossed.push({ from, to: tenant })
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return { crossed, failed }
}

for (const delayMs of DELAYS_MS) {
  test(`a second answer ${delayMs} ms after the first, before the next request, reaches nobody`, async (t) => {
    const rig = await start(t, 'none', () => delayMs)
    for (let i = 1; i <= 5; i++) {
      const canary = newCanary()
      t.equal(await ask(rig, canary, 'tenant-a'), canary)
      await rig.upstream.strayed(i)
    }
    t.same(
      rig.upstream.served.map((canaries) => canaries.length),
      [1, 1, 1, 1, 1],
      'no connection is used again once the upstream was caught',
    )
    await rig.gateway.logLine(({ msg, provider }) => provider === 'up' && /^unsolicited bytes/.test(String(msg)))
    const page = parsePage(await metricsPage(rig)).samples
    t.equal(sampleValue(page, 'sluice_upstream_unsolicited_total', { provider: 'up' }), 1, 'one spell of distrust')
  })
}

test('isolation request: no request gets the words of another, whenever they come', async (t) => {
  const rig = await start(t, 'request', inTurn(DELAYS_MS))
  const { crossed, failed } = await load(rig)
  t.same({ crossed, failed }, { crossed: [], failed: [] })
  t.ok(rig.upstream.accepted >= CLIENTS * REQUESTS)
})

test('isolation key: no key gets the words of another key, whenever they come', async (t) => {
  const rig = await start(t, 'key', inTurn(DELAYS_MS))
  const { crossed } = await load(rig)
  t.same(
    crossed.filter(({ from, to }) => from !== to),
    [],
  )
})

test('isolation none: an upstream caught once crosses nothing more', async (t) => {
  const rig = await start(t, 'none', inTurn(DELAYS_MS))
  // Well within the minute of distrust.
  await load(rig, QUICK_REQUESTS)
  const { crossed, failed } = await load(rig, QUICK_REQUESTS)
  t.same({ crossed, failed }, { crossed: [], failed: [] })
})
