// The page that Prometheus reads: adds up the slabs of all event loops and hands the numbers to prom-client, which writes
// them beside its own process metrics. Runs on any event loop and lets it breathe between two metrics.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import { OUTCOMES } from '../model/event.js'
import { sumSlabs, type Totals } from './cells.js'
import {
  ATTEMPT_RESULTS,
  CELLS_PER_CONNECTIONS,
  createLayout,
  type HistogramPlace,
  type Layout,
  LIMIT_KINDS,
  LIMIT_SCOPES,
  type MetricsConfig,
  OFFLOAD_PLACES,
  OFFLOAD_TASKS,
  OTHER,
  RELOAD_RESULTS,
  RETRY_KINDS,
  type RowLayout,
  STATUSES,
  TRANSPORTS,
} from './layout.js'

export type Scrape = {
  readonly contentType: string
  /** The page; scrapes that overlap share one. */
  render(): Promise<string>
  /** From the next page on with the names of this configuration: those so far, in their places, and further ones. */
  adopt(config: MetricsConfig): void
}

export type ScrapeOptions = {
  /** Add prom-client's metrics of the process (memory, CPU, collector, handles); on by default, once per process is enough. */
  readonly processMetrics?: boolean
}

/** A scrape over cells that were made from the same configuration. */
export function createScrape(config: MetricsConfig, cells: SharedArrayBuffer, options: ScrapeOptions = {}): Scrape {
  const process = new Registry()
  if (options.processMetrics !== false) collectDefaultMetrics({ register: process })
  let own = createPage(config, cells)

  let rendering: Promise<string> | null = null
  async function renderOnce(): Promise<string> {
    const parts: string[] = []
    for (const registry of [own(), process]) {
      for (const { name } of registry.getMetricsAsArray()) {
        parts.push(await registry.getSingleMetricAsString(name))
        await nextTurn()
      }
    }
    return `${parts.join('\n\n')}\n`
  }
  return {
    contentType: process.contentType,
    adopt(next) {
      own = createPage(next, cells)
    },
    render() {
      rendering ??= renderOnce().finally(() => {
        rendering = null
      })
      return rendering
    },
  }
}

/** Our own metrics of one layout; each call takes the numbers anew. */
function createPage(config: MetricsConfig, cells: SharedArrayBuffer): () => Registry {
  const layout = createLayout(config)
  const registry = new Registry()
  let totals = sumKnown(layout, cells)
  for (const family of createFamilies(layout)) register(registry, family, () => family.series(totals))
  return () => {
    totals = sumKnown(layout, cells)
    return registry
  }
}

/** In the moments of a reload another event loop may count under names that this one has not heard of: they wait for the next page. */
function sumKnown(layout: Layout, cells: SharedArrayBuffer): Totals {
  const { fixed, rows } = sumSlabs(layout, cells)
  return { fixed, rows: rows.filter((row) => isKnown(layout, row)) }
}

type Series = {
  readonly labels: Record<string, string | number>
  readonly value: number
  /** For the parts of a histogram. */
  readonly metricName?: string
}

type Family = {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly series: (totals: Totals) => Series[]
}

/**
 * Registers a metric of which prom-client asks the values only when it writes the page. Its own Counter and Histogram
 * would have to be fed label by label; a registry needs no more of a metric than `name` and `get` (prom-client 15).
 */
function register(registry: Registry, { name, help, type }: Family, collect: () => Series[]): void {
  const metric = { name, help, type, aggregator: 'sum', get: async () => ({ name, help, type, values: collect() }) }
  registry.registerMetric(metric as unknown as Metric)
}

function createFamilies(layout: Layout): Family[] {
  return [
    ...exchangeFamilies(layout),
    ...gatewayFamilies(layout),
    ...upstreamFamilies(layout),
    ...offloadFamilies(layout),
  ]
}

