// Metrics from the hot path to the page: names, labels, sums over event loops, and that nobody can make them grow.
import { test } from 'tap'
import { ERROR_CATALOGUE, GatewayError } from '../../../src/errors.js'
import { OUTCOMES } from '../../../src/model/event.js'
import { NO_USAGE } from '../../../src/model/usage.js'
import { breakerStates, createMetricsCells } from '../../../src/telemetry/metrics/cells.js'
import { STATUSES } from '../../../src/telemetry/metrics/labels.js'
import { type MetricsConfig } from '../../../src/telemetry/metrics/layout.js'
import { createMetrics, type LoopMetrics } from '../../../src/telemetry/metrics/metrics.js'
import { createScrape } from '../../../src/telemetry/metrics/scrape.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'
import { parsePage, type Sample, sampleValue } from '../../helpers/prometheus.js'
import { readText } from '../../helpers/source-tree.js'

const CONFIG: MetricsConfig = {
  surfaces: ['chat', 'messages'],
  providers: [
    { name: 'north', knownModels: ['north-large', 'north-small'] },
    { name: 'sou"th\\', knownModels: ['south-1'] },
  ],
  models: [{ name: 'fast' }, { name: 'smart' }],
}
const FAST = { surface: 'chat', model: 'fast', provider: 'north' }

function setUp(loops = 1) {
  const cells = createMetricsCells(CONFIG, loops)
  const metrics = Array.from({ length: loops }, (_, i) => createMetrics(CONFIG, cells, i))
  const scrape = createScrape(CONFIG, cells, { processMetrics: false })
  const [first] = metrics
  if (first === undefined) throw new Error('no loop')
  return { cells, metrics: first, all: metrics, read: async () => parsePage(await scrape.render()).samples }
}

/** Counts once or a few times in most metrics. */
function touchAll(metrics: LoopMetrics): void {
  metrics.exchangeStarted()
  metrics.exchangeStarted()
  metrics.exchangeSettled(exchangeRecord())
  metrics.streamOpened('sse')
  metrics.interToken(metrics.slot('chat', 'north', 'fast'), 0.02)
  metrics.upstreamAttempt('north', 'ok')
  metrics.configReload('ok')
  metrics.flood('messages')
  metrics.limitRejection('key', 'tokens')
  metrics.budgetRefused('model')
  metrics.budgetDebt(1_500_000_000)
  metrics.reserved('receiving', 4096)
  metrics.reserved('receiving', -1024)
  metrics.reserved('fetched', 2048)
  metrics.reserved('kept', 1024)
  for (const change of [1, 1, -1] as const) metrics.keptStreams(change)
  metrics.streamNotKept('key')
  metrics.streamReader('resume', 'slow_reader')
  metrics.cacheAnswer('follower')
  metrics.cacheBytes(1024)
  metrics.streamStored('fenced')
  metrics.offloadTask('decode', 'inline', 0.0002)
  metrics.offloadQueue(3)
  metrics.upstreamConnections('north', 5, 2)
  metrics.breakerState('north', 2)
  metrics.upstreamRetry('north', 'elsewhere')
  metrics.implausibleUsage('north')
  metrics.attemptCost(metrics.slot('chat', 'north', 'fast'), 1_500_000_000)
  metrics.attemptCost(metrics.slot('messages', 'north', 'fast'), 1)
  metrics.unpricedAttempt(metrics.slot('chat', 'north', 'fast'))
  metrics.unsolicitedBytes('north')
  metrics.eventLoopLag(0.012)
  for (const isPaused of [true, true, false]) metrics.listenerPaused(isPaused)
  metrics.jobCounts({
    ...{ jobs: { pending: 1, processing: 2, completed: 3, error: 4 }, queueAgeMs: 1500 },
    deliveries: { due: 5, dead: 6 },
    storedBytes: { jobs: 5000, answers: 600 },
  })
  metrics.answerNotKept('size')
  metrics.spans('exported', 3)
  metrics.jobRun('retried')
  metrics.webhook('dead')
  metrics.redisState('limits', true)
  metrics.redisCall('limits', 0.0003, true)
  metrics.redisCall('limits', 0.3, false)
}

