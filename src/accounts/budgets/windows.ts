// The windows of budgets, numbered from the beginning of 1970 in UTC: a later window has a larger number. Weeks begin on Monday.
import { type BudgetPeriod } from '../types.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WEEK_DAYS = 7
/** 1970 began on a Thursday. */
const DAYS_BEFORE_MONDAY = 3
const MONTHS = 12
const FIRST_YEAR = 1970

/** The number of the window at a time, in Unix ms. A budget without windows has window 0 alone. */
export function windowAt(per: BudgetPeriod, unixMs: number): number {
  switch (per) {
    case 'hour':
      return Math.floor(unixMs / HOUR_MS)
    case 'day':
      return Math.floor(unixMs / DAY_MS)
    case 'week':
      return Math.floor((Math.floor(unixMs / DAY_MS) + DAYS_BEFORE_MONDAY) / WEEK_DAYS)
    case 'month': {
      const date = new Date(unixMs)
      return (date.getUTCFullYear() - FIRST_YEAR) * MONTHS + date.getUTCMonth()
    }
    case 'total':
      return 0
  }
}

/** Unix ms at which a window begins. */
export function windowStartMs(per: BudgetPeriod, window: number): number {
  switch (per) {
    case 'hour':
      return window * HOUR_MS
    case 'day':
      return window * DAY_MS
    case 'week':
      return (window * WEEK_DAYS - DAYS_BEFORE_MONDAY) * DAY_MS
    case 'month':
      return Date.UTC(FIRST_YEAR, window)
    case 'total':
      return 0
  }
}

/** Unix ms at which a window ends; null for a budget without windows. */
export function windowEndMs(per: BudgetPeriod, window: number): number | null {
  return per === 'total' ? null : windowStartMs(per, window + 1)
}

/** One window of a period; `endMs`: exclusive, infinite where it has no end. */
export type Window = { readonly number: number; readonly startMs: number; readonly endMs: number }

/** The present window of each period, found without a calendar as long as it lasts. */
export class PresentWindows {
  readonly #windows = new Map<BudgetPeriod, Window>()

  at(per: BudgetPeriod, unixMs: number): Window {
    const known = this.#windows.get(per)
    if (known !== undefined && unixMs >= known.startMs && unixMs < known.endMs) return known
    const number = windowAt(per, unixMs)
    const startMs = windowStartMs(per, number)
    const window = { number, startMs, endMs: windowEndMs(per, number) ?? Number.POSITIVE_INFINITY }
    this.#windows.set(per, window)
    return window
  }
}
