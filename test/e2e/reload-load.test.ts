// Reloads while clients ask without a pause: none of them notices, and every request is counted once.
import { test } from 'tap'
import { Agent, request } from 'undici'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { type Sample, sampleValue } from '../helpers/prometheus.js'
import { METRICS_TOKEN, reload, scrape } from '../helpers/reload.js'

const KEY = 'key-of-team-a-0123456789'
const team = (name: string, key: string) => ({ name, key })
const CLIENTS = 8

/** Reloads by event loops: two have all that one has, and more that may go wrong. */
const RELOADS = { 1: 20, 2: 100 }

for (const threads of [1, 2] as const) {
  const rounds = RELOADS[threads]
  test(`${rounds} reloads under load on ${threads} event loops drop nothing, and no counter goes back`, async (t) => {
    const make = (origin: string, round = 0) => ({
      server: { threads },
      keys: [team('a', KEY), ...(round % 2 === 0 ? [] : [team(`b${round}`, 'key-of-team-b-0123456789')])],
      limits: { concurrency: 5000 + round },
      // One provider changes each time, the other never.
      providers: {
        ...simulatedProviders(origin),
        google: { protocol: 'google-gemini', baseUrl: `${origin}/v1beta`, apiKey: `k${round}` },
      },
    })
    const simulator = await startSimulator(t, ['--tokens-per-second', '300'])
    const gateway = await startGateway(t, { config: { metrics: { token: METRICS_TOKEN }, ...make(simulator.origin) } })
    const agent = new Agent({ connections: 20 })
    t.teardown(() => agent.destroy())
    let isOver = false
    const failures: string[] = []
    let completed = 0
    const client = async (index: number): Promise<void> => {
      const stream = index % 2 === 0
      const model = index % 3 === 0 ? 'openai/lorem-max' : 'google/lorem-max'
      while (!isOver) {
        const chat = { model, stream, max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }
        const headers = { 'content-type': 'application/json', 'x-api-key': KEY }
        const { statusCode, body } = await request(`${gateway.origin}/v1/chat/completions`, {
          ...{ method: 'POST', headers, body: JSON.stringify(chat), dispatcher: agent },
        })
        const text = await body.text()
        const isWhole = stream ? text.includes('data: [DONE]') : text.includes('"finish_reason"')
        if (statusCode !== 200 || !isWhole) failures.push(`${statusCode} ${text.slice(-200)}`)
        else completed += 1
      }
    }
    const clients = Array.from({ length: CLIENTS }, (_, index) => client(index))
    let last = 0
    const setbacks: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const { msg } = await reload(gateway, make(simulator.origin, round))
      if (msg !== 'configuration reloaded') failures.push(String(msg))
      if (round % 10 !== 0) continue
      const total = (await scrape(gateway)).filter(isCompletion).reduce((sum, { value }) => sum + value, 0)
      if (total < last) setbacks.push(total)
      last = total
    }
    isOver = true
    await Promise.all(clients)
    t.same(failures, [])
    t.same(setbacks, [])
    t.ok(completed > 50, `${completed} requests`)
    let samples = await scrape(gateway)
    // A client has its answer a moment before the event loop of it has counted it.
    while (sampleValue(samples, 'sluice_active_requests') !== 0) samples = await scrape(gateway)
    t.equal(
      samples.filter(isCompletion).reduce((sum, { value }) => sum + value, 0),
      completed,
      'none is counted twice or lost',
    )
    t.equal(sampleValue(samples, 'sluice_config_reloads_total', { result: 'ok' }), rounds)
  })
}

const isCompletion = ({ name, labels }: Sample): boolean =>
  name === 'sluice_requests_total' && labels.outcome === 'complete' && labels.provider !== 'other'