function exchangeFamilies(layout: Layout): Family[] {
  const histogram = (name: string, help: string, place: HistogramPlace): Family => ({
    name,
    help,
    type: 'histogram',
    series: ({ rows }) => rows.flatMap((row) => histogramSeries(name, { row, place, labels: rowLabels(layout, row) })),
  })
  const { duration, timeToFirstToken, interToken, overhead } = layout.row
  return [
    {
      name: 'sluice_requests_total',
      help: 'Exchanges that have ended, by outcome and HTTP status.',
      type: 'counter',
      series: ({ rows }) => rows.flatMap((row) => requestSeries(layout, row)),
    },
    histogram('sluice_request_duration_seconds', 'From accepting a request to the end of its answer.', duration),
    histogram('sluice_time_to_first_token_seconds', 'From accepting a request to its first token.', timeToFirstToken),
    histogram('sluice_inter_token_seconds', 'Between two pieces of a streamed answer.', interToken),
    histogram('sluice_overhead_seconds', 'Time spent in the gateway itself.', overhead),
    {
      name: 'sluice_tokens_total',
      help: 'Tokens, by direction: input includes cached, output includes reasoning tokens.',
      type: 'counter',
      series: ({ rows }) => tokenSeries(layout, rows),
    },
  ]
}

function gatewayFamilies(layout: Layout): Family[] {
  return [
    gauge('sluice_active_requests', 'Exchanges under way.', layout.active),
    {
      name: 'sluice_active_streams',
      help: 'Streams open to clients.',
      type: 'gauge',
      series: ({ fixed }) =>
        TRANSPORTS.map((transport, i) => ({ labels: { transport }, value: at(fixed, layout.streams + i) })),
    },
    {
      name: 'sluice_config_reloads_total',
      help: 'Reloads of the configuration, by result.',
      type: 'counter',
      series: ({ fixed }) => touched(RELOAD_RESULTS, { fixed, first: layout.reloads }, (result) => ({ result })),
    },
    {
      name: 'sluice_limit_rejections_total',
      help: 'Requests refused by a limit.',
      type: 'counter',
      series: ({ fixed }) =>
        touched(pairs(LIMIT_SCOPES, LIMIT_KINDS), { fixed, first: layout.rejections }, named('scope', 'limit')),
    },
    gauge('sluice_event_loop_lag_seconds', 'The worst recent delay of any event loop.', layout.eventLoopLag),
  ]
}

function upstreamFamilies(layout: Layout): Family[] {
  const providers = layout.providers.names
  return [
    {
      name: 'sluice_upstream_attempts_total',
      help: 'Requests sent to providers, by result.',
      type: 'counter',
      series: ({ fixed }) =>
        touched(pairs(providers, ATTEMPT_RESULTS), { fixed, first: layout.attempts }, named('provider', 'result')),
    },
    {
      name: 'sluice_upstream_retries_total',
      help: 'Further tries of a request: at the same target again, elsewhere, or denied by the budget.',
      type: 'counter',
      series: ({ fixed }) =>
        touched(pairs(providers, RETRY_KINDS), { fixed, first: layout.retries }, named('provider', 'kind')),
    },
    {
      name: 'sluice_upstream_connections',
      help: 'Open connections to providers: busy with a request, or idle.',
      type: 'gauge',
      series: ({ fixed }) =>
        providers.flatMap((provider, i) => {
          const told = layout.connections + i * CELLS_PER_CONNECTIONS
          if (at(fixed, told) === 0) return []
          return [
            { labels: { provider, state: 'busy' }, value: at(fixed, told + 1) },
            { labels: { provider, state: 'idle' }, value: at(fixed, told + 2) },
          ]
        }),
    },
    {
      name: 'sluice_breaker_state',
      help: "The provider's worst target on any event loop: 0 closed, 1 half-open, 2 open.",
      type: 'gauge',
      series: ({ fixed }) =>
        providers.flatMap((provider, i) => {
          const told = at(fixed, layout.breakers + i)
          return told === 0 ? [] : [{ labels: { provider }, value: told - 1 }]
        }),
    },
  ]
}

function offloadFamilies(layout: Layout): Family[] {
  const seconds = 'sluice_offload_seconds'
  return [
    {
      name: 'sluice_offload_tasks_total',
      help: 'Codec tasks, by where they ran.',
      type: 'counter',
      series: ({ fixed }) =>
        touched(pairs(OFFLOAD_TASKS, OFFLOAD_PLACES), { fixed, first: layout.offloadTasks }, named('task', 'where')),
    },
    {
      name: seconds,
      help: 'Time of a codec task, waiting for a worker included.',
      type: 'histogram',
      series: ({ fixed }) =>
        layout.offloadSeconds.flatMap((place, i) =>
          histogramSeries(seconds, { row: fixed, place, labels: { task: OFFLOAD_TASKS[i] ?? OTHER } }),
        ),
    },
    gauge('sluice_offload_queue', 'Codec tasks that wait for a worker.', layout.offloadQueue),
  ]
}

