// The page that Prometheus reads: adds up the slabs of all event loops and hands the numbers to prom-client, which writes
// them beside its own process metrics. Runs on any event loop and lets it breathe between two metrics.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import { sumSlabs, type Totals } from './cells.js'
import { createFamilies, isKnown } from './families.js'
import { createLayout, type Layout, type MetricsConfig } from './layout.js'
import { type Family, type Series } from './series.js'

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

/**
 * Registers a metric of which prom-client asks the values only when it writes the page. Its own Counter and Histogram
 * would have to be fed label by label; a registry needs no more of a metric than `name` and `get` (prom-client 15).
 */
function register(registry: Registry, { name, help, type }: Family, collect: () => Series[]): void {
  const metric = { name, help, type, aggregator: 'sum', get: async () => ({ name, help, type, values: collect() }) }
  registry.registerMetric(metric as unknown as Metric)
}
