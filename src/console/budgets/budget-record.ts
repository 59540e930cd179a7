// Budgets as the admin API has them, and how the screen says them.
import { count, money } from '../format.js'

export type BudgetRecord = {
  readonly name: string
  readonly scope: string
  readonly per: string
  readonly usd?: number
  readonly tokens?: number
  readonly spent: number
  readonly reserved: number
  readonly left: number
  readonly resetsAt: string | null
}

/** `$12.50` or `12,345 tok`, by the unit of the budget. */
export function amountOf({ usd }: Pick<BudgetRecord, 'usd'>, amount: number): string {
  return usd === undefined ? `${count(amount)} tok` : money(amount)
}

/** What may be spent in one of its windows. */
export function limitOf({ usd, tokens }: Pick<BudgetRecord, 'usd' | 'tokens'>): number {
  return usd ?? tokens ?? 0
}

/** From 0 to 1: what is spent, and what is reserved beside it. */
export function sharesOf(budget: BudgetRecord): { readonly spent: number; readonly reserved: number } {
  const limit = limitOf(budget)
  const spent = limit === 0 ? 1 : Math.min(1, Math.max(0, budget.spent / limit))
  const reserved = limit === 0 ? 0 : Math.min(1 - spent, Math.max(0, budget.reserved / limit))
  return { spent, reserved }
}

/** How full it is, for its look: `fine`, `noted` from four fifths on, `bad` where nothing is left. */
export function fillOf(budget: BudgetRecord): 'fine' | 'noted' | 'bad' {
  if (budget.left <= 0) return 'bad'
  const { spent, reserved } = sharesOf(budget)
  return spent + reserved >= NEARLY_FULL ? 'noted' : 'fine'
}

/** Time enough to do something about it. */
const NEARLY_FULL = 0.8
