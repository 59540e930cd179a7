// The page itself, line by line; process metrics beside ours, its content type, and scrapes that overlap.
import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { OUTCOMES } from '../../../src/model/event.js'
import { NO_USAGE } from '../../../src/model/usage.js'
import { createMetricsCells } from '../../../src/telemetry/metrics/cells.js'
import { createMetrics, type LoopMetrics } from '../../../src/telemetry/metrics/metrics.js'
import { createScrape } from '../../../src/telemetry/metrics/scrape.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'
import { parsePage, sampleValue } from '../../helpers/prometheus.js'
import { readText, writeText } from '../../helpers/source-tree.js'

const CONFIG = {
  surfaces: ['chat'],
  providers: [{ name: 'north', knownModels: [] }],
  models: [{ name: 'fast' }],
}

test('the page holds our metrics and those of the process, and every line of it can be read', async (t) => {
  const scrape = createScrape(CONFIG, createMetricsCells(CONFIG, 1))
  t.match(scrape.contentType, /^text\/plain; version=0\.0\.4/)
  const page = await scrape.render()
  const { types, samples } = parsePage(page)
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_heap_size_total_bytes']) {
    t.ok(types.has(name), name)
  }
  t.ok(types.has('sluice_requests_total'))
  t.equal(sampleValue(samples, 'sluice_active_requests'), 0)
  t.ok(page.endsWith('\n'))
})

test('metrics of the process have no timer of their own, which would wake an idle one', async (t) => {
  const scrape = createScrape(CONFIG, createMetricsCells(CONFIG, 1))
  const page = await scrape.render()
  t.notMatch(page, /nodejs_eventloop_lag_(p50|p99|mean|max)/)
  t.match(page, /^nodejs_eventloop_lag_seconds /m)
  const { nodeTiming } = performance
  const before = nodeTiming.uvMetricsInfo.loopCount
  await setTimeout(500)
  const turns = nodeTiming.uvMetricsInfo.loopCount - before
  t.ok(turns < 20, `${turns} turns`)
})

test('series that were never counted are not on the page', async (t) => {
  const page = await createScrape(CONFIG, createMetricsCells(CONFIG, 2), { processMetrics: false }).render()
  const { samples } = parsePage(page)
  t.same(
    samples.map(({ name }) => name),
    [
      'sluice_active_requests',
      'sluice_active_streams',
      'sluice_active_streams',
      'sluice_active_streams',
      'sluice_active_streams',
      'sluice_active_streams',
      'sluice_receiving_bytes',
      'sluice_fetched_bytes',
      'sluice_kept_streams',
      'sluice_kept_bytes',
      'sluice_cache_bytes',
      'sluice_event_loop_lag_seconds',
      'sluice_listeners_paused',
      'sluice_offload_queue',
    ],
  )
})

test('scrapes that overlap share one page, a later one is new', async (t) => {
  const cells = createMetricsCells(CONFIG, 1)
  const scrape = createScrape(CONFIG, cells, { processMetrics: false })
  const first = scrape.render()
  t.equal(scrape.render(), first)
  await first
  createMetrics(CONFIG, cells, 0).exchangeSettled(exchangeRecord())
  t.match(await scrape.render(), /sluice_requests_total\{.*\} 1\n/)
})

test('tokens of a model at a provider are one series, whichever API they were asked for with', async (t) => {
  const config = { ...CONFIG, surfaces: ['chat', 'messages'] }
  const cells = createMetricsCells(config, 1)
  const metrics = createMetrics(config, cells, 0)
  const usage = { ...NO_USAGE, inputTokens: 3, outputTokens: 5 }
  const target = { provider: 'north', model: 'fast', usage }
  for (const surface of ['chat', 'messages']) metrics.exchangeSettled(exchangeRecord({ ...target, surface }))
  const { samples } = parsePage(await createScrape(config, cells, { processMetrics: false }).render())
  t.same(
    samples.filter(({ name }) => name === 'sluice_tokens_total').map(({ value }) => value),
    [6, 10],
  )
  t.equal(samples.filter(({ name }) => name === 'sluice_requests_total').length, 2, 'requests are told apart')
})

test('what another event loop counts under a name that this one has not heard of waits for its next page', async (t) => {
  const before = { ...CONFIG, room: { providers: 2, models: 2 } }
  const after = { ...before, providers: [...CONFIG.providers, { name: 'west', knownModels: [] }] }
  const cells = createMetricsCells(before, 1)
  createMetrics(after, cells, 0).exchangeSettled(exchangeRecord({ provider: 'west', model: 'fast' }))
  const scrape = createScrape(before, cells, { processMetrics: false })
  t.notMatch(await scrape.render(), /sluice_requests_total\{/)
  scrape.adopt(after)
  t.match(await scrape.render(), /sluice_requests_total\{[^}]*provider="west"[^}]*\} 1\n/)
})

const FULL_PAGE = 'test/fixtures/metrics/page.txt'
const FULL_CONFIG = {
  surfaces: ['chat', 'messages'],
  providers: [
    { name: 'north', knownModels: ['north-large'] },
    { name: 'sou"th\\\n', knownModels: ['south-1'] },
  ],
  models: [{ name: 'fast' }, { name: 'smart' }],
  room: { providers: 5, models: 9 },
}

