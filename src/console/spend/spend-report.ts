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

/** More bars than this are no picture any more. */
const MOST_BARS = 60

/** What a row is of, in words. */
export function nameOf(row: SpendRow, by: Dimension): string {
  return row[by] ?? NONE
}

const NONE = '(none)'

/** Days in their order; everything else the dearest first, and the rest left out. */
export function barsOf(rows: readonly SpendRow[], by: Dimension): Bar[] {
  const sorted = [...rows].sort((a, b) => (by === 'day' ? nameOf(a, by).localeCompare(nameOf(b, by)) : b.usd - a.usd))
  const shown = by === 'day' ? sorted.slice(-MOST_BARS) : sorted.slice(0, MOST_BARS)
  const highest = Math.max(0, ...shown.map(({ usd }) => usd))
  return shown.map((row) => ({ name: nameOf(row, by), usd: row.usd, height: highest === 0 ? 0 : row.usd / highest }))
}

/** `YYYY-MM-DD` of the day that is so many after this one, in UTC. */
export function dayText(ms: number, daysLater = 0): string {
  return new Date(ms + daysLater * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length)
}

const DAY_MS = 86_400_000
