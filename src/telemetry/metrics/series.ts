// One metric of the page and its series, read from summed cells: what all families are made of.
import { type Totals } from './cells.js'
import { type HistogramPlace } from './layout.js'

/** One line of the page. */
export type Series = {
  readonly labels: Record<string, string | number>
  readonly value: number
  /** For the parts of a histogram. */
  readonly metricName?: string
}

/** One metric, whose values are read from the totals when the page is made. */
export type Family = {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly series: (totals: Totals) => Series[]
}

/** Where a histogram lies. */
export type HistogramCells = {
  readonly row: Float64Array
  readonly place: HistogramPlace
  readonly labels: Record<string, string>
}

/** The cumulative buckets, sum and count of one histogram; nothing if it is empty. */
export function histogramSeries(name: string, { row, place, labels }: HistogramCells): Series[] {
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

/** Each of the first with each of the second, in the order that cells lie in. */
export function pairs<A, B>(first: readonly A[], second: readonly B[]): [A, B][] {
  return first.flatMap((a) => second.map((b): [A, B] => [a, b]))
}

/** Counters that lie one after the other. */
export type Counters = { readonly fixed: Float64Array; readonly first: number }

/** One series for each label set whose counter was ever touched; the counters lie in the order of the label sets. */
export function touched<T>(
  sets: readonly T[],
  counters: Counters,
  labelsOf: (set: T) => Record<string, string>,
): Series[] {
  return sets.flatMap((set, i) => {
    const value = at(counters.fixed, counters.first + i)
    return value === 0 ? [] : [{ labels: labelsOf(set), value }]
  })
}

/** The number at a place. */
export function at(cells: Float64Array, index: number): number {
  return cells[index] ?? 0
}

/** Labels of a pair, under these two names. */
export function named(first: string, second: string): (pair: [string, string]) => Record<string, string> {
  return ([a, b]) => ({ [first]: a, [second]: b })
}