test('the metrics are those of the contract, with these types and labels', async (t) => {
  // Each has counted on the recorded page: scrape.test.ts.
  const { samples, types } = parsePage(readText('test/fixtures/metrics/page.txt'))
  const labelNames = (name: string, type: string) => {
    const sample = samples.find((s) => s.name === (type === 'histogram' ? `${name}_count` : name))
    return sample === undefined ? ['missing'] : Object.keys(sample.labels).sort()
  }
  const found = Object.fromEntries([...types].map(([name, type]) => [name, [type, ...labelNames(name, type)]]))
  t.same(found, {
    sluice_requests_total: ['counter', 'model', 'outcome', 'provider', 'status', 'surface'],
    sluice_request_duration_seconds: ['histogram', 'model', 'provider', 'surface'],
    sluice_time_to_first_token_seconds: ['histogram', 'model', 'provider', 'surface'],
    sluice_inter_token_seconds: ['histogram', 'model', 'provider', 'surface'],
    sluice_overhead_seconds: ['histogram', 'model', 'provider', 'surface'],
    sluice_tokens_total: ['counter', 'direction', 'model', 'provider'],
    sluice_active_requests: ['gauge'],
    sluice_active_streams: ['gauge', 'transport'],
    sluice_upstream_attempts_total: ['counter', 'provider', 'result'],
    sluice_upstream_retries_total: ['counter', 'kind', 'provider'],
    sluice_upstream_connections: ['gauge', 'provider', 'state'],
    sluice_implausible_usage_total: ['counter', 'provider'],
    sluice_cost_dollars_total: ['counter', 'model', 'provider'],
    sluice_unpriced_attempts_total: ['counter', 'model', 'provider'],
    sluice_upstream_unsolicited_total: ['counter', 'provider'],
    sluice_config_reloads_total: ['counter', 'result'],
    sluice_breaker_state: ['gauge', 'provider'],
    sluice_budget_refusals_total: ['counter', 'scope'],
    sluice_budget_debt_dollars_total: ['counter'],
    sluice_limit_rejections_total: ['counter', 'limit', 'scope'],
    sluice_offload_tasks_total: ['counter', 'task', 'where'],
    sluice_offload_seconds: ['histogram', 'task'],
    sluice_offload_queue: ['gauge'],
    sluice_floods_total: ['counter', 'kind'],
    sluice_event_loop_lag_seconds: ['gauge'],
    sluice_listeners_paused: ['gauge'],
    sluice_receiving_bytes: ['gauge'],
    sluice_fetched_bytes: ['gauge'],
    sluice_kept_streams: ['gauge'],
    sluice_kept_bytes: ['gauge'],
    sluice_streams_not_kept_total: ['counter', 'scope'],
    sluice_cache_answers_total: ['counter', 'result'],
    sluice_cache_bytes: ['gauge'],
    sluice_stream_readers_total: ['counter', 'how', 'result'],
    sluice_stream_stores_total: ['counter', 'result'],
    sluice_stored_bytes: ['gauge', 'kind'],
    sluice_answers_not_kept_total: ['counter', 'reason'],
    sluice_trace_spans_total: ['counter', 'result'],
    sluice_jobs: ['gauge', 'state'],
    sluice_jobs_queue_age_seconds: ['gauge'],
    sluice_webhooks_waiting: ['gauge', 'state'],
    sluice_job_runs_total: ['counter', 'result'],
    sluice_webhook_attempts_total: ['counter', 'result'],
    sluice_accounts_up: ['gauge'],
    sluice_budget_journal_bytes: ['gauge'],
    sluice_redis_up: ['gauge', 'use'],
    sluice_redis_seconds: ['histogram', 'use'],
    sluice_redis_failures_total: ['counter', 'use'],
  })
})

