// Budgets as the pipeline uses them: an attempt reserves before it is sent, extends while it streams, and settles once. All calls are
// synchronous; what has to be written down is written by whoever implements them.
import { type BudgetStatus } from '../types.js'

/** Money and tokens at once. A budget counts one of the two. Whole numbers >= 0; `nano`: nano-dollars. */
export type Amount = { readonly nano: number; readonly tokens: number }

/** Whose budgets hold for a request. */
export type Spender = {
  /** The owner of the key, as in KeyIdentity; null on a gateway without keys. */
  readonly owner: string | null
  /** The index of a key of the database; -1 for all others. */
  readonly accountIndex: number
  /** The model by the name that the client used. */
  readonly model: string
  /** The end user, where the key may name one; else null. */
  readonly user: string | null
}

/** The budgets of one event loop. */
export interface BudgetDesk {
  /** The budgets that hold for it; null: none, so nothing needs to be reserved. Called once for each request, without allocation for null. */
  budgetsOf(spender: Spender): BudgetSet | null
}

/** All budgets that hold for one request. */
export interface BudgetSet {
  /** True where one of them counts money: its targets need a price. */
  readonly countsMoney: boolean
  /**
   * Reserves in all budgets or in none: as much as is left, at least `need` and at most `want` of each unit.
   * A refusal where a budget has less left than `need`, or nothing. A promise where other nodes have to be asked what is left.
   */
  reserve(need: Amount, want: Amount): Reserved | Promise<Reserved>
}

export type Reserved = Reservation | BudgetRefusal

/** Held by one attempt. Belongs to the windows in which it was made, however late it settles. */
export interface Reservation {
  readonly refused: false
  /** What is reserved at present. */
  readonly held: Amount
  /** Within this turn of the event loop. Its request must not be sent before, and never where it is false: then it has to be settled for nothing. */
  readonly written: Promise<boolean>
  /**
   * Reserves up to `by` more of each unit, as much as all budgets have left; false where a budget whose unit is asked for has nothing left.
   * A promise where other nodes have to be asked.
   */
  extend(by: Amount): boolean | Promise<boolean>
  /** What was really spent, be it more or less than `held`. Exactly once counts; later calls do nothing. */
  settle(spent: Amount): void
}

export type BudgetRefusal = {
  readonly refused: true
  /** The name of the budget that has too little left. */
  readonly budget: string
  /** Unix ms at which its window ends; null for a budget without one. */
  readonly resetsAtMs: number | null
  /** 503 instead of 429: what is left of the budget is not known at present. */
  readonly isUnavailable: boolean
  /** With `isUnavailable`: not known as long as the gateway is configured as it is, so a retry is pointless. */
  readonly isLasting?: true
  /** There are more end users than the budget can tell apart: this one has no part of it before `resetsAtMs`. */
  readonly isCrowded?: true
}

/** What is used of a budget in its present window. */
export type BudgetUsage = Pick<BudgetStatus, 'name' | 'per' | 'unit' | 'limit' | 'spent' | 'reserved' | 'resetsAtMs'>
