// What budgets are charged, added up by budget and window.
import { type Charge } from '../types.js'

type Sum = { -readonly [Member in keyof Charge]: Charge[Member] }

/** Charges that add up, by budget and window. */
export class ChargeSums {
  /** Of each budget by window, the latest last. */
  readonly #sums = new Map<string, Sum[]>()

  add({ budgetId, windowStartMs, nano, tokens }: Charge): void {
    const sums = this.#sums.get(budgetId)
    const sum = sums?.findLast((each) => each.windowStartMs === windowStartMs)
    if (sum !== undefined) {
      sum.nano += nano
      sum.tokens += tokens
      return
    }
    const first = { budgetId, windowStartMs, nano, tokens }
    if (sums === undefined) this.#sums.set(budgetId, [first])
    else sums.push(first)
  }

  get all(): Charge[] {
    return [...this.#sums.values()].flat()
  }
}
