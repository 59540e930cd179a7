// What was spent, as the admin API reports it, and the bars of its chart.

/** By what sums are made. */
export const DIMENSIONS = ['day', 'team', 'key', 'model', 'provider', 'tag', 'user'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export type SpendSum = {
  readonly requests: number
  readonly errors: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens: number
  readonly usd: number
  readonly unpriced: number
}
export type SpendRow = SpendSum & { readonly [Name in Dimension]?: string | null }
export type SpendReport = {
  readonly from: string
  readonly to: string
  readonly data: readonly SpendRow[]
  readonly total: SpendSum
  readonly next: string | null
}

/** One bar: what it is of, and how high it is, from 0 to 1. */
export type Bar = { readonly name: string; readonly usd: number; readonly height: number }
/** `ticks`: amounts at which the axis has a mark, from 0 to the height of the chart; none where each bar has its amount. */
export type Chart = { readonly bars: readonly Bar[]; readonly ticks: readonly number[] }

/** More days than this are no picture any more; the last ones are shown. */
const MOST_DAYS = 62
/** The same for names, each with a line of its own; the dearest are shown. */
const MOST_NAMES = 15
/** Spaces between the marks of an axis. */
const MOST_STEPS = 4
/** What steps are multiples of, in each power of ten. */
const ROUND_STEPS = [1, 2, 2.5, 5, 10]

/** What a row is of, in words. */
export function nameOf(row: SpendRow, by: Dimension): string {
  return row[by] ?? NONE
}

const NONE = '(none)'

/** The rows as they are shown: days in their order, everything else the dearest first. */
export function sorted(data: readonly SpendRow[], by: Dimension): SpendRow[] {
  return [...data].sort((a, b) => (by === 'day' ? nameOf(a, by).localeCompare(nameOf(b, by)) : b.usd - a.usd))
}

/** The chart of a report: every day in order, also those on which nothing was spent; everything else the dearest first. */
export function chartOf({ data, from, to }: Pick<SpendReport, 'data' | 'from' | 'to'>, by: Dimension): Chart {
  const spent = new Map(sorted(data, by).map((row) => [nameOf(row, by), row.usd]))
  const isDays = by === 'day'
  const shown = isDays
    ? daysOf(from, to).map((day) => [day, spent.get(day) ?? 0] as const)
    : [...spent].slice(0, MOST_NAMES)
  const dearest = Math.max(0, ...shown.map(([, usd]) => usd))
  const ticks = isDays ? ticksOf(dearest) : []
  const highest = ticks.at(-1) ?? dearest
  return { ticks, bars: shown.map(([name, usd]) => ({ name, usd, height: highest === 0 ? 0 : usd / highest })) }
}

/** From the first day to the one before the last, which is not a part of the report. */
function daysOf(from: string, to: string): string[] {
  const count = Math.ceil((Date.parse(to) - Date.parse(from)) / DAY_MS)
  const days = Array.from({ length: Math.max(0, count) }, (_, index) => dayText(Date.parse(from), index))
  return days.slice(-MOST_DAYS)
}

/** Round amounts from 0 on, the last of which is not below the highest one. */
export function ticksOf(highest: number): number[] {
  if (highest <= 0) return [0]
  const power = 10 ** Math.floor(Math.log10(highest / MOST_STEPS))
  const step = power * (ROUND_STEPS.find((each) => each * power * MOST_STEPS >= highest) ?? 1)
  const steps = Math.ceil(highest / step - ROUNDING)
  // Digits that no amount has are errors of the arithmetic.
  return Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(TICK_DIGITS)))
}

const TICK_DIGITS = 6
/** Of a quotient that should be a whole number. */
const ROUNDING = 1e-9

/** `YYYY-MM-DD` of the day that is so many after this one, in UTC. */
export function dayText(ms: number, daysLater = 0): string {
  return new Date(ms + daysLater * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length)
}

const DAY_MS = 86_400_000
