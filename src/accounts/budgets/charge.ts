// What budgets are charged in one of their windows, as it is written down: in the journal of an event loop, and in its batches.

/** One budget and one window; counts only the unit of the budget. */
export type Charge = {
  readonly budgetId: string
  /** Unix ms. */
  readonly windowStartMs: number
  readonly nano: number
  readonly tokens: number
}

/** Settlements of one journal, up to and including the one of this number. Added once, however often it is sent. */
export type SpendBatch = {
  readonly journal: string
  readonly sequence: number
  readonly charges: readonly Charge[]
}

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
