// The page for Prometheus: sums the slabs of all event loops and writes their series, then prom-client's metrics of the process.
// Runs on any event loop and yields to it between two metrics.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { sumSlabs, type Totals } from './cells.js'
import { writeMetric } from './exposition.js'
import { createLayout, type Layout, type MetricsConfig, rowNames } from './layout.js'
import { createSeriesReader } from './series.js'
import { METRIC_LIST } from './table.js'

export type Scrape = {
  readonly contentType: string
  /** The page; scrapes that overlap share one. */
  render(): Promise<string>
  /** The next page has the names of this configuration: the existing ones at their positions, and further ones. */
  adopt(config: MetricsConfig): void
}

export type ScrapeOptions = {
  /** Add prom-client's metrics of the process (memory, CPU, collector, handles); on by default, once per process is enough. */
  readonly processMetrics?: boolean
}

/** The longest delay of a timer. */
const NEVER_MS = 2 ** 31 - 1
const LOOP_DELAYS = /^nodejs_eventloop_lag_(?!seconds$)/

/** A scrape over cells that were made from the same configuration. */
export function createScrape(config: MetricsConfig, cells: SharedArrayBuffer, options: ScrapeOptions = {}): Scrape {
  const process = new Registry()
  if (options.processMetrics !== false) addProcessMetrics(process)
  const processParts = (): Part[] =>
    process.getMetricsAsArray().map(
      ({ name }) =>
        () =>
          process.getSingleMetricAsString(name),
    )
  let own = createPage(config, cells)

  let rendering: Promise<string> | null = null
  async function renderOnce(): Promise<string> {
    const parts: string[] = []
    for (const part of [...own(), ...processParts()]) {
      parts.push(await part())
      await nextTurn()
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

/**
 * All but the delays of the event loop by quantile: prom-client's own timer for them wakes an idle process a hundred times a second, and
 * `sluice_event_loop_lag_seconds` has the worst one.
 */
function addProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: NEVER_MS })
  for (const { name } of register.getMetricsAsArray()) {
    if (LOOP_DELAYS.test(name)) register.removeSingleMetric(name)
  }
}

type Part = () => string | Promise<string>

/** The parts of our own metrics under the names of one layout; each call reads the numbers. */
function createPage(config: MetricsConfig, cells: SharedArrayBuffer): () => Part[] {
  const layout = createLayout(config)
  const metrics = METRIC_LIST.map(([key, head]) => ({ head, read: createSeriesReader(layout, key) }))
  return () => {
    const totals = sumKnown(layout, cells)
    return metrics.map(
      ({ head, read }) =>
        () =>
          writeMetric(head, read(totals)),
    )
  }
}

/** During a reload another event loop may count under names that this one does not know yet: they are on the next page. */
function sumKnown(layout: Layout, cells: SharedArrayBuffer): Totals {
  const { fixed, rows } = sumSlabs(layout, cells)
  return { fixed, rows: rows.filter((row) => isKnown(layout, row)) }
}

function isKnown(layout: Layout, row: Float64Array): boolean {
  const { provider, model } = rowNames(layout, row)
  return provider !== undefined && model !== undefined
}