test('Redis is up while every event loop that uses it says so', async (t) => {
  const { all, read } = setUp(2)
  const up = async () => sampleValue(await read(), 'sluice_redis_up', { use: 'limits' })
  t.equal(await up(), null)
  all[0]?.redisState('limits', true)
  t.equal(await up(), 1, 'one that has said nothing yet says nothing against it')
  for (const loop of all) loop.redisState('limits', true)
  t.equal(await up(), 1)
  all[1]?.redisState('limits', false)
  t.equal(await up(), 0)
  all[1]?.redisState('limits', true)
  t.equal(await up(), 1)
  all[0]?.redisCall('limits', 0.002, true)
  all[1]?.redisCall('limits', 0.25, false)
  const samples = await read()
  t.equal(sampleValue(samples, 'sluice_redis_seconds_count', { use: 'limits' }), 2)
  t.equal(sampleValue(samples, 'sluice_redis_failures_total', { use: 'limits' }), 1)
  t.equal(sampleValue(samples, 'sluice_redis_up', { use: 'jobs' }), null)
})

test('every call ends up in its series', async (t) => {
  const { metrics, read } = setUp()
  touchAll(metrics)
  const samples = await read()
  const expected: [string, Record<string, string>, number][] = [
    ['sluice_requests_total', { ...FAST, outcome: 'complete', status: '200' }, 1],
    ['sluice_request_duration_seconds_sum', FAST, 1.5],
    ['sluice_time_to_first_token_seconds_sum', FAST, 0.12],
    ['sluice_inter_token_seconds_sum', FAST, 0.02],
    ['sluice_jobs', { state: 'processing' }, 2],
    ['sluice_jobs_queue_age_seconds', {}, 1.5],
    ['sluice_webhooks_waiting', { state: 'dead' }, 6],
    ['sluice_job_runs_total', { result: 'retried' }, 1],
    ['sluice_webhook_attempts_total', { result: 'dead' }, 1],
    ['sluice_overhead_seconds_sum', FAST, 0.0003],
    ['sluice_tokens_total', { model: 'fast', provider: 'north', direction: 'input' }, 10],
    ['sluice_tokens_total', { model: 'fast', provider: 'north', direction: 'output' }, 20],
    ['sluice_active_requests', {}, 1],
    ['sluice_active_streams', { transport: 'sse' }, 1],
    ['sluice_active_streams', { transport: 'websocket' }, 0],
    ['sluice_upstream_attempts_total', { provider: 'north', result: 'ok' }, 1],
    ['sluice_implausible_usage_total', { provider: 'north' }, 1],
    ['sluice_cost_dollars_total', { provider: 'north', model: 'fast' }, 1.500000001],
    ['sluice_unpriced_attempts_total', { provider: 'north', model: 'fast' }, 1],
    ['sluice_upstream_unsolicited_total', { provider: 'north' }, 1],
    ['sluice_upstream_connections', { provider: 'north', state: 'busy' }, 2],
    ['sluice_upstream_connections', { provider: 'north', state: 'idle' }, 3],
    ['sluice_config_reloads_total', { result: 'ok' }, 1],
    ['sluice_upstream_retries_total', { provider: 'north', kind: 'elsewhere' }, 1],
    ['sluice_budget_refusals_total', { scope: 'model' }, 1],
    ['sluice_budget_debt_dollars_total', {}, 1.5],
    ['sluice_breaker_state', { provider: 'north' }, 2],
    ['sluice_limit_rejections_total', { scope: 'key', limit: 'tokens' }, 1],
    ['sluice_offload_tasks_total', { task: 'decode', where: 'inline' }, 1],
    ['sluice_offload_seconds_count', { task: 'decode' }, 1],
    ['sluice_offload_queue', {}, 3],
    ['sluice_floods_total', { kind: 'messages' }, 1],
    ['sluice_event_loop_lag_seconds', {}, 0.012],
    ['sluice_listeners_paused', {}, 1],
  ]
  for (const [name, labels, value] of expected) t.equal(sampleValue(samples, name, labels), value, name)
  metrics.streamClosed('sse')
  t.equal(sampleValue(await read(), 'sluice_active_streams', { transport: 'sse' }), 0)
})

