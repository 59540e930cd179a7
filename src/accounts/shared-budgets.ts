// The budgets of the thread where other nodes spend from them as well: what this node claims, joined to the database. Loaded only there.
import { type ClaimsNews, NodeClaims } from './budgets/shared/node-claims.js'
import { type Granted, type Want } from './budgets/shared/shared-set.js'
import { type BudgetWriter, type StoredBudget } from './budgets/writer.js'
import { forgetNode, readEnded, readNodes, readSeeds, readSpentBy } from './database/budgets/shares.js'
import { type Commits } from './database/commits.js'
import { type BudgetsWriter } from './database/feed.js'
import { type AccountsStart } from './messages.js'
import { type AccountCalls } from './store.js'
import { type BudgetStatus } from './types.js'

export type SharedBudgetsOptions = {
  readonly start: AccountsStart
  readonly redis: NonNullable<AccountsStart['redis']>
  readonly writer: BudgetWriter
  /** Rejects as long as the database was not there. */
  readonly run: Commits['run']
  readonly nowMs: () => number
  readonly tell: (news: ClaimsNews) => void
}

type Answer<Name extends keyof AccountCalls> = Awaited<ReturnType<AccountCalls[Name]>>

export class SharedBudgets {
  readonly #options: SharedBudgetsOptions
  readonly #claims: NodeClaims

  constructor(options: SharedBudgetsOptions) {
    const { start, redis, run, nowMs, tell } = options
    this.#options = options
    this.#claims = new NodeClaims({
      ...{ url: redis.url, onDown: redis.onDown, memory: start.directory.budgets, nowMs, tell },
      database: {
        nodes: () => run((db) => readNodes(db, nowMs()), 'read'),
        seeds: (places) => run((db) => readSeeds(db, places), 'read'),
        ended: () => run((db) => readEnded(db), 'read'),
        spentBy: (node, places) => run((db) => readSpentBy(db, node, places), 'read'),
        forget: (node) => run((db) => forgetNode(db, node)),
      },
    })
  }

  /** What the feed writes to: the budgets of event loops, and the claims of each. */
  get writer(): BudgetsWriter {
    const { writer } = this.#options
    const claims = this.#claims
    return {
      get ids() {
        return writer.ids
      },
      has: (id) => writer.has(id),
      idsOf: (subjects) => writer.idsOf(subjects),
      check: (count) => writer.check(count),
      put(stored: StoredBudget) {
        writer.put(stored)
        const place = writer.placeOf(stored.id)
        if (place !== null) claims.put(place, stored)
      },
      remove(id) {
        writer.remove(id)
        claims.remove(id)
      },
    }
  }

  /** Once the budgets are read. */
  start(): Promise<void> {
    return this.#claims.start()
  }

  ask(wants: readonly Want[]): Promise<Granted> {
    return this.#claims.ask(wants)
  }

  /** The answer to a call of the store, with what all nodes use now of the budgets in it. */
  async show(name: keyof AccountCalls, value: unknown): Promise<unknown> {
    if (name === 'getBudget') return value === null ? null : (await this.#asNow([value as BudgetStatus]))[0]
    if (name === 'updateBudget') return (await this.#asNow([value as BudgetStatus]))[0]
    if (name === 'createBudget') {
      const created = value as Answer<'createBudget'>
      return { ...created, budget: (await this.#asNow([created.budget]))[0] }
    }
    if (name !== 'listBudgets') return value
    const page = value as Answer<'listBudgets'>
    return { ...page, budgets: await this.#asNow(page.budgets) }
  }

  async #asNow(budgets: readonly BudgetStatus[]): Promise<BudgetStatus[]> {
    await this.#claims.refresh(budgets.map(({ id }) => id))
    return budgets.map((budget) => {
      const usage = this.#options.writer.usage(budget.id)
      return usage === null ? budget : { ...budget, spent: usage.spent, reserved: usage.reserved }
    })
  }

  /** False: not all could be told to Redis; the next start with the same journals does it. */
  close(): Promise<boolean> {
    return this.#claims.close()
  }
}
