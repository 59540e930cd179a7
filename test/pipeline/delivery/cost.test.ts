// The cost of an exchange is that of all its attempts that a provider charges for.
import { mock } from 'node:test'
import { test } from 'tap'
import { GatewayError } from '../../../src/errors.js'
import { readPrices } from '../../../src/prices/read-prices.js'
import { type PricesConfig } from '../../../src/prices/types.js'
import { timeoutFailure } from '../../../src/upstream/failure.js'
import { PipelineRig, turn } from '../../helpers/pipeline.js'
import { NO_PRICES } from '../../helpers/pipeline-config.js'
import { OPENAI, STREAMS } from '../../helpers/pipeline-wires.js'

const { head, content } = STREAMS[OPENAI]
const TABLE = readPrices(
  [{ id: 'v', models: [{ id: 'a', match: { equals: 'a' }, prices: { input_mtok: 1 } }] }],
  'test',
)
/** Nano-dollars a token: 1000 in, 2000 out. */
const NORTH = { 'north/up': { input: 1, output: 2 } }

function prices(given: Partial<PricesConfig> = {}): PricesConfig {
  return { ...NO_PRICES, enabled: true, table: TABLE, models: NORTH, ...given }
}

test('an answer costs what its provider counted, and says so in its headers', async (t) => {
  const rig = new PipelineRig({ prices: prices() })
  const sink = await rig.ask({ stream: false })
  rig.call.whole()
  await turn()
  t.match(rig.record, { costNano: 11 * 1000 + 7 * 2000, unpricedAttempts: 0 })
  t.same(new Map(sink.answers[0]?.headers ?? []).get('x-sluice-cost'), '0.000025')
  t.same(rig.metrics.costs, [25_000])
})

test('a stream that was cut costs what had come, and a client that leaves pays for it', async (t) => {
  const rig = new PipelineRig({ prices: prices() })
  const sink = await rig.ask()
  rig.call.head().send(head, content[0].replace('Hel', 'x'.repeat(400)))
  sink.leave()
  await turn()
  t.equal(rig.record.costNano, rig.record.usage.inputTokens * 1000 + 100 * 2000)
})

test('what a provider refused, or never got, costs nothing', async (t) => {
  for (const fail of ['refuse', 'unreachable', 'connect'] as const) {
    const rig = new PipelineRig({ prices: prices() })
    await rig.ask()
    if (fail === 'refuse') rig.call.head(400).end()
    else if (fail === 'unreachable') rig.call.fail(new GatewayError('upstream_unreachable'))
    else rig.call.fail(timeoutFailure('connect', 5, Object.assign(new Error(), { code: 'UND_ERR_CONNECT_TIMEOUT' })))
    await turn()
    t.match(rig.record, { costNano: null, unpricedAttempts: 0 }, fail)
  }
})

test('a provider that had the request and did not answer in time is paid for the input', async (t) => {
  const rig = new PipelineRig({ prices: prices() })
  await rig.ask({ model: 'pair' })
  rig.call.fail(timeoutFailure('first-token', 5))
  await turn()
  t.equal(rig.calls.length, 2)
  const [spent] = rig.metrics.costs
  t.ok(spent !== undefined && spent > 0 && spent % 1000 === 0)
  t.equal(rig.metrics.unpriced, 0)
  rig.call.stream()
  await turn()
  t.match(rig.record, { costNano: spent, unpricedAttempts: 1, provider: 'south' }, 'the second has no price')
})

test('of two attempts side by side both are paid, whoever answers', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const rig = new PipelineRig({ prices: prices({ models: { '*/up': { input: 1, output: 2 } } }) })
  await rig.ask({ model: 'hedged' })
  rig.call.head().send(head)
  rig.nowMs += 500
  mock.timers.tick(500)
  await turn()
  t.equal(rig.calls.length, 2)
  rig.call.stream()
  await turn()
  const { costNano, usage } = rig.record
  t.equal(rig.metrics.costs.length, 2)
  t.equal(
    costNano,
    rig.metrics.costs.reduce((sum, cost) => sum + cost),
  )
  t.ok((costNano ?? 0) > usage.inputTokens * 1000 + usage.outputTokens * 2000)
})

