// Whether a refreshed price list may replace the one in use. A list that lost many rows, or whose prices jumped, is more likely
// damaged than true, and budgets depend on it.

import { ratesAt } from './price-book.js'
import { countRows } from './read-prices.js'
import { type PriceTable, type Rates } from './types.js'

/** A vendor that is dropped from the list is some percent of it; more is a list that was cut. */
const MAX_VANISHED_SHARE = 0.2
/** No vendor has changed a price by more in one step. */
const MAX_CHANGE = 10

/** Why the new table is refused; null if it may replace the old one. `atMs`: Unix ms at which prices are compared. */
export function refusalOf(next: PriceTable, current: PriceTable, atMs: number): string | null {
  let vanished = 0
  for (const [list, { rows }] of Object.entries(current.lists)) {
    for (const { model, periods } of rows) {
      const found = next.lists[list]?.rows.find((row) => row.model === model)
      const before = ratesAt(periods, atMs)
      const after = found === undefined ? null : ratesAt(found.periods, atMs)
      if (after === null) vanished += before === null ? 0 : 1
      else if (before !== null && isJump(before, after))
        return `the price of ${list}/${model} has changed more than ${MAX_CHANGE}-fold`
    }
  }
  const rows = countRows(current.lists)
  return vanished > rows * MAX_VANISHED_SHARE ? `${vanished} of ${rows} prices are missing` : null
}

function isJump(before: Rates, after: Rates): boolean {
  return isFar(before.input.base, after.input.base) || isFar(before.output.base, after.output.base)
}

function isFar(before: number, after: number): boolean {
  return before > 0 && (after * MAX_CHANGE < before || after > before * MAX_CHANGE)
}
