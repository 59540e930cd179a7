// A desk with one budget of dollars and one of tokens, which both hold for every request: what is reserved and spent, by hand.
import {
  type Amount,
  type BudgetDesk,
  type BudgetRefusal,
  type BudgetSet,
  type Reservation,
  type Spender,
} from '../../src/accounts/budgets/types.js'

export const RESETS_AT_MS = Date.UTC(2030, 0, 1)

/** Null: that unit has no budget. */
export type Limits = { nano: number | null; tokens: number | null }

export class FakeDesk implements BudgetDesk, BudgetSet {
  limits: Limits
  reserved: Amount = { nano: 0, tokens: 0 }
  spent: Amount = { nano: 0, tokens: 0 }
  readonly spenders: Spender[] = []
  readonly reservations: Amount[] = []
  /** What each attempt was settled with. */
  readonly settled: Amount[] = []
  extensions = 0
  isUnavailable = false
  /** As long as the gateway is configured as it is. */
  isLasting = false
  /** It cannot tell one more end user apart. */
  isCrowded = false
  isAbsent = false
  /** What is reserved from now on can be written down. */
  isWritten = true

  constructor(limits: Limits) {
    this.limits = limits
  }

  get countsMoney(): boolean {
    return this.limits.nano !== null
  }

  budgetsOf(spender: Spender): BudgetSet | null {
    this.spenders.push(spender)
    return this.isAbsent ? null : this
  }

  left(): Amount {
    const { nano, tokens } = this.limits
    return {
      nano: nano === null ? Number.MAX_SAFE_INTEGER : nano - this.spent.nano - this.reserved.nano,
      tokens: tokens === null ? Number.MAX_SAFE_INTEGER : tokens - this.spent.tokens - this.reserved.tokens,
    }
  }

  reserve(need: Amount, want: Amount): Reservation | BudgetRefusal {
    const left = this.left()
    if (this.isLasting) {
      return { refused: true, budget: 'month', resetsAtMs: null, isUnavailable: true, isLasting: true }
    }
    if (this.isCrowded) {
      return { refused: true, budget: 'month', resetsAtMs: RESETS_AT_MS, isUnavailable: false, isCrowded: true }
    }
    const isFull = left.nano <= 0 || left.tokens <= 0 || left.nano < need.nano || left.tokens < need.tokens
    if (this.isUnavailable || isFull)
      return { refused: true, budget: 'month', resetsAtMs: RESETS_AT_MS, isUnavailable: this.isUnavailable }
    const amount = { nano: Math.min(left.nano, want.nano), tokens: Math.min(left.tokens, want.tokens) }
    this.reserved = sum(this.reserved, amount)
    this.reservations.push(amount)
    return this.#hold(amount)
  }

  #hold(first: Amount): Reservation {
    let held = first
    let isSettled = false
    const extend = (by: Amount): boolean => {
      const left = this.left()
      if (isSettled || left.nano <= 0 || left.tokens <= 0) return false
      const amount = { nano: Math.min(left.nano, by.nano), tokens: Math.min(left.tokens, by.tokens) }
      this.reserved = sum(this.reserved, amount)
      held = sum(held, amount)
      this.extensions += 1
      return true
    }
    const settle = (amount: Amount): void => {
      if (isSettled) return
      isSettled = true
      this.reserved = { nano: this.reserved.nano - held.nano, tokens: this.reserved.tokens - held.tokens }
      this.spent = sum(this.spent, amount)
      this.settled.push(amount)
    }
    return {
      refused: false,
      written: Promise.resolve(this.isWritten),
      get held() {
        return held
      },
      extend,
      settle,
    }
  }
}

function sum(first: Amount, second: Amount): Amount {
  return { nano: first.nano + second.nano, tokens: first.tokens + second.tokens }
}
