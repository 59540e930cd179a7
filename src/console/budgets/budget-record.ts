// Budgets as the admin API has them, and how the screen says them.
import { count, money, percent } from '../format.js'

export type BudgetRecord = {
  readonly name: string
  readonly scope: string
  readonly per: string
  readonly usd?: number
  readonly tokens?: number
  readonly spent: number
  readonly reserved: number
  /** Null where each end user has an amount left of its own. */
  readonly left: number | null
  readonly resetsAt: string | null
  readonly createdAt: string
}

/** `$12.50` or `12,345 tok`, by the unit of the budget. */
export function amountOf({ usd }: Pick<BudgetRecord, 'usd'>, amount: number | null): string {
  if (amount === null) return '–'
  return usd === undefined ? `${count(amount)} tok` : money(amount)
}

/** What it counts. */
export function unitOf({ usd }: Pick<BudgetRecord, 'usd'>): 'usd' | 'tokens' {
  return usd === undefined ? 'tokens' : 'usd'
}

/** What may be spent in one of its windows. */
export function limitOf({ usd, tokens }: Pick<BudgetRecord, 'usd' | 'tokens'>): number {
  return usd ?? tokens ?? 0
}

/** An amount as the API takes it. */
export function amountBody(unit: string, amount: number): { readonly usd: number } | { readonly tokens: number } {
  return unit === 'usd' ? { usd: amount } : { tokens: amount }
}

/** Whose budget it is, as the API takes it: `gateway`, `key:app`. */
export function scopeOf(kind: string, name: string): string {
  return kind === GATEWAY ? GATEWAY : `${kind}:${name.trim()}`
}

/** The other way round. */
export function readScope(scope: string): { readonly kind: string; readonly name: string } {
  const at = scope.indexOf(':')
  return at === -1 ? { kind: GATEWAY, name: '' } : { kind: scope.slice(0, at), name: scope.slice(at + 1) }
}

const GATEWAY = 'gateway'

/** From 0 to 1: what is spent, and what is reserved beside it. */
export function sharesOf(budget: BudgetRecord): { readonly spent: number; readonly reserved: number } {
  if (budget.left === null) return { spent: 0, reserved: 0 }
  const limit = limitOf(budget)
  const spent = limit === 0 ? 1 : Math.min(1, Math.max(0, budget.spent / limit))
  const reserved = limit === 0 ? 0 : Math.min(1 - spent, Math.max(0, budget.reserved / limit))
  return { spent, reserved }
}

/** `12.5 %`, or `12.5 % + 30.0 %` where running requests have reserved some. */
export function usedText(budget: BudgetRecord): string {
  if (budget.left === null) return '–'
  const { spent, reserved } = sharesOf(budget)
  return reserved === 0 ? percent(spent) : `${percent(spent)} + ${percent(reserved)}`
}

/** Nothing is left of it. */
export function isUsedUp({ left }: Pick<BudgetRecord, 'left'>): boolean {
  return left !== null && left <= 0
}

/** How full it is, for its look: `fine`, `noted` from four fifths on, `bad` where nothing is left. */
export function fillOf(budget: BudgetRecord): 'fine' | 'noted' | 'bad' {
  if (isUsedUp(budget)) return 'bad'
  const { spent, reserved } = sharesOf(budget)
  return spent + reserved >= NEARLY_FULL ? 'noted' : 'fine'
}

/** Time enough to do something about it. */
const NEARLY_FULL = 0.8
