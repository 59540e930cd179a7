// What budgets are charged, added up by budget and window.
import { type Charge } from '../types.js'

/** Charges that add up, by budget and window. */
export class ChargeSums {
  readonly #sums = new Map<string, Charge>()

  add(charge: Charge): void {
    const { budgetId, windowStartMs, nano, tokens } = charge
    const place = `${budgetId} ${windowStartMs}`
    const known = this.#sums.get(place)
    const sum = known === undefined ? charge : { ...known, nano: known.nano + nano, tokens: known.tokens + tokens }
    this.#sums.set(place, sum)
  }

  get all(): Charge[] {
    return [...this.#sums.values()]
  }
}