test('histogram buckets are cumulative, bounds belong to the bucket below, and the last one holds all', async (t) => {
  const { metrics, read } = setUp()
  const slot = metrics.slot('chat', 'north', 'fast')
  for (const seconds of [0.0005, 0.001, 0.0011, 0.3, 99]) metrics.interToken(slot, seconds)
  for (const nonsense of [-1, Number.NaN, Number.POSITIVE_INFINITY]) metrics.interToken(slot, nonsense)
  const samples = await read()
  const bucket = (le: string) => sampleValue(samples, 'sluice_inter_token_seconds_bucket', { ...FAST, le })
  t.same(
    [bucket('0.001'), bucket('0.01'), bucket('0.2'), bucket('0.3'), bucket('2.5'), bucket('+Inf')],
    [2, 3, 3, 4, 4, 5],
  )
  t.equal(sampleValue(samples, 'sluice_inter_token_seconds_count', FAST), 5)
  t.ok(Math.abs((sampleValue(samples, 'sluice_inter_token_seconds_sum', FAST) ?? 0) - 99.3026) < 1e-9)
})

test('counters and gauges of two event loops are added up, lag and breakers are the worst of them', async (t) => {
  const { all, cells, read } = setUp(2)
  const [one, two] = all
  if (one === undefined || two === undefined) return t.fail('two loops')
  // In another order on each loop, so that the rows lie elsewhere.
  one.exchangeSettled(exchangeRecord({ model: 'smart' }))
  one.exchangeSettled(exchangeRecord())
  two.exchangeSettled(exchangeRecord())
  two.exchangeSettled(exchangeRecord({ surface: 'messages' }))
  for (const metrics of all) {
    metrics.exchangeStarted()
    metrics.exchangeStarted()
    metrics.exchangeStarted()
    metrics.offloadQueue(2)
    metrics.reserved('receiving', 1024)
    metrics.reserved('fetched', 256)
    metrics.reserved('kept', 128)
    metrics.keptStreams(1)
    metrics.streamReader('follower', 'client_gone')
    metrics.upstreamConnections('north', 4, 1)
    metrics.limitRejection('gateway', 'requests')
  }
  one.eventLoopLag(0.2)
  two.eventLoopLag(0.1)
  one.breakerState('north', 1)
  two.breakerState('north', 2)
  const samples = await read()
  const ended = { outcome: 'complete', status: '200' }
  t.equal(sampleValue(samples, 'sluice_requests_total', { ...FAST, ...ended }), 2)
  t.equal(sampleValue(samples, 'sluice_requests_total', { ...FAST, ...ended, model: 'smart' }), 1)
  t.equal(sampleValue(samples, 'sluice_requests_total', { ...FAST, ...ended, surface: 'messages' }), 1)
  t.equal(sampleValue(samples, 'sluice_request_duration_seconds_count', FAST), 2)
  t.equal(sampleValue(samples, 'sluice_tokens_total', { model: 'fast', provider: 'north', direction: 'input' }), 30)
  t.equal(sampleValue(samples, 'sluice_active_requests'), 2)
  t.equal(sampleValue(samples, 'sluice_offload_queue'), 4)
  t.equal(sampleValue(samples, 'sluice_receiving_bytes'), 2048)
  t.equal(sampleValue(samples, 'sluice_fetched_bytes'), 512)
  t.equal(sampleValue(samples, 'sluice_kept_bytes'), 256)
  t.equal(sampleValue(samples, 'sluice_kept_streams'), 2)
  const follower = { how: 'follower', result: 'client_gone' }
  t.equal(sampleValue(samples, 'sluice_stream_readers_total', follower), 2)
  t.equal(sampleValue(samples, 'sluice_upstream_connections', { provider: 'north', state: 'idle' }), 6)
  t.equal(sampleValue(samples, 'sluice_limit_rejections_total', { scope: 'gateway', limit: 'requests' }), 2)
  t.equal(sampleValue(samples, 'sluice_event_loop_lag_seconds'), 0.2)
  t.equal(sampleValue(samples, 'sluice_breaker_state', { provider: 'north' }), 2)
  t.equal(breakerStates(CONFIG, cells).get('north'), 2, 'and the same for those who ask in the house')
  two.breakerState('north', 0)
  t.equal(breakerStates(CONFIG, cells).get('north'), 1)
})

/** What a scrape counts as one series. */
function seriesOf(samples: readonly Sample[]): string[] {
  return samples.map(({ name, labels }) => JSON.stringify([name, labels])).sort()
}

