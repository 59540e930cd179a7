// The budgets of one event loop, joined to its journal and to the account database: what is settled is sent there once a second.
import { randomUUID } from 'node:crypto'
import { type BudgetCounters, LoopBudgets } from '../../accounts/budgets/desk.js'
import { JournalSpace } from '../../accounts/budgets/journal-space.js'
import { type JournalState, Ledger } from '../../accounts/budgets/ledger.js'
import { type BudgetUsage } from '../../accounts/budgets/types.js'
import { type AccountsStore } from '../../accounts/store.js'
import { GatewayError } from '../../errors.js'
import { type Budgeting } from '../../pipeline/context.js'
import { Learned } from '../../pipeline/spending/learned.js'
import { matchesGlob } from '../../routing/glob.js'
import { type LoopAccounts } from './loop-accounts.js'

export type BudgetGround = {
  readonly accounts: LoopAccounts
  /** The folder of journals. */
  readonly journal: string
  /** What journals of all loops may take together. */
  readonly maxJournalBytes: number
  readonly counters: BudgetCounters
  /** For the log. */
  readonly onJournalState: (state: JournalState) => void
  /** This loop's way to the database; null before it is joined. */
  readonly store: () => Pick<AccountsStore, 'addSpend'> | null
}

/** What lives as long as the loop, whatever its configuration. */
export type LoopBudgeting = {
  readonly budgeting: Budgeting
  /** @see LoopBudgets.usageOf */
  usageOf(keyId: string): BudgetUsage[]
  /** Sends what is settled, and deletes journals that are no longer needed. Before the way to the database is closed. */
  close(): Promise<void>
  /** Of the journals of all loops. */
  readonly journalBytes: number
}

/** Begins no journal and sends nothing before a request falls under a budget. */
export function createLoopBudgets(ground: BudgetGround): LoopBudgeting {
  const { accounts, journal: folder, maxJournalBytes, counters, onJournalState: onState, store } = ground
  const space = new JournalSpace(accounts.memory.budgets, maxJournalBytes)
  const ledger = new Ledger({
    ...{ folder, space, onState, createId: randomUUID, isUnknown: () => accounts.standing.isWithoutSpend },
    async store(batches, gone) {
      const database = store()
      if (database === null) throw new GatewayError('overloaded')
      await database.addSpend(batches, gone)
    },
  })
  const { memory, nowMs } = accounts
  const account = (index: number) => accounts.byIndex(index)?.account ?? null
  const desk = new LoopBudgets({ memory: memory.budgets, ledger, matchesGlob, account, nowMs, counters })
  return {
    budgeting: { desk, learned: new Learned() },
    usageOf: (keyId) => desk.usageOf(keyId),
    close: () => ledger.close(),
    get journalBytes() {
      return space.bytes
    },
  }
}
