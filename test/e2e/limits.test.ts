// Limits at a running gateway: exactly the bucket is admitted, whatever number of event loops serves, and the answers tell.

import { t as tap, test } from 'tap'
import { Agent, request } from 'undici'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'

const KEY = 'test-key-0123456789abcdef'
const HEADERS = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
const BODY = JSON.stringify({ model: 'openai/echo', messages: [{ role: 'user', content: 'Hi' }] })

const simulator = await startSimulator(tap)

for (const threads of [1, 2]) {
  test(`1,000 parallel requests on a bucket of 100 admit exactly 100 over ${threads} event loop(s)`, async (t) => {
    const gateway = await startGateway(t, {
      config: {
        server: { threads },
        // Refilled by less than one request in the time the test may take.
        keys: [{ name: 'test', key: KEY, limits: { requestsPerMinute: 100 } }],
        // A thousand at once on a busy machine would be shed before any bucket is asked.
        limits: { concurrency: 2000, shed: { lagMs: null } },
        providers: simulatedProviders(simulator.origin),
      },
    })
    const agent = new Agent({ connections: 250, pipelining: 1 })
    t.teardown(() => agent.destroy())
    const startedAt = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const answer = await request(`${gateway.origin}/v1/chat/completions`, {
          method: 'POST',
          headers: HEADERS,
          body: BODY,
          dispatcher: agent,
        })
        await answer.body.dump()
        return answer
      }),
    )
    const refilled = Math.floor(((performance.now() - startedAt) / 60_000) * 100)
    const admitted = answers.filter((answer) => answer.statusCode === 200).length
    t.ok(admitted >= 100 && admitted <= 100 + refilled, `${admitted} admitted, ${refilled} refilled meanwhile`)
    const refused = answers.filter((answer) => answer.statusCode === 429)
    t.equal(refused.length, 1000 - admitted)
    for (const answer of refused.slice(0, 5)) {
      t.match(answer.headers['retry-after'], /^\d+$/)
      t.match(answer.headers['retry-after-ms'], /^\d+$/)
    }
    const limited = answers.find((answer) => answer.statusCode === 200)
    t.equal(limited?.headers['x-ratelimit-limit-requests'], '100')
  })
}

test('tokens are settled from the usage: what was reserved too much comes back', async (t) => {
  const gateway = await startGateway(t, {
    config: {
      keys: [{ name: 'test', key: KEY, limits: { tokensPerMinute: 1000 } }],
      providers: simulatedProviders(simulator.origin),
    },
  })
  // Each reserves more than half of the bucket: the second is only admitted because the first was settled.
  const body = JSON.stringify({ ...JSON.parse(BODY), max_tokens: 600 })
  for (let i = 0; i < 5; i++) {
    const answer = await request(`${gateway.origin}/v1/chat/completions`, { method: 'POST', headers: HEADERS, body })
    await answer.body.dump()
    t.equal(answer.statusCode, 200)
  }
  const tooMuch = await request(`${gateway.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify({ ...JSON.parse(BODY), max_tokens: 5000 }),
  })
  await tooMuch.body.dump()
  t.equal(tooMuch.statusCode, 429)
})

test('what waits longer than the queue allows gets 503 with Retry-After, and the slot is not lost', async (t) => {
  const paced = await startSimulator(t, ['--tokens-per-second', '20'])
  const gateway = await startGateway(t, {
    config: {
      limits: { concurrency: 1, queue: { max: 1, timeoutMs: 300 } },
      providers: simulatedProviders(paced.origin),
    },
  })
  const url = `${gateway.origin}/v1/chat/completions`
  const slow = JSON.stringify({
    model: 'openai/lorem-max',
    stream: true,
    max_tokens: 40,
    messages: [{ role: 'user', content: 'Hi' }],
  })
  const headers = { 'content-type': 'application/json' }
  const first = await request(url, { method: 'POST', headers, body: slow })
  const [second, third] = await Promise.all([
    request(url, { method: 'POST', headers, body: slow }),
    request(url, { method: 'POST', headers, body: slow }),
  ])
  for (const answer of [second, third]) {
    t.equal(answer.statusCode, 503)
    t.match(answer.headers['retry-after'], /^\d+$/)
    await answer.body.dump()
  }
  t.match(await first.body.text(), /\[DONE\]/)
  const after = await request(url, { method: 'POST', headers, body: slow })
  t.equal(after.statusCode, 200)
  await after.body.dump()
})

for (const threads of [1, 2]) {
  test(`of 24 slow requests of one key on 4 slots, the first of another waits for one: ${threads} event loop(s)`, async (t) => {
    const upstream = await startHeldUpstream(t)
    const other = 'other-key-0123456789abcdef'
    const gateway = await startGateway(t, {
      config: {
        server: { threads },
        keys: [
          { name: 'greedy', key: KEY },
          { name: 'other', key: other },
        ],
        limits: { concurrency: 4, queue: { max: 20, timeoutMs: 60_000 }, shed: { lagMs: null } },
        providers: { held: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-upstream' } },
      },
    })
    const agent = new Agent({ connections: 40, pipelining: 1 })
    t.teardown(() => agent.destroy())
    const ask = async (key: string, content: string): Promise<number> => {
      const answer = await request(`${gateway.origin}/v1/chat/completions`, {
        ...{ method: 'POST', dispatcher: agent },
        headers: { ...HEADERS, authorization: `Bearer ${key}` },
        body: JSON.stringify({ model: 'held/m', messages: [{ role: 'user', content }] }),
      })
      await answer.body.dump()
      return answer.statusCode
    }
    const arrived = (count: number) =>
      gateway.metricsWith([new RegExp(`^sluice_active_requests ${count}$`, 'm')], HEADERS)
    const greedy = Array.from({ length: 24 }, () => ask(KEY, 'greedy'))
    t.match(await arrived(24), /^sluice_active_requests 24$/m)
    const served = [await upstream.next(), await upstream.next(), await upstream.next(), await upstream.next()]
    const first = ask(other, 'other')
    // With one event loop its place is one that the greedy key gives up.
    if (threads === 1) t.equal(await Promise.race(greedy), 429)
    else t.match(await arrived(25), /^sluice_active_requests 25$/m)
    served.shift()?.say('done')
    const next = await upstream.next()
    t.match(JSON.stringify(next.body.messages), /other/, 'the next turn is not the greedy key’s')
    next.say('done')
    t.equal(await first, 200)
    for (const held of served) held.say('done')
    for (let left = threads === 1 ? 19 : 20; left > 0; left--) (await upstream.next()).say('done')
    const statuses = await Promise.all(greedy)
    t.same(
      statuses.filter((status) => status !== 200),
      threads === 1 ? [429] : [],
    )
  })
}
