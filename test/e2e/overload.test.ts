// Three times as many requests as fit: what is too much is turned away at once, and what fits is served as if nothing were.
import { test } from 'tap'
import { request } from 'undici'
import { quantileOf, runOpenLoad } from '../../bench/open-load.js'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'

const SLOTS = 20
/** 40 tokens at 200 a second: 0.2 s an answer, 100 answers a second with all slots. */
const CAPACITY_PER_SEC = 100
const SECONDS = 2
/** What a refusal may take; the machine of the tests is busy with the load itself. */
const REFUSED_WITHIN_MS = 50

test('at three times the capacity goodput stays, and the excess is refused at once', async (t) => {
  const simulator = await startSimulator(t, ['--tokens-per-second', '200'])
  const gateway = await startGateway(t, {
    config: {
      limits: { concurrency: SLOTS, queue: { max: 10, timeoutMs: 1000 } },
      providers: simulatedProviders(simulator.origin),
    },
  })
  const body = JSON.stringify({ model: 'openai/lorem', max_tokens: 40, messages: [{ role: 'user', content: 'Hi' }] })
  const url = `${gateway.origin}/v1/chat/completions`
  const load = { url, body, seconds: SECONDS }
  await runOpenLoad({ ...load, perSec: 20, seconds: 0.5 })
  const full = await runOpenLoad({ ...load, perSec: CAPACITY_PER_SEC })
  const over = await runOpenLoad({ ...load, perSec: 3 * CAPACITY_PER_SEC })
  t.equal(over.failed, 0)
  t.ok(over.goodputPerSec >= 0.9 * full.goodputPerSec, `${over.goodputPerSec} of ${full.goodputPerSec} a second`)
  t.ok(over.refused > CAPACITY_PER_SEC, `${over.refused} of ${over.sent} refused`)
  const medianMs = quantileOf(over.refusedMs, 0.5)
  t.ok(medianMs < REFUSED_WITHIN_MS, `refused after ${medianMs.toFixed(1)} ms`)
  // Who was served had waited for the queue in front of it at most: 30 places at 100 a second.
  t.ok(quantileOf(over.servedMs, 0.9) < 1000)
  const after = await request(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  t.equal(after.statusCode, 200, 'and it is over when the load is')
  await after.body.dump()
  const { samples } = parsePage(await (await request(`${gateway.origin}/metrics`)).body.text())
  t.ok((sampleValue(samples, 'sluice_limit_rejections_total', { scope: 'gateway', limit: 'concurrency' }) ?? 0) > 0)
})