test('an attempt without a known price is counted, never free', async (t) => {
  const rig = new PipelineRig({ prices: prices({ models: {} }) })
  const sink = await rig.ask({ stream: false })
  rig.call.whole()
  await turn()
  t.match(rig.record, { costNano: null, unpricedAttempts: 1 })
  t.equal(rig.metrics.unpriced, 1)
  t.notOk(new Map(sink.answers[0]?.headers ?? []).has('x-sluice-cost'))
})

test('where a price is required, a target without one is passed over, and refused if there is no other', async (t) => {
  const rig = new PipelineRig({
    prices: prices({ unknown: 'reject', models: { 'south/up': { input: 1, output: 1 } } }),
  })
  await rig.ask({ model: 'pair' })
  t.equal(rig.call.request.provider.name, 'south')
  rig.call.stream()
  await turn()
  const sink = await rig.ask({ model: 'one' })
  t.equal(rig.calls.length, 1)
  t.equal(rig.record.error?.code, 'misconfigured')
  t.match(Buffer.from(sink.answers[0]?.body ?? []).toString(), /No price is known for north\/up; this/)
})

test('what costs the operator nothing needs no price', async (t) => {
  const rig = new PipelineRig({ prices: prices({ unknown: 'reject', models: {} }) })
  await rig.ask({ stream: false, path: { provider: 'north', callerKey: 'sk-own', streams: false } })
  rig.call.whole()
  await turn()
  t.match(rig.record, { outcome: 'complete', unpricedAttempts: 0 }, 'the key is the caller’s own')
  const counts = { provider: null, callerKey: null, streams: false, counts: true } as const
  const whole = { model: 'west/m', messages: [{ role: 'user', content: 'hi' }] }
  const counting = await rig.ask({ surface: 'anthropic-counts', whole, path: counts })
  t.equal(rig.calls.length, 2, 'a count of tokens is free')
  counting.handle?.cancel()
})

test('the clock is read for a price only where one is required', async (t) => {
  for (const given of [NO_PRICES, prices(), prices({ unknown: 'reject' })]) {
    const rig = new PipelineRig({ prices: given })
    let reads = 0
    Object.assign(rig.parts.clock, { unixSec: () => ++reads })
    const sink = await rig.ask()
    t.equal(rig.calls.length, 1)
    t.equal(reads, given.unknown === 'reject' ? 1 : 0)
    sink.handle?.cancel()
  }
})

test('a caller’s own key costs the gateway nothing, and without prices nothing is computed', async (t) => {
  const own = new PipelineRig({ prices: prices() })
  await own.ask({ stream: false, path: { provider: 'north', callerKey: 'sk-own', streams: false } })
  own.call.whole()
  await turn()
  t.match(own.record, { outcome: 'complete', costNano: null, unpricedAttempts: 0 })
  const off = new PipelineRig()
  await off.ask({ stream: false })
  off.call.whole()
  await turn()
  t.match(off.record, { costNano: null, unpricedAttempts: 0 })
  t.same(off.metrics.costs, [])
})

test('images without a price of their own are unpriced, and not free', async (t) => {
  for (const [price, costNano] of [
    [{ input: 1, output: 2 }, null],
    [{ input: 1, output: 2, image: 0.04 }, 80_000_000],
  ] as const) {
    const rig = new PipelineRig({ prices: prices({ models: { 'north/up': price } }) })
    await rig.ask({ surface: 'openai-image-generations', whole: { model: 'one', prompt: 'x' } })
    rig.call.head(200, { 'content-type': 'application/json', 'content-length': '9' })
    rig.call.send(JSON.stringify({ created: 1, data: [{ url: 'a' }, { b64_json: 'b' }] })).end()
    await turn()
    t.match(rig.record, { costNano, unpricedAttempts: costNano === null ? 1 : 0 })
  }
})
