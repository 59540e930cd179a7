// The contract of the store of keys and teams, the same for every database. An event loop calls it over a port; the database itself,
// and the directory that all loops read keys from, belong to one thread (thread.ts). No request of a client ever waits for it.
import { type ClaimsNews } from './budgets/shared/node-claims.js'
import { type ClaimAsker } from './budgets/shared/shared-set.js'
import { type KeyUsage, type SpendPage, type SpendQuery } from './rollups/reports.js'
import { type RollupBatch } from './rollups/types.js'
import {
  type AuditEntry,
  type AuditRecord,
  type BudgetStatus,
  type BudgetTerms,
  type BudgetUnit,
  type KeyPatch,
  type KeyRecord,
  type NewBudget,
  type NewKey,
  type NewTeam,
  type SpendBatch,
  type TeamPatch,
  type TeamRecord,
} from './types.js'

/** By whom a change is made, for the audit: the name of an admin key. */
export type By = { readonly by: string }

/** A change of what its caller has seen: refused with precondition_failed where the record has another version; null for any. */
export type Change = By & { readonly ifVersion: number | null }

/** Where a list begins: after the name, or the number, that the page before ended with; null for the first page. */
export type Page<After> = { readonly after: After | null; readonly limit: number }

/**
 * Each call is answered after its commit; a change then stands in the directory as well, and its audit in the same transaction. What
 * was asked may have happened all the same where the answer is `storage_unavailable` or `overloaded`.
 *
 * Every call may throw storage_unavailable where only an operator can help, overloaded where the database cannot be reached now, and
 * storage_full where it has no room.
 */
export type AccountCalls = {
  /**
   * `secret` is shown this once. Null: the key existed already with the same contents.
   * @throws conflict where the name has other contents, or is that of a key of the configuration file; not_found for the team;
   *   storage_full beyond `accounts.maxKeys`
   */
  createKey(key: NewKey, by: By): Promise<{ readonly key: KeyRecord; readonly secret: string | null }>
  getKey(name: string): Promise<KeyRecord | null>
  /** In the order of their names. `team`: those of one team; absent for all. */
  listKeys(page: Page<string> & { readonly team?: string }): Promise<{ keys: KeyRecord[]; next: string | null }>
  /** @throws not_found, for its team as well; precondition_failed */
  updateKey(name: string, patch: KeyPatch, change: Change): Promise<KeyRecord>
  /**
   * A further secret. The one before stays valid for `overlapMs`; with 0 all before end at once.
   * @throws not_found; precondition_failed; conflict where MAX_SECRETS would be valid at a time
   */
  rotateKey(
    name: string,
    overlap: { readonly overlapMs: number },
    change: Change,
  ): Promise<{ readonly key: KeyRecord; readonly secret: string }>
  /** @throws not_found, precondition_failed */
  deleteKey(name: string, change: Change): Promise<void>

  /** `isNew`: false where the team existed already with the same contents. @throws conflict where it has others */
  createTeam(team: NewTeam, by: By): Promise<{ readonly team: TeamRecord; readonly isNew: boolean }>
  getTeam(name: string): Promise<TeamRecord | null>
  /** In the order of their names. */
  listTeams(page: Page<string>): Promise<{ teams: TeamRecord[]; next: string | null }>
  /** @throws not_found, precondition_failed */
  updateTeam(name: string, patch: TeamPatch, change: Change): Promise<TeamRecord>
  /** @throws not_found; precondition_failed; conflict while it has keys */
  deleteTeam(name: string, change: Change): Promise<void>

  /**
   * `isNew`: false where the budget existed already with the same contents.
   * @throws conflict where it has others; not_found for its key or team; invalid_request for its scope, or where there can be no budgets
   */
  createBudget(budget: NewBudget, by: By): Promise<{ readonly budget: BudgetStatus; readonly isNew: boolean }>
  /** `user`: what one end user has used of it. @throws invalid_request where it tells none apart */
  getBudget(name: string, user?: string | null): Promise<BudgetStatus | null>
  /** In the order of their names. */
  listBudgets(page: Page<string>): Promise<{ budgets: BudgetStatus[]; next: string | null }>
  /** @throws not_found, precondition_failed; invalid_request for the other unit */
  updateBudget(name: string, terms: Pick<BudgetTerms, 'limit' | 'unit'>, change: Change): Promise<BudgetStatus>
  /** @throws not_found, precondition_failed */
  deleteBudget(name: string, change: Change): Promise<void>
  /**
   * Adds to what is spent in the present window; a refund is negative.
   * @throws not_found; invalid_request for the other unit, or a refund of more than was spent
   */
  adjustBudget(
    name: string,
    adjustment: {
      readonly amount: number
      readonly unit: BudgetUnit
      readonly reason: string
      /** Whose part, of a budget that tells end users apart; absent for all others. */
      readonly user?: string | null
    },
    by: By,
  ): Promise<{ readonly id: string; readonly amount: number }>
  /** What event loops have settled, each batch once; `gone`: journals that have no file any more. */
  addSpend(batches: readonly SpendBatch[], gone: readonly string[]): Promise<void>

  /** Adds what an event loop has counted; a batch that was added before changes nothing. */
  addRollups(batch: RollupBatch): Promise<void>
  /** Sums of what was spent, in the order of what they are by. */
  reportSpend(query: SpendQuery): Promise<SpendPage>
  /** `owner`: as in RollupSource. */
  reportKeyUsage(owner: string): Promise<KeyUsage>

  /** Providers that operators have paused, in the order of their names. */
  listPaused(): Promise<string[]>
  /** Again with the same changes nothing. */
  setPaused(provider: string, isPaused: boolean, by: By): Promise<void>

  /** For what is no change of keys, teams and budgets; those are recorded by themselves. */
  appendAudit(entry: AuditEntry): Promise<void>
  /** The newest first; `after` is the `seq` of the last entry of the page before. */
  listAudit(page: Page<number>): Promise<{ entries: AuditRecord[]; next: number | null }>
}

/** To every event loop, after it stands in the directory. */
export type AccountsEvent = {
  /** Keys that were changed or deleted, or whose team was; the directory has what they are now, or nothing. */
  readonly type: 'changed'
  readonly ids: readonly string[]
}

/** One event loop's way to the store. */
export type AccountsStore = AccountCalls & {
  /** Keys that were used; written together, once a minute at most, and lost if the process is killed. */
  noteUsed(uses: readonly KeyUse[]): void
  /** @returns a function that ends it */
  subscribe(listener: (event: AccountsEvent) => void): () => void
  /** Asks what all nodes have left of budgets; for nothing, to see what they use. Never rejects. */
  readonly claim: ClaimAsker
  /** From now on news of claims come here. Of all loops of a process one may call it. */
  onClaims(listener: (news: ClaimsNews) => void): void
  /** Ends this loop's way to the store, not the store. */
  close(): void
}

export type KeyUse = { readonly id: string; readonly atMs: number }