test('100,000 unconfigured models, surfaces and providers leave the number of series unchanged', async (t) => {
  const { metrics, read } = setUp()
  touchAll(metrics)
  metrics.exchangeSettled(exchangeRecord({ surface: '/x', model: 'x', provider: 'x', status: 777 }))
  metrics.interToken(metrics.slot('/x', 'x', 'x'), 1)
  metrics.upstreamAttempt('x', 'ok')
  metrics.upstreamConnections('x', 1, 1)
  const before = seriesOf(await read())
  for (let i = 0; i < 100_000; i++) {
    const name = `${i}-\n"{}`
    metrics.exchangeSettled(
      exchangeRecord({ surface: `/${name}`, model: name, provider: name, status: 600 + (i % 400) }),
    )
    metrics.interToken(metrics.slot(name, null, name), 1)
    metrics.upstreamAttempt(name, 'ok')
    metrics.upstreamConnections(name, 1, 1)
  }
  const samples = await read()
  t.same(seriesOf(samples), before)
  const other = { surface: 'other', model: 'other', provider: 'other' }
  t.equal(sampleValue(samples, 'sluice_requests_total', { ...other, outcome: 'complete', status: 'other' }), 100_001)
  t.equal(sampleValue(samples, 'sluice_upstream_attempts_total', { provider: 'other', result: 'ok' }), 100_001)
  for (const name of ['constructor', '__proto__', 'toString', '', 'other']) {
    metrics.exchangeSettled(exchangeRecord({ surface: name, model: name, provider: name, status: 777 }))
  }
  t.same(seriesOf(await read()), before)
})

test('more combinations than there are rows count as other', async (t) => {
  const names = Array.from({ length: 700 }, (_, i) => `model-${i}`)
  const config = {
    surfaces: ['chat'],
    providers: [{ name: 'north', knownModels: [] }],
    models: names.map((name) => ({ name })),
  }
  const cells = createMetricsCells(config, 1)
  const metrics = createMetrics(config, cells, 0)
  for (const model of names) metrics.exchangeSettled(exchangeRecord({ model }))
  const { samples } = parsePage(await createScrape(config, cells, { processMetrics: false }).render())
  const requests = samples.filter(({ name }) => name === 'sluice_requests_total')
  t.equal(requests.length, 512)
  t.equal(
    requests.reduce((sum, { value }) => sum + value, 0),
    700,
  )
  t.equal(requests.find(({ labels }) => labels.model === 'other')?.value, 700 - 511)
})

test('a model may be written with its provider in front', async (t) => {
  const { metrics, read } = setUp()
  metrics.exchangeSettled(exchangeRecord({ model: 'north/north-small' }))
  metrics.exchangeSettled(exchangeRecord({ model: 'north-small' }))
  const labels = { ...FAST, model: 'north-small', outcome: 'complete', status: '200' }
  t.equal(sampleValue(await read(), 'sluice_requests_total', labels), 2)
})

test('label values are escaped', async (t) => {
  const { metrics, read } = setUp()
  metrics.upstreamAttempt('sou"th\\', 'cut')
  t.equal(sampleValue(await read(), 'sluice_upstream_attempts_total', { provider: 'sou"th\\', result: 'cut' }), 1)
})

test('every status of the error catalogue and every outcome has its own label', async (t) => {
  const { metrics, read } = setUp()
  for (const { status } of Object.values(ERROR_CATALOGUE)) t.ok(STATUSES.includes(status), String(status))
  for (const outcome of OUTCOMES) {
    metrics.exchangeSettled(exchangeRecord({ outcome, status: 503, error: new GatewayError('draining').data }))
  }
  const samples = await read()
  for (const outcome of OUTCOMES) {
    t.equal(sampleValue(samples, 'sluice_requests_total', { ...FAST, outcome, status: '503' }), 1, outcome)
  }
})

