// What the holder of a key may know of it: what it has spent, its limits, and what is left of its budgets. Sums come from the account
// database, once a second for each key at most; budgets from the memory of event loops, as they are now.
import { type BudgetUsage } from '../../accounts/budgets/types.js'
import { type KeyUsage, type SpendSum } from '../../accounts/rollups/reports.js'
import { type AccountsStore } from '../../accounts/store.js'
import { type KeyLimits } from '../../accounts/types.js'
import { type KeyConfig } from '../../config/types.js'
import { GatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type KeyIdentity } from '../../pipeline/client.js'

/** Sums are answered again for so long. */
const FRESH_MS = 1000
/** Keys whose sums are being read: the database has more important things to do. */
const MAX_WAITING = 4
const NANO_PER_DOLLAR = 1_000_000_000
const BUSY = GatewayError.shared('overloaded', {
  message: 'Too many requests for usage are waiting for the account database.',
  retryAfterMs: FRESH_MS,
})

export type UsageGround = {
  /** This loop's way to the database; null before it is joined. */
  readonly store: () => Pick<AccountsStore, 'reportKeyUsage'> | null
  readonly budgetsOf: (keyId: string) => Promise<readonly BudgetUsage[]>
  /** The keys of the configuration file. */
  readonly fileKeys: () => readonly KeyConfig[]
  readonly nowMs: () => number
}

type Entry = { readonly askedMs: number; readonly usage: Promise<KeyUsage> }

export class KeyUsageReports {
  readonly #ground: UsageGround
  /** By owner, in the order in which they were asked for. */
  readonly #recent = new Map<string, Entry>()
  #waiting = 0

  constructor(ground: UsageGround) {
    this.#ground = ground
  }

  /** @throws overloaded; what the database throws */
  async of({ name, owner, account }: KeyIdentity): Promise<JsonObject> {
    if (name === null || owner === null) throw new GatewayError('not_found')
    const { today, month } = await this.#usageOf(account === undefined ? `file:${name}` : owner)
    const limits = account?.limits ?? this.#ground.fileKeys().find((key) => key.keySha256 === owner)?.limits
    const budgets = account === undefined ? [] : await this.#ground.budgetsOf(account.id)
    return {
      ...{ key: name, team: account?.team?.name ?? null, today: sumOf(today), month: sumOf(month) },
      limits: limitsOf(limits ?? NO_LIMITS),
      budgets: budgets.map(budgetOf),
    }
  }

  #usageOf(owner: string): Promise<KeyUsage> {
    const nowMs = this.#ground.nowMs()
    for (const [known, { askedMs }] of this.#recent) {
      if (nowMs - askedMs < FRESH_MS) break
      this.#recent.delete(known)
    }
    const recent = this.#recent.get(owner)
    if (recent !== undefined) return recent.usage
    const store = this.#ground.store()
    if (store === null || this.#waiting >= MAX_WAITING) return Promise.reject(BUSY)
    this.#waiting += 1
    const usage = store.reportKeyUsage(owner)
    this.#recent.set(owner, { askedMs: nowMs, usage })
    const done = (): void => {
      this.#waiting -= 1
    }
    usage.then(done, () => {
      done()
      if (this.#recent.get(owner)?.usage === usage) this.#recent.delete(owner)
    })
    return usage
  }
}

const NO_LIMITS: KeyLimits = Object.freeze({ requestsPerMinute: null, tokensPerMinute: null, concurrency: null })

function limitsOf({ requestsPerMinute, tokensPerMinute, concurrency, ...rest }: KeyConfig['limits']): JsonObject {
  const { requestWindowSeconds } = rest
  const window = requestWindowSeconds === undefined ? {} : { requestWindowSeconds }
  return { requestsPerMinute, ...window, tokensPerMinute, concurrency }
}

function sumOf({ costNano, unpriced, ...counts }: SpendSum): JsonObject {
  return { ...counts, usd: costNano / NANO_PER_DOLLAR, unpriced }
}

function budgetOf({ name, per, unit, limit, spent, reserved, resetsAtMs }: BudgetUsage): JsonObject {
  const inUnit = (amount: number): number => (unit === 'usd' ? amount / NANO_PER_DOLLAR : amount)
  return {
    ...{ name, per, timezone: 'UTC', [unit]: inUnit(limit), spent: inUnit(spent), reserved: inUnit(reserved) },
    left: inUnit(Math.max(0, limit - spent - reserved)),
    resetsAt: resetsAtMs === null ? null : new Date(resetsAtMs).toISOString(),
  }
}
