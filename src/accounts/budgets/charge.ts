// What budgets are charged: the parts of a reservation, and sums by budget and window.
import { type Charge } from '../types.js'
import { type Known } from './budget-index.js'

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

/** What is held of one budget in one window, or is spent of it at last: the ledger reads it as a charge, and keeps nothing of it. */
export class Part implements Charge {
  readonly known: Known
  readonly budgetId: string
  window = 0
  windowStartMs = 0
  nano = 0
  tokens = 0
  /** What is held of the same budget in a later window: one ended in between. */
  later: Part | null = null

  constructor(known: Known) {
    this.known = known
    this.budgetId = known.id
  }

  get amount(): number {
    return this.known.unit === 'usd' ? this.nano : this.tokens
  }

  set amount(amount: number) {
    if (this.known.unit === 'usd') this.nano = amount
    else this.tokens = amount
  }

  /** Adds what was reserved of the same budget afterwards. */
  add(further: Part): void {
    if (further.window === this.window) this.amount += further.amount
    else if (this.later === null) this.later = further
    else this.later.add(further)
  }
}
