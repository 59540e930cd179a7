// What the gateway's own metrics are called and how their series are read from the summed cells. layout.ts has the places,
// metrics.ts counts, scrape.ts makes the page.
import { OUTCOMES } from '../../model/event.js'
import { jobFamilies, redisFamilies } from './job-families.js'
import {
  ATTEMPT_RESULTS,
  CELLS_PER_CONNECTIONS,
  FLOOD_KINDS,
  type HistogramPlace,
  type Layout,
  LIMIT_KINDS,
  LIMIT_SCOPES,
  OFFLOAD_PLACES,
  OFFLOAD_TASKS,
  OTHER,
  RELOAD_RESULTS,
  RETRY_KINDS,
  type RowLayout,
  STATUSES,
  TRANSPORTS,
} from './layout.js'
import { at, type Family, histogramSeries, named, pairs, type Series, touched } from './series.js'

/** All metrics of a layout, in the order of the page. */
export function createFamilies(layout: Layout): Family[] {
  return [
    ...exchangeFamilies(layout),
    ...gatewayFamilies(layout),
    ...upstreamFamilies(layout),
    ...offloadFamilies(layout),
    ...jobFamilies(layout),
    ...redisFamilies(layout),
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
    {
      name: 'sluice_active_requests',
      help: 'Exchanges under way.',
      type: 'gauge',
      series: ({ fixed }) => [{ labels: {}, value: at(fixed, layout.active) }],
    },
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
    {
      name: 'sluice_receiving_bytes',
      help: 'Memory reserved for requests that are still arriving.',
      type: 'gauge',
      series: ({ fixed }) => [{ labels: {}, value: at(fixed, layout.receivingBytes) }],
    },
    {
      name: 'sluice_floods_total',
      help: 'Connections closed because they asked too much of one turn of an event loop.',
      type: 'counter',
      series: ({ fixed }) => touched(FLOOD_KINDS, { fixed, first: layout.floods }, (kind) => ({ kind })),
    },
    {
      name: 'sluice_event_loop_lag_seconds',
      help: 'The worst recent delay of any event loop.',
      type: 'gauge',
      series: ({ fixed }) => [{ labels: {}, value: at(fixed, layout.eventLoopLag) }],
    },
    {
      name: 'sluice_listeners_paused',
      help: 'Listeners that accept no connections, for want of file descriptors.',
      type: 'gauge',
      series: ({ fixed }) => [{ labels: {}, value: at(fixed, layout.listenersPaused) }],
    },
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
      name: 'sluice_implausible_usage_total',
      help: 'Answers whose usage cannot be true (negative, broken, or above any bound) and was estimated instead.',
      type: 'counter',
      series: ({ fixed }) => touched(providers, { fixed, first: layout.implausible }, (provider) => ({ provider })),
    },
    {
      name: 'sluice_upstream_unsolicited_total',
      help: 'Providers caught sending bytes that no request had asked for; for a minute their connections are not reused.',
      type: 'counter',
      series: ({ fixed }) => touched(providers, { fixed, first: layout.unsolicited }, (provider) => ({ provider })),
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
    {
      name: 'sluice_offload_queue',
      help: 'Codec tasks that wait for a worker.',
      type: 'gauge',
      series: ({ fixed }) => [{ labels: {}, value: at(fixed, layout.offloadQueue) }],
    },
  ]
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

/** The labels of a row, read back from its tag. */
function rowLabels(layout: Layout, row: Float64Array): { surface: string; model: string; provider: string } {
  const { surface, provider, model } = rowNames(layout, row)
  return { surface: surface ?? OTHER, model: model ?? OTHER, provider: provider ?? OTHER }
}

/** Whether the names of a row are among those of this layout. */
export function isKnown(layout: Layout, row: Float64Array): boolean {
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
