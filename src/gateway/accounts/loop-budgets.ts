// The budgets of one event loop, joined to its journal and to the account database: what is settled is sent there once a second.
import { randomUUID } from 'node:crypto'
import { type BudgetCounters, LoopBudgets } from '../../accounts/budgets/desk.js'
import { JournalSpace } from '../../accounts/budgets/journal/space.js'
import { type JournalState, Ledger } from '../../accounts/budgets/ledger.js'
import { nameOfNode } from '../../accounts/budgets/shared/node-names.js'
import { type ClaimAsker } from '../../accounts/budgets/shared/shared-set.js'
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
  readonly store: () => Pick<AccountsStore, 'addSpend' | 'claim'> | null
}

/** What lives as long as the loop, whatever its configuration. */
export type LoopBudgeting = {
  readonly budgeting: Budgeting
  /** @see LoopBudgets.usageOf */
  usageOf(keyId: string): Promise<BudgetUsage[]>
  /** Sends what is settled, and deletes journals that are no longer needed. Before the way to the database is closed. */
  close(): Promise<void>
  /** Of the journals of all loops. */
  readonly journalBytes: number
}

/** Begins no journal and sends nothing before a request falls under a budget. */
export function createLoopBudgets(ground: BudgetGround): LoopBudgeting {
  const { accounts, journal: folder, maxJournalBytes, counters, onJournalState: onState, store } = ground
  const space = new JournalSpace(accounts.memory.budgets, maxJournalBytes)
  const { memory, nowMs } = accounts
  const { node = null } = memory.budgets.shared ?? {}
  const createId = (): string => nameOfNode(node, randomUUID())
  const ledger = new Ledger({
    ...{ folder, space, onState, createId, isUnknown: () => accounts.standing.isWithoutSpend },
    async store(batches, gone) {
      const database = store()
      if (database === null) throw new GatewayError('overloaded')
      await database.addSpend(batches, gone)
    },
  })
  const ask: ClaimAsker = async (wants) => (await store()?.claim(wants)) ?? 'away'
  const claims = node === null ? null : ask
  const account = (index: number) => accounts.byIndex(index)?.account ?? null
  const desk = new LoopBudgets({ memory: memory.budgets, ledger, matchesGlob, account, nowMs, counters, claims })
  return {
    budgeting: { desk, learned: new Learned() },
    async usageOf(keyId) {
      if (claims !== null) await claims(desk.placesOf(keyId).map((place) => ({ ...place, amount: 0 })))
      return desk.usageOf(keyId)
    },
    close: () => ledger.close(),
    get journalBytes() {
      return space.bytes
    },
  }
}
