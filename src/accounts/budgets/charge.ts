// What budgets are charged, added up by budget and window.
import { type Charge } from '../types.js'

type Sum = { -readonly [Member in keyof Charge]: Charge[Member] }

/** Charges that add up, by budget and window. */
export class ChargeSums {
  /** Of each budget by window, the latest last. */
  readonly #sums = new Map<string, Sum[]>()

  add({ budgetId, windowStartMs, nano, tokens }: Charge): void {
    const sums = this.#sums.get(budgetId) ?? []
    for (let i = sums.length - 1; i >= 0; i--) {
      const sum = sums[i] as Sum
      if (sum.windowStartMs !== windowStartMs) continue
      sum.nano += nano
      sum.tokens += tokens
      return
    }
    sums.push({ budgetId, windowStartMs, nano, tokens })
    this.#sums.set(budgetId, sums)
  }

  get all(): Charge[] {
    return [...this.#sums.values()].flat()
  }
}