/** One number of the fixed section. */
function gauge(name: string, help: string, place: number): Family {
  return { name, help, type: 'gauge', series: ({ fixed }) => [{ labels: {}, value: at(fixed, place) }] }
}

function requestSeries(layout: Layout, row: Float64Array): Series[] {
  const series: Series[] = []
  const labels = rowLabels(layout, row)
  for (let o = 0; o < OUTCOMES.length; o++) {
    for (let s = 0; s <= STATUSES.length; s++) {
      const value = at(row, layout.row.requests + o * (STATUSES.length + 1) + s)
      if (value === 0) continue
      series.push({ labels: { ...labels, outcome: OUTCOMES[o] ?? OTHER, status: STATUSES[s] ?? OTHER }, value })
    }
  }
  return series
}

/** Over all surfaces: whose tokens they were does not depend on the API they were asked for with. */
function tokenSeries(layout: Layout, rows: readonly Float64Array[]): Series[] {
  const sums = new Map<string, { labels: Record<string, string>; value: number }>()
  for (const row of rows) {
    const { model, provider } = rowLabels(layout, row)
    for (const [direction, value] of tokensOf(layout.row, row)) {
      if (value === 0) continue
      const key = JSON.stringify([model, provider, direction])
      const sum = sums.get(key) ?? { labels: { model, provider, direction }, value: 0 }
      sum.value += value
      sums.set(key, sum)
    }
  }
  return [...sums.values()]
}

function tokensOf(layout: RowLayout, row: Float64Array): [direction: string, value: number][] {
  return [
    ['input', at(row, layout.inputTokens)],
    ['output', at(row, layout.outputTokens)],
  ]
}

type HistogramCells = {
  readonly row: Float64Array
  readonly place: HistogramPlace
  readonly labels: Record<string, string>
}

/** The cumulative buckets, sum and count of one histogram; nothing if it is empty. */
function histogramSeries(name: string, { row, place, labels }: HistogramCells): Series[] {
  const series: Series[] = []
  let count = 0
  for (let i = 0; i <= place.bounds.length; i++) {
    count += at(row, place.at + i)
    series.push({ metricName: `${name}_bucket`, labels: { le: place.bounds[i] ?? '+Inf', ...labels }, value: count })
  }
  if (count === 0) return []
  series.push({ metricName: `${name}_sum`, labels, value: at(row, place.at + place.bounds.length + 1) })
  series.push({ metricName: `${name}_count`, labels, value: count })
  return series
}

/** The labels of a row, read back from its tag. */
function rowLabels(layout: Layout, row: Float64Array): { surface: string; model: string; provider: string } {
  const { surface, provider, model } = rowNames(layout, row)
  return { surface: surface ?? OTHER, model: model ?? OTHER, provider: provider ?? OTHER }
}

function isKnown(layout: Layout, row: Float64Array): boolean {
  const { provider, model } = rowNames(layout, row)
  return provider !== undefined && model !== undefined
}

function rowNames({ surfaces, providers, models }: Layout, row: Float64Array) {
  const key = at(row, 0) - 1
  const pair = Math.floor(key / models.room)
  return {
    surface: surfaces.names[Math.floor(pair / providers.room)],
    provider: providers.names[pair % providers.room],
    model: models.names[key % models.room],
  }
}

function pairs<A, B>(first: readonly A[], second: readonly B[]): [A, B][] {
  return first.flatMap((a) => second.map((b): [A, B] => [a, b]))
}

/** Labels of a pair, under these two names. */
function named(first: string, second: string): (pair: [string, string]) => Record<string, string> {
  return ([a, b]) => ({ [first]: a, [second]: b })
}

type Counters = { readonly fixed: Float64Array; readonly first: number }

/** One series for each label set whose counter was ever touched; the counters lie in the order of the label sets. */
function touched<T>(sets: readonly T[], counters: Counters, labelsOf: (set: T) => Record<string, string>): Series[] {
  return sets.flatMap((set, i) => {
    const value = at(counters.fixed, counters.first + i)
    return value === 0 ? [] : [{ labels: labelsOf(set), value }]
  })
}

function at(cells: Float64Array, index: number): number {
  return cells[index] ?? 0
}
