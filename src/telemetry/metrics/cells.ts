// The memory of all metrics: one slab of numbers for each event loop, written by that loop alone with plain additions,
// and added up at a scrape by whoever asks. No locks, no atomics: a scrape may miss what is being written just then.
import { createLayout, type Layout, type MetricsConfig } from './layout.js'

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
  /** The fixed section, added up; event loop lag and breaker states are the worst of all loops. */
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
      const at = layout.firstRow + index * layout.row.length
      const tag = slab[at] ?? 0
      if (tag === 0) break
      const row = slab.subarray(at, at + layout.row.length)
      const sum = rows.get(tag)
      if (sum === undefined) rows.set(tag, row.slice())
      else addInto(sum, row, 1)
    }
  }
  fixed[layout.eventLoopLag] = worstOf(layout, cells, layout.eventLoopLag)
  for (let i = 0; i < layout.providers.names.length; i++) {
    fixed[layout.breakers + i] = worstOf(layout, cells, layout.breakers + i)
  }
  return { fixed, rows: [...rows.entries()].sort(([a], [b]) => a - b).map(([, row]) => row) }
}

/** The largest of what the event loops have in one place of the fixed section. */
function worstOf(layout: Layout, cells: SharedArrayBuffer, at: number): number {
  const loops = cells.byteLength / (layout.slabLength * Float64Array.BYTES_PER_ELEMENT)
  let worst = 0
  for (let loop = 0; loop < loops; loop++) worst = Math.max(worst, slabOf(layout, cells, loop)[at] ?? 0)
  return worst
}

/** The state of each provider's breaker as the metric shows it, by name: 0 closed, 1 half-open, 2 open. */
export function breakerStates(config: MetricsConfig, cells: SharedArrayBuffer): ReadonlyMap<string, number> {
  const layout = createLayout(config)
  const stateAt = (at: number): number => Math.max(0, worstOf(layout, cells, layout.breakers + at) - 1)
  return new Map(layout.providers.names.map((name, at) => [name, stateAt(at)]))
}

function addInto(sum: Float64Array, slab: Float64Array, from = 0): void {
  for (let i = from; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (slab[i] ?? 0)
}
