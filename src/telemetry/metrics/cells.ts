// The memory of all metrics: one slab of numbers per event loop, written only by that loop with plain additions, and summed at a
// scrape. No locks, no atomics: a scrape may miss a write in progress.
import { createLayout, type Layout, type MetricsConfig } from './layout.js'
import { METRIC_LIST, METRICS } from './table.js'

/** Memory for the metrics of `loops` event loops. */
export function createMetricsCells(config: MetricsConfig, loops: number): SharedArrayBuffer {
  return new SharedArrayBuffer(createLayout(config).slabLength * Float64Array.BYTES_PER_ELEMENT * loops)
}

/** The slab of one event loop; the cells must come from the same configuration. */
export function slabOf(layout: Layout, cells: SharedArrayBuffer, loopIndex: number): Float64Array {
  const bytes = layout.slabLength * Float64Array.BYTES_PER_ELEMENT
  return new Float64Array(cells, loopIndex * bytes, layout.slabLength)
}

export type Totals = {
  /** The fixed section, summed; gauges that are not sums are the largest or least of all loops. */
  readonly fixed: Float64Array
  /** Rows by tag, in the order of the tags. */
  readonly rows: readonly Float64Array[]
}

/** Adds up the slabs of all event loops. */
export function sumSlabs(layout: Layout, cells: SharedArrayBuffer): Totals {
  const loops = cells.byteLength / (layout.slabLength * Float64Array.BYTES_PER_ELEMENT)
  const fixed = new Float64Array(layout.firstRow)
  const rows = new Map<number, Float64Array>()
  for (let loop = 0; loop < loops; loop++) {
    const slab = slabOf(layout, cells, loop)
    addInto(fixed, slab.subarray(0, layout.firstRow))
    for (let index = 0; index < layout.rows; index++) {
      const at = layout.firstRow + index * layout.rowLength
      const tag = slab[at] ?? 0
      if (tag === 0) break
      const row = slab.subarray(at, at + layout.rowLength)
      const sum = rows.get(tag)
      if (sum === undefined) rows.set(tag, row.slice())
      else addInto(sum, row, 1)
    }
  }
  for (const [key, descriptor] of METRIC_LIST) {
    if (descriptor.type !== 'gauge' || descriptor.across === 'sum') continue
    const { at, series, flagsAt } = layout.places[key]
    for (let i = 0; i < series; i++) {
      fixed[at + i] = extremeOf(
        layout,
        cells,
        { at: at + i, flagAt: flagsAt === null ? null : flagsAt + i },
        descriptor.across,
      )
    }
  }
  return { fixed, rows: [...rows.entries()].sort(([a], [b]) => a - b).map(([, row]) => row) }
}

/** The largest or least value of all event loops in one cell of the fixed section; 0 if none has set it. */
function extremeOf(
  layout: Layout,
  cells: SharedArrayBuffer,
  { at, flagAt }: { at: number; flagAt: number | null },
  across: 'largest' | 'least',
): number {
  const loops = cells.byteLength / (layout.slabLength * Float64Array.BYTES_PER_ELEMENT)
  let found: number | null = null
  for (let loop = 0; loop < loops; loop++) {
    const slab = slabOf(layout, cells, loop)
    const value = slab[at] ?? 0
    if (flagAt !== null && slab[flagAt] === 0) continue
    if (found === null || (across === 'largest' ? value > found : value < found)) found = value
  }
  return found ?? 0
}

/** The state of each provider's breaker as the metric shows it, by name: 0 closed, 1 half-open, 2 open. */
export function breakerStates(config: MetricsConfig, cells: SharedArrayBuffer): ReadonlyMap<string, number> {
  const layout = createLayout(config)
  const { at } = layout.places.breakers
  const stateAt = (index: number): number =>
    extremeOf(layout, cells, { at: at + index, flagAt: null }, METRICS.breakers.across)
  return new Map(layout.providers.names.map((name, index) => [name, stateAt(index)]))
}

function addInto(sum: Float64Array, slab: Float64Array, from = 0): void {
  for (let i = from; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (slab[i] ?? 0)
}
