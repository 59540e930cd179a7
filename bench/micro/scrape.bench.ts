// How long does a scrape of about 1,000 series hold up the event loop that serves it? Measured from outside: the longest
// gap between two turns of the loop while a page is rendered, and the whole time of the page.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { NO_USAGE } from '../../src/model/usage.js'
import { createMetricsCells } from '../../src/telemetry/metrics/cells.js'
import { createMetrics } from '../../src/telemetry/metrics/metrics.js'
import { createScrape } from '../../src/telemetry/metrics/scrape.js'

const ROUNDS = 30
const LOOPS = 2
const MODELS = Array.from({ length: 12 }, (_, i) => ({ name: `model-${i}` }))
const config = { surfaces: ['chat'], providers: [{ name: 'north', knownModels: [] }], models: MODELS }
const cells = createMetricsCells(config, LOOPS)
for (let loop = 0; loop < LOOPS; loop++) {
  const metrics = createMetrics(config, cells, loop)
  for (const { name } of MODELS) {
    metrics.interToken(metrics.slot('chat', 'north', name), 0.02)
    for (const status of [200, 429, 503]) {
      metrics.exchangeSettled({
        requestId: 'r',
        surface: 'chat',
        transport: 'sse',
        keyName: null,
        model: name,
        endUser: null,
        provider: 'north',
        targetModel: name,
        outcome: 'complete',
        status,
        error: null,
        cause: null,
        usage: { ...NO_USAGE, inputTokens: 1, outputTokens: 1 },
        usageSource: 'provider',
        attempts: 1,
        costNano: null,
        unpricedAttempts: 0,
        totalMs: 900,
        timeToFirstTokenMs: 90,
        overheadMs: 0.2,
        queuedMs: null,
        connectMs: null,
        settleMs: null,
        requestBytes: 1,
        responseBytes: 1,
        dropped: [],
        finish: null,
        origin: null,
        tries: null,
        trace: null,
        endpoint: null,
        answerId: null,
        answerModel: null,
        upstreamRequestId: null,
        stream: null,
        shared: null,
        cancelledBy: null,
      })
    }
  }
}
const scrape = createScrape(config, cells)

/** Renders one page; the longest time that the loop did not turn, and the time of all. */
async function renderOnce(): Promise<{ blockedMs: number; totalMs: number; series: number }> {
  const start = performance.now()
  let last = start
  let blockedMs = 0
  let page: string | null = null
  const rendered = scrape.render().then((text) => {
    page = text
  })
  while (page === null) {
    await nextTurn()
    const now = performance.now()
    blockedMs = Math.max(blockedMs, now - last)
    last = now
  }
  await rendered
  const series = String(page)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#')).length
  return { blockedMs, totalMs: performance.now() - start, series }
}

const results = []
for (let round = 0; round < ROUNDS; round++) results.push(await renderOnce())
const spread = (values: number[]): string => {
  const sorted = values.sort((a, b) => a - b)
  return `${sorted[ROUNDS >> 1]?.toFixed(2)} ms   (${sorted[0]?.toFixed(2)} .. ${sorted.at(-1)?.toFixed(2)})`
}
process.stdout.write(
  [
    `scrape of ${results[0]?.series} series, ${LOOPS} event loops, Node ${process.version}`,
    `longest block  ${spread(results.map(({ blockedMs }) => blockedMs))}`,
    `whole page     ${spread(results.map(({ totalMs }) => totalMs))}`,
    '',
  ].join('\n'),
)
