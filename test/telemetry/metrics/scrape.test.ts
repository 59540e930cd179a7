// The page itself: process metrics beside ours, its content type, and scrapes that overlap.
import { test } from 'tap'
import { createMetricsCells } from '../../../src/telemetry/metrics/cells.js'
import { createMetrics } from '../../../src/telemetry/metrics/metrics.js'
import { createScrape } from '../../../src/telemetry/metrics/scrape.js'
import { exchangeRecord } from '../../helpers/exchange-record.js'
import { parsePage, sampleValue } from '../../helpers/prometheus.js'

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

test('series that nobody touched are not on the page', async (t) => {
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
      'sluice_receiving_bytes',
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
