// Budgets without a database: the writer of the shared memory, and event loops that reserve in it.
import { type DeskOptions, LoopBudgets } from '../../src/accounts/budgets/desk.js'
import { createBudgetMemory, type SubjectKind } from '../../src/accounts/budgets/memory.js'
import { type Amount, type BudgetSet, type Reservation } from '../../src/accounts/budgets/types.js'
import { BudgetWriter, type StoredBudget } from '../../src/accounts/budgets/writer.js'
import { type Account } from '../../src/accounts/types.js'
import { matchesGlob } from '../../src/routing/glob.js'

export const NOON = Date.parse('2026-11-29T12:00:00Z')
const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** An amount of one unit, or of both. */
export function amount(nano: number, tokens = 0): Amount {
  return { nano, tokens }
}

/** A budget of the whole gateway, unless it is another. */
export function budget(name: string, limit: number, over: Partial<StoredBudget> = {}): StoredBudget {
  return {
    ...{ id: `budget_${name}`, name, kind: 'gateway', subject: '', per: 'day', unit: 'usd', limit, spent: 0 },
    ...{ version: 1, plus: 0, minus: 0, startMs: 0 },
    ...over,
  }
}

export class BudgetRig {
  nowMs = NOON
  readonly memory = createBudgetMemory(10)
  readonly writer = new BudgetWriter(this.memory, () => this.nowMs)
  readonly accounts: Account[] = []
  readonly refusals: SubjectKind[] = []
  debt = 0

  /** `accounts` are found by their index. */
  account(over: Partial<Account> = {}): Account {
    const n = this.accounts.length
    const account: Account = {
      ...{ id: `key_${n}`, name: `app${n}`, team: null, models: ['*'], limits: NO_LIMITS, tags: [] },
      ...{ trustUser: false, disabled: false, expiresAtMs: null, ...over },
    }
    this.accounts.push(account)
    return account
  }

  /** One more event loop. Without a ledger of its own, nothing is written down. */
  loop(ledger: DeskOptions['ledger'] = NO_LEDGER): LoopBudgets {
    return new LoopBudgets({
      ...{ memory: this.memory, ledger, matchesGlob, nowMs: () => this.nowMs },
      account: (index) => this.accounts[index] ?? null,
      counters: {
        budgetRefused: (kind) => void this.refusals.push(kind),
        budgetDebt: (nano) => {
          this.debt += nano
        },
      },
    })
  }

  /** The budgets that hold for an account; for a caller without one where there is no index. */
  setOf(loop: LoopBudgets, index = -1, model = 'fast'): BudgetSet {
    const owner = this.accounts[index]?.id ?? 'file-key'
    const set = loop.budgetsOf({ owner, accountIndex: index, model, user: null })
    if (set === null) throw new Error('no budget holds')
    return set
  }

  usage(name: string): { readonly spent: number; readonly reserved: number } {
    const usage = this.writer.usage(`budget_${name}`)
    if (usage === null) throw new Error(`no budget ${name}`)
    return { spent: usage.spent, reserved: usage.reserved }
  }
}

/** @throws where it is refused */
export function reserved(set: BudgetSet, need: Amount, want: Amount): Reservation {
  const result = set.reserve(need, want)
  if (result instanceof Promise) throw new Error('asks other nodes')
  if (result.refused) throw new Error(`refused by ${result.budget}`)
  return result
}

const NO_LEDGER: DeskOptions['ledger'] = {
  open: () => ({ segment: null, n: 0, written: Promise.resolve(true) }) as never,
  extend: () => undefined,
  settle: () => undefined,
}
