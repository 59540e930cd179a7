// Keys and teams that are kept in a database, as plain data: it crosses threads as it is. A key's secret is in none of these.

/** Null: no limit. */
export type KeyLimits = {
  readonly requestsPerMinute: number | null
  /** Input and output tokens together. */
  readonly tokensPerMinute: number | null
  readonly concurrency: number | null
}

/** What an event loop knows of a key: all that a request needs, and nothing else. */
export type Account = {
  /** `key_` and 20 base62 digits. Never used again, so whatever belongs to it is inherited by no other key, whatever its name. */
  readonly id: string
  readonly name: string
  /** Null: the key belongs to no team. */
  readonly team: AccountTeam | null
  /** Model names or globs (`*`); a model must be allowed by the key and by its team. */
  readonly models: readonly string[]
  readonly limits: KeyLimits
  readonly tags: readonly string[]
  /** Requests may name their end user. */
  readonly trustUser: boolean
  /** The key is disabled, or its team. */
  readonly disabled: boolean
  readonly expiresAtMs: number | null
}

/** What an event loop knows of a key's team. Its limits hold for all its keys together. */
export type AccountTeam = {
  /** `team_` and 20 base62 digits. */
  readonly id: string
  readonly name: string
  readonly models: readonly string[]
  readonly limits: KeyLimits
}

/** One of the secrets that a key has at a time, by its SHA-256 (64 hex digits, lower case). */
export type SecretDigest = {
  readonly digest: string
  /** Null: until the key is rotated. */
  readonly validUntilMs: number | null
}

/** A key as the directory lists it: under the digests of its secrets. */
export type Listing = { readonly account: Account; readonly secrets: readonly SecretDigest[] }

/** A key as its operator sees it. */
export type KeyRecord = {
  readonly id: string
  readonly name: string
  /** The team's name. */
  readonly team: string | null
  readonly models: readonly string[]
  readonly limits: KeyLimits
  readonly tags: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  readonly trustUser: boolean
  /** The key itself; its team may be disabled as well. */
  readonly disabled: boolean
  readonly createdAtMs: number
  readonly rotatedAtMs: number | null
  readonly expiresAtMs: number | null
  /** To the minute. */
  readonly lastUsedAtMs: number | null
  /** The newest first; those that are no longer valid are left out. */
  readonly secrets: readonly SecretHint[]
  /** Those that were created with it. */
  readonly budgets: readonly BudgetTerms[]
  /** Larger after each change, and never the same for two keys of one name. */
  readonly version: number
}

/** Enough to recognize a secret by, and not to guess it. */
export type SecretHint = {
  /** The last four characters. */
  readonly hint: string
  readonly validUntilMs: number | null
}

export type TeamRecord = {
  readonly id: string
  readonly name: string
  readonly models: readonly string[]
  readonly limits: KeyLimits
  readonly metadata: Readonly<Record<string, string>>
  readonly disabled: boolean
  /** Those that were created with it. */
  readonly budgets: readonly BudgetTerms[]
  readonly createdAtMs: number
  /** @see KeyRecord.version */
  readonly version: number
}

/** All that a new key is given; the rest follows. */
export type NewKey = Pick<
  KeyRecord,
  'name' | 'team' | 'models' | 'limits' | 'tags' | 'metadata' | 'trustUser' | 'disabled' | 'expiresAtMs'
> & {
  /** Absent: none. */
  readonly budgets?: readonly BudgetTerms[]
}

/** Members that are absent stay as they are. A key keeps its name. */
export type KeyPatch = Partial<Omit<NewKey, 'name' | 'limits'>> & { readonly limits?: Partial<KeyLimits> }

export type NewTeam = Pick<TeamRecord, 'name' | 'models' | 'limits' | 'metadata' | 'disabled'> & {
  /** Absent: none. */
  readonly budgets?: readonly BudgetTerms[]
}

/** Members that are absent stay as they are. A team keeps its name. */
export type TeamPatch = Partial<Omit<NewTeam, 'name' | 'limits'>> & { readonly limits?: Partial<KeyLimits> }

export const BUDGET_PERIODS = ['hour', 'day', 'week', 'month', 'total'] as const
/** How long a window of a budget is, in UTC; `total`: it never ends. */
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number]
/** What a budget counts: nano-dollars or tokens. */
export type BudgetUnit = 'usd' | 'tokens'

/** $9,000,000: beyond 2^53 nano-dollars numbers are no longer exact. The same number of tokens. */
export const MAX_BUDGET = 9_000_000_000_000_000

/** How much may be spent, of which unit and in which time. */
export type BudgetTerms = {
  readonly unit: BudgetUnit
  /** Nano-dollars or tokens, 1 to MAX_BUDGET. */
  readonly limit: number
  readonly per: BudgetPeriod
}

export type NewBudget = BudgetTerms & {
  readonly name: string
  /**
   * `gateway`, `team:` or `key:` and a name or an id, `model:` and a glob, or `tag:` and a tag. For each end user apart: `user`, or
   * `user:team:` or `user:key:` and a name or an id.
   */
  readonly scope: string
}

/** A budget as its operator sees it. */
export type BudgetRecord = NewBudget & {
  readonly id: string
  /** It belongs to the key or team that it was created with. */
  readonly isInline: boolean
  readonly createdAtMs: number
  /** @see KeyRecord.version */
  readonly version: number
}

/** A budget with what is used of it in the present window. */
export type BudgetStatus = BudgetRecord & {
  readonly spent: number
  readonly reserved: number
  /** Of a budget that tells end users apart: how many have spent in the present window, all of which is in the sums. Null for all others. */
  readonly users: number | null
  /** Null for a budget without windows. */
  readonly resetsAtMs: number | null
}

/** What a budget is charged in one of its windows, as it is written down. Counts only the unit of the budget. */
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

/** One thing that an operator did. */
export type AuditEntry = {
  readonly atMs: number
  /** The name of the admin key. */
  readonly by: string
  /** Such as `key.create`, `key.rotate`, `team.update`, `stream.cancel`. */
  readonly action: string
  /** The name of what it was done to. */
  readonly target: string
  /** What it was before and after, without secrets: of a key or a team its record; null where there was none, or is none any more. */
  readonly before: object | null
  readonly after: object | null
}

/** An entry with its place in the order of all. */
export type AuditRecord = AuditEntry & { readonly seq: number }

/** Secrets of one key that are valid at a time, the newest included. */
export const MAX_SECRETS = 4
