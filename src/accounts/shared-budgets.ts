// The budgets of the thread where other nodes spend from them as well: what this node claims, joined to the database. Loaded only there.
import { type MessagePort } from 'node:worker_threads'
import { GatewayError } from '../errors.js'
import { type ClaimsNews, NodeClaims } from './budgets/shared/node-claims.js'
import { type Granted } from './budgets/shared/shared-set.js'
import { type BudgetWriter, type StoredBudget } from './budgets/writer.js'
import { unmarkNodes } from './database/budgets/replay.js'
import { forgetNode, readEnded, readNodes, readSeeds, readSpentBy } from './database/budgets/shares.js'
import { type Commits } from './database/commits.js'
import { type BudgetsWriter } from './database/feed.js'
import { type AccountsStart, type FromStore, type ToStore } from './messages.js'
import { type AccountCalls } from './store.js'
import { type BudgetStatus } from './types.js'

export type SharedBudgetsOptions = {
  readonly start: AccountsStart
  readonly writer: BudgetWriter
  /** Rejects as long as the database was not there. */
  readonly run: Commits['run']
  /** False: it is not known what is spent of the budgets, so nothing of them may be claimed. */
  readonly isSpendKnown: () => boolean
  readonly nowMs: () => number
}

type Answer<Name extends keyof AccountCalls> = Awaited<ReturnType<AccountCalls[Name]>>

export class SharedBudgets {
  readonly #options: SharedBudgetsOptions
  readonly #claims: NodeClaims
  #listener: MessagePort | null = null
  /** The last one, for a listener that comes later. */
  #state: ClaimsNews['state'] = null

  constructor(options: SharedBudgetsOptions) {
    const { start, run, nowMs } = options
    const { redis } = start
    if (redis === undefined) throw new GatewayError('internal', { message: 'There is no Redis for budgets.' })
    this.#options = options
    this.#claims = new NodeClaims({
      ...{
        url: redis.url,
        onDown: redis.onDown,
        memory: start.directory.budgets,
        nowMs,
        tell: (news) => this.#tell(news),
      },
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

  get node(): string | null {
    return this.#options.start.directory.budgets.shared?.node ?? null
  }

  /** From an event loop, on its port. */
  async take(port: MessagePort, message: Extract<ToStore, { type: 'claim' | 'listen' }>): Promise<void> {
    if (message.type === 'listen') {
      this.#listener = port
      this.#tell({ state: this.#state, calls: [], debtNano: 0 })
    } else {
      // What is claimed before would be forgotten when the budgets are read, and stay claimed in Redis.
      const value: Granted = this.#options.isSpendKnown() ? await this.#claims.ask(message.wants) : 'away'
      port.postMessage({ type: 'value', n: message.n, value } satisfies FromStore)
    }
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

  #tell(news: ClaimsNews): void {
    this.#state = news.state ?? this.#state
    this.#listener?.postMessage({ type: 'news', news } satisfies FromStore)
  }

  /** What could not be told to Redis is told by the next start with the same journals. */
  async close(): Promise<void> {
    const { journal } = this.#options.start
    const isTold = await this.#claims.close()
    if (isTold && journal !== undefined && this.node !== null) unmarkNodes(journal, [this.node])
  }
}
