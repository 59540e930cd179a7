// The series of one metric of the table, read from the summed cells.
import { type Totals } from './cells.js'
import { OTHER } from './labels.js'
import { type Layout, rowNames } from './layout.js'
import { type Descriptor, METRICS, type MetricKey, type RowLabel } from './table.js'

export type Labels = Readonly<Record<string, string | number>>

/** One line of the page. */
export type Series = {
  readonly labels: Labels
  readonly value: number
  /** The suffix of the metric's name, for the parts of a histogram. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
}

/** Cells of a metric: those of the fixed section, or of a row, with the labels that all its series share. */
type Holder = { readonly cells: Float64Array; readonly labels: Labels }

const ROW_LABELS = 3

/** Reads the series of a metric that are to be shown, in the order of the page. */
export function createSeriesReader(layout: Layout, key: MetricKey): (totals: Totals) => Series[] {
  const descriptor: Descriptor = METRICS[key]
  const { row } = descriptor
  const { at, cellsPerSeries, flagsAt } = layout.places[key]
  const sets = labelSets(layout, descriptor)

  function read({ cells, labels: shared }: Holder): Series[] {
    const series: Series[] = []
    for (const { labels, index } of sets) {
      const first = at + index * cellsPerSeries
      if (descriptor.type === 'histogram') {
        series.push(
          ...histogramSeries(cells.subarray(first, first + cellsPerSeries), descriptor.bounds, {
            ...shared,
            ...labels,
          }),
        )
        continue
      }
      const value = cells[first] ?? 0
      if (descriptor.type === 'counter' ? value === 0 : flagsAt !== null && cells[flagsAt + index] === 0) continue
      series.push({ labels: { ...shared, ...labels }, value })
    }
    return series
  }

  if (row === undefined) return ({ fixed }) => read({ cells: fixed, labels: {} })
  return ({ rows }) => {
    const all = rows.flatMap((cells) => read({ cells, labels: rowLabels(layout, cells, row) }))
    return row.length < ROW_LABELS ? addUp(all) : all
  }
}

/** Each combination of a metric's own labels, and which of its series that is. */
function labelSets(layout: Layout, { axes }: Descriptor): { labels: Labels; index: number }[] {
  let sets: { labels: Labels; index: number }[] = [{ labels: {}, index: 0 }]
  for (const { label, values } of axes) {
    const names = values === 'providers' ? layout.providers.names : values
    const room = values === 'providers' ? layout.providers.room : values.length
    sets = sets.flatMap(({ labels, index }) =>
      names.map((name, i) => ({ labels: { ...labels, [label]: name }, index: index * room + i })),
    )
  }
  return sets
}

function rowLabels(layout: Layout, row: Float64Array, shown: readonly RowLabel[]): Labels {
  const names = rowNames(layout, row)
  return Object.fromEntries(shown.map((label) => [label, names[label] ?? OTHER]))
}

/** The cumulative buckets, sum and count of one histogram; nothing if it is empty. */
function histogramSeries(cells: Float64Array, bounds: readonly number[], labels: Labels): Series[] {
  const series: Series[] = []
  let count = 0
  for (let i = 0; i <= bounds.length; i++) {
    count += cells[i] ?? 0
    series.push({ suffix: '_bucket', labels: { le: bounds[i] ?? '+Inf', ...labels }, value: count })
  }
  if (count === 0) return []
  series.push({ suffix: '_sum', labels, value: cells[bounds.length + 1] ?? 0 })
  series.push({ suffix: '_count', labels, value: count })
  return series
}

/** One series for each label set, in the order in which they come first. */
function addUp(all: readonly Series[]): Series[] {
  const sums = new Map<string, Series>()
  for (const series of all) {
    const key = JSON.stringify(series.labels)
    const value = (sums.get(key)?.value ?? 0) + series.value
    sums.set(key, { labels: series.labels, value })
  }
  return [...sums.values()]
}