/** Uses every count that there is, each loop in an order and with numbers of its own. */
function countAll(metrics: LoopMetrics, loop: number): void {
  const providers = loop === 0 ? ['north', 'sou"th\\\n', 'nobody'] : ['sou"th\\\n', 'north']
  for (const [i, provider] of providers.entries()) {
    const targetOf = { provider, surface: i === 0 ? 'chat' : 'messages', model: i === 1 ? 'smart' : 'fast' }
    for (const [o, outcome] of OUTCOMES.entries()) {
      metrics.exchangeStarted()
      metrics.exchangeSettled(
        exchangeRecord({
          ...targetOf,
          ...{ outcome, status: [200, 429, 418, 503][o % 4] ?? 0, totalMs: 10 ** (o % 7), overheadMs: o / 8 },
          ...{
            timeToFirstTokenMs: o % 2 === 0 ? null : 2 ** o,
            usage: { ...NO_USAGE, inputTokens: o, outputTokens: i },
          },
        }),
      )
    }
    metrics.interToken(metrics.slot('chat', provider, 'fast'), 0.25 * (i + loop))
    for (const result of ['ok', 'cut', 'aborted'] as const) metrics.upstreamAttempt(provider, result)
    for (const kind of ['again', 'denied'] as const) metrics.upstreamRetry(provider, kind)
    metrics.implausibleUsage(provider)
    metrics.attemptCost(metrics.slot('chat', provider, 'fast'), 2_500_000)
    metrics.unpricedAttempt(metrics.slot('chat', provider, 'fast'))
    metrics.unsolicitedBytes(provider)
    metrics.upstreamConnections(provider, 5 + i, 2 * loop)
    metrics.breakerState(provider, (i + loop) % 3)
  }
  for (const transport of ['json', 'sse', 'sse', 'websocket'] as const) metrics.streamOpened(transport)
  metrics.streamClosed('sse')
  for (let count = 0; count <= loop; count++) metrics.exchangeStarted()
  for (const result of ['ok', 'rejected'] as const) metrics.configReload(result)
  for (const kind of ['requests', 'chunks'] as const) metrics.flood(kind)
  for (const scope of ['gateway', 'provider'] as const) metrics.limitRejection(scope, loop === 0 ? 'lag' : 'stored')
  for (const scope of ['gateway', 'tag'] as const) metrics.budgetRefused(scope)
  metrics.budgetDebt(250_000_000)
  metrics.reserved('receiving', 4096)
  metrics.reserved('receiving', -1024)
  metrics.reserved('fetched', 512)
  metrics.reserved('kept', 2048)
  for (const change of [1, 1, -1] as const) metrics.keptStreams(change)
  for (const scope of ['gateway', 'key'] as const) metrics.streamNotKept(scope)
  for (const how of ['first', 'replay'] as const) metrics.streamReader(how, 'delivered')
  metrics.streamReader('resume', 'gone')
  for (const result of ['hit', 'miss', 'follower', 'hit'] as const) metrics.cacheAnswer(result)
  for (const bytes of [4096, -1024]) metrics.cacheBytes(bytes)
  for (const result of ['stored', 'fenced', 'gap'] as const) metrics.streamStored(result)
  for (const task of ['decode', 'aggregate'] as const) metrics.offloadTask(task, 'worker', 0.125 * (loop + 1))
  metrics.offloadTask('encode', 'inline', 0.0625)
  metrics.offloadQueue(3)
  metrics.eventLoopLag(loop === 0 ? 0.5 : 0.25)
  metrics.listenerPaused(true)
  for (const reason of ['size', 'store'] as const) metrics.answerNotKept(reason)
  for (const result of ['exported', 'dropped'] as const) metrics.spans(result, 3)
  for (const result of ['completed', 'void'] as const) metrics.jobRun(result)
  for (const result of ['delivered', 'dead'] as const) metrics.webhook(result)
  metrics.redisState('limits', true)
  metrics.redisState('jobs', loop === 0)
  metrics.accountsState(loop === 0, 8192)
  metrics.redisCall('limits', 0.5, loop === 0)
  metrics.redisCall('jobs', 2, false)
  if (loop > 0) return
  metrics.jobCounts({
    ...{ jobs: { pending: 1, processing: 2, completed: 3, error: 4 }, queueAgeMs: 1500 },
    ...{ deliveries: { due: 5, dead: 0 }, storedBytes: { jobs: 5000, answers: 600 } },
  })
}

test('the same counts give the same page, to the byte', async (t) => {
  const cells = createMetricsCells(FULL_CONFIG, 2)
  for (const loop of [0, 1]) countAll(createMetrics(FULL_CONFIG, cells, loop), loop)
  const page = await createScrape(FULL_CONFIG, cells, { processMetrics: false }).render()
  if (process.env.UPDATE_GOLDEN === '1') writeText(FULL_PAGE, page)
  t.equal(page, readText(FULL_PAGE), 'UPDATE_GOLDEN=1 writes it anew')
})

test('an event loop that begins anew keeps its counts and forgets its gauges', async (t) => {
  const cells = createMetricsCells(FULL_CONFIG, 2)
  for (const loop of [0, 1]) countAll(createMetrics(FULL_CONFIG, cells, loop), loop)
  const scrape = createScrape(FULL_CONFIG, cells, { processMetrics: false })
  const before = parsePage(await scrape.render())
  for (const loop of [0, 1]) createMetrics(FULL_CONFIG, cells, loop)
  const after = parsePage(await scrape.render())
  const counts = ({ samples, types }: typeof before) => samples.filter(({ name }) => types.get(name) !== 'gauge')
  t.same(counts(after), counts(before))
  const gauges = after.samples.filter(({ name }) => after.types.get(name) === 'gauge')
  t.ok(gauges.length > 0)
  for (const { name, value } of gauges) t.equal(value, 0, name)
})