test('an exchange without a token, an overhead or usage leaves those metrics alone', async (t) => {
  const { metrics, read } = setUp()
  const odd = { ...NO_USAGE, inputTokens: Number.NaN, outputTokens: -3 }
  metrics.exchangeSettled(
    exchangeRecord({ timeToFirstTokenMs: null, overheadMs: null, usage: odd, provider: null, model: null }),
  )
  const names = new Set((await read()).map(({ name }) => name))
  t.notOk(names.has('sluice_time_to_first_token_seconds_count'))
  t.notOk(names.has('sluice_overhead_seconds_count'))
  t.notOk(names.has('sluice_tokens_total'))
  t.ok(names.has('sluice_request_duration_seconds_count'))
})

test('an event loop that replaces another continues its counters, with its gauges at zero', async (t) => {
  const { cells, metrics, read } = setUp()
  touchAll(metrics)
  const next = createMetrics(CONFIG, cells, 0)
  next.exchangeStarted()
  next.exchangeSettled(exchangeRecord())
  next.exchangeSettled(exchangeRecord({ model: 'smart' }))
  const samples = await read()
  t.equal(sampleValue(samples, 'sluice_requests_total', { ...FAST, outcome: 'complete', status: '200' }), 2)
  t.equal(sampleValue(samples, 'sluice_active_requests'), -1, 'the second settle of this test has no start')
  t.equal(sampleValue(samples, 'sluice_active_streams', { transport: 'sse' }), 0)
  t.equal(sampleValue(samples, 'sluice_upstream_connections', { provider: 'north', state: 'busy' }), null)
  t.equal(sampleValue(samples, 'sluice_offload_queue'), 0)
})

test('over a reload counters continue under their names, new names get series, and removed names keep theirs', async (t) => {
  const room = { providers: 4, models: 8 }
  const before: MetricsConfig = { ...CONFIG, room }
  const cells = createMetricsCells(before, 2)
  const [first, second] = [createMetrics(before, cells, 0), createMetrics(before, cells, 1)]
  const scrape = createScrape(before, cells, { processMetrics: false })
  const read = async () => parsePage(await scrape.render()).samples
  first.exchangeStarted()
  first.exchangeSettled(exchangeRecord())
  first.upstreamAttempt('north', 'ok')
  const after: MetricsConfig = {
    ...before,
    providers: [...CONFIG.providers, { name: 'east', knownModels: [] }],
    models: [{ name: 'fast' }, { name: 'smart' }, { name: 'north-large' }, { name: 'new' }],
  }
  // As in a reload: the loops swap one after the other, and a page may be asked for in between.
  second.adopt(after)
  second.exchangeStarted()
  second.exchangeSettled(exchangeRecord({ provider: 'east', model: 'new' }))
  const between = await read()
  t.equal(sampleValue(between, 'sluice_requests_total', { ...FAST, outcome: 'complete', status: '200' }), 1)
  t.equal(between.filter(({ labels }) => labels.model === 'other' && labels.outcome === 'complete').length, 0)
  first.adopt(after)
  scrape.adopt(after)
  first.upstreamAttempt('north', 'ok')
  first.upstreamAttempt('east', 'ok')
  const samples = await read()
  const NEW = { surface: 'chat', model: 'new', provider: 'east', outcome: 'complete', status: '200' }
  t.equal(sampleValue(samples, 'sluice_requests_total', { ...FAST, outcome: 'complete', status: '200' }), 1)
  t.equal(sampleValue(samples, 'sluice_requests_total', NEW), 1)
  t.equal(sampleValue(samples, 'sluice_upstream_attempts_total', { provider: 'north', result: 'ok' }), 2)
  t.equal(sampleValue(samples, 'sluice_upstream_attempts_total', { provider: 'east', result: 'ok' }), 1)
  t.equal(sampleValue(samples, 'sluice_active_requests'), 0)
})

test('names beyond the room count as other', async (t) => {
  const config: MetricsConfig = { ...CONFIG, room: { providers: 1, models: 1 } }
  const cells = createMetricsCells(config, 1)
  const metrics = createMetrics(config, cells, 0)
  metrics.upstreamAttempt('sou"th\\', 'ok')
  const { samples } = parsePage(await createScrape(config, cells, { processMetrics: false }).render())
  t.equal(sampleValue(samples, 'sluice_upstream_attempts_total', { provider: 'other', result: 'ok' }), 1)
})
