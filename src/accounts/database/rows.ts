// What stands in the rows of keys and teams, as records and back. Lists and maps are JSON texts, yes and no are 1 and 0.
import { type Kysely, type Selectable } from 'kysely'
import { type GatewayError } from '../../errors.js'
import { type BudgetUse } from '../budgets/writer.js'
import { type RandomBytes } from '../secret.js'
import {
  type BudgetTerms,
  type KeyLimits,
  type KeyPatch,
  type KeyRecord,
  type SecretHint,
  type TeamPatch,
  type TeamRecord,
} from '../types.js'
import { type UserNames } from './rollups/user-names.js'
import { type KeyTable, type SecretTable, type Tables, type TeamTable } from './schema.js'

/** The database, or a transaction of it. */
export type Database = Kysely<Tables>

/** A database that is open. */
export type AccountsDatabase = {
  readonly db: Database
  /**
   * Connects, and makes or migrates the tables: before anything is asked, again after it has failed.
   * @throws misconfigured where it cannot be used; retryable where it may be later
   */
  prepare(): Promise<void>
  /** What a failed transaction means for those who wait for it; the reason stays the cause. */
  readonly failureOf: (thrown: unknown) => GatewayError
  /** Null: this process alone changes it. */
  readonly shared: SharedDatabase | null
  close(): Promise<void>
}

/** What several nodes need that change one database. */
export type SharedDatabase = {
  /** Which one it is, without user and password. */
  readonly place: string
  /** First in each transaction that changes something, so that it can be asked for later. */
  mark(db: Database): Promise<void>
  /** Whether the transaction that was marked last was committed; waits for one that is still being made. */
  wasCommitted(): Promise<boolean>
  /** Within a transaction: the other nodes will hear of its commit. A hint, which may be lost. */
  announce(db: Database): Promise<void>
  /** The database cannot be reached: what is asked for next fails as well. */
  isAway(thrown: unknown): boolean
  /** Called for each hint of another node. */
  listen(onHint: () => void): void
}

/** What the calls know besides the database. */
export type Ground = {
  readonly nowMs: () => number
  readonly random: RandomBytes
  readonly maxKeys: number
  /** End users that are counted apart. */
  readonly users: UserNames
  /** The name is that of a key of the configuration file. */
  readonly isReserved: (name: string) => boolean
  /** Why there can be no budgets; null: there can. */
  readonly noBudgets: string | null
  /** What event loops have spent and reserved of a budget; null where they do not know it yet. */
  readonly usageOf: (budgetId: string) => BudgetUse | null
  /** @see BudgetWriter.chargedId */
  readonly chargedId: (id: string) => string
}

export type LimitColumns = Pick<KeyTable, 'requests_per_minute' | 'tokens_per_minute' | 'concurrency'>

/** A key with what its record takes from other tables. */
export type KeyRow = Selectable<KeyTable> & { readonly team: string | null; readonly last_used_at_ms: number | null }

/** The limits in a row. */
export function limitsOf(row: LimitColumns): KeyLimits {
  return {
    requestsPerMinute: row.requests_per_minute,
    tokensPerMinute: row.tokens_per_minute,
    concurrency: row.concurrency,
  }
}

/** @throws SyntaxError for a text that is not of this process's making */
export function listOf(text: string): string[] {
  return JSON.parse(text) as string[]
}

/** `secrets`: of this key and of others; `budgets`: its own. */
export function keyRecordOf(
  row: KeyRow,
  { secrets, budgets }: { secrets: readonly Selectable<SecretTable>[]; budgets: readonly BudgetTerms[] },
  nowMs: number,
): KeyRecord {
  return {
    id: row.id,
    name: row.name,
    team: row.team,
    models: listOf(row.models),
    limits: limitsOf(row),
    tags: listOf(row.tags),
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    trustUser: row.trust_user === 1,
    disabled: row.disabled === 1,
    createdAtMs: row.created_at_ms,
    rotatedAtMs: row.rotated_at_ms,
    expiresAtMs: row.expires_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
    secrets: hintsOf(row.id, secrets, nowMs),
    budgets,
    version: row.version,
  }
}

/** A team as its operator sees it. */
export function teamRecordOf(row: Selectable<TeamTable>, budgets: readonly BudgetTerms[]): TeamRecord {
  return {
    id: row.id,
    name: row.name,
    models: listOf(row.models),
    limits: limitsOf(row),
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    disabled: row.disabled === 1,
    budgets,
    createdAtMs: row.created_at_ms,
    version: row.version,
  }
}

/** The columns of what a patch has; its team, which stands as an id, and its budgets apart. */
export function keyColumnsOf(patch: Omit<KeyPatch, 'team' | 'budgets'>): Partial<KeyTable> {
  const { tags, trustUser, expiresAtMs } = patch
  return {
    ...sharedColumnsOf(patch),
    ...(tags === undefined ? {} : { tags: JSON.stringify(tags) }),
    ...(trustUser === undefined ? {} : { trust_user: trustUser ? 1 : 0 }),
    ...(expiresAtMs === undefined ? {} : { expires_at_ms: expiresAtMs }),
  }
}

/** What keys and teams have alike, of a patch. */
export function sharedColumnsOf({ models, limits, metadata, disabled }: TeamPatch): Partial<TeamTable> {
  return {
    ...(models === undefined ? {} : { models: JSON.stringify(models) }),
    ...limitChangesOf(limits),
    ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
    ...(disabled === undefined ? {} : { disabled: disabled ? 1 : 0 }),
  }
}

/** Those that are given. */
function limitChangesOf({ requestsPerMinute, tokensPerMinute, concurrency }: Partial<KeyLimits> = {}) {
  return {
    ...(requestsPerMinute === undefined ? {} : { requests_per_minute: requestsPerMinute }),
    ...(tokensPerMinute === undefined ? {} : { tokens_per_minute: tokensPerMinute }),
    ...(concurrency === undefined ? {} : { concurrency }),
  }
}

/** Limits as a row has them. */
export function limitColumnsOf(limits: KeyLimits): LimitColumns {
  return {
    requests_per_minute: limits.requestsPerMinute,
    tokens_per_minute: limits.tokensPerMinute,
    concurrency: limits.concurrency,
  }
}

function hintsOf(keyId: string, secrets: readonly Selectable<SecretTable>[], nowMs: number): SecretHint[] {
  return secrets
    .filter(({ key_id, valid_until_ms }) => key_id === keyId && (valid_until_ms ?? Infinity) > nowMs)
    .sort(
      (a, b) => (b.valid_until_ms ?? Infinity) - (a.valid_until_ms ?? Infinity) || b.created_at_ms - a.created_at_ms,
    )
    .map(({ hint, valid_until_ms }) => ({ hint, validUntilMs: valid_until_ms }))
}

/** The clock of a thread, with what a test adds to it. */
export function createClock(offset: SharedArrayBuffer | null): () => number {
  const shift = new Float64Array(offset ?? new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT))
  return () => Date.now() + (shift[0] ?? 0)
}
