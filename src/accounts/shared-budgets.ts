// The budgets of the thread where other nodes spend from them as well: what this node claims, joined to the database. Loaded only there.
import { type MessagePort } from 'node:worker_threads'
import { GatewayError } from '../errors.js'
import { type ClaimsNews, NodeClaims } from './budgets/shared/node-claims.js'
import { type Granted } from './budgets/shared/shared-set.js'
import { namesInRedis, type WindowPlace } from './budgets/shared/spend-scripts.js'
import { digestOfUser, userBudgetId } from './budgets/user-slots.js'
import { windowAt, windowStartMs } from './budgets/windows.js'
import { type BudgetWriter, type StoredBudget } from './budgets/writer.js'
import { unmarkNodes } from './database/budgets/replay.js'
import { isOfUsers } from './database/budgets/scope.js'
import { forgetNode, readEnded, readNodes, readSeeds, readSpentBy, readUserSums } from './database/budgets/shares.js'
import { type Commits } from './database/commits.js'
import { type BudgetsWriter } from './database/feed.js'
import { type Database } from './database/rows.js'
import { type AccountsStart, type CallMessage, type FromStore, type ToStore } from './messages.js'
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

/** How many end users there are is counted so often at most, while windows are seeded. */
const COUNT_EVERY_MS = 10_000

type Answer<Name extends keyof AccountCalls> = Awaited<ReturnType<AccountCalls[Name]>>

export class SharedBudgets {
  readonly #options: SharedBudgetsOptions
  readonly #claims: NodeClaims
  #listener: MessagePort | null = null
  /** By which end users are named in Redis; null as long as the database was not there. */
  #secret: Uint8Array | null = null
  #counts = new Map<string, { readonly users: number; readonly atMs: number }>()
  /** The last one, for a listener that comes later. */
  #state: ClaimsNews['state'] = null

  constructor(options: SharedBudgetsOptions) {
    const { start, run, nowMs } = options
    const { redis } = start
    const nameOf = namesInRedis(() => this.#secret)
    if (redis === undefined) throw new GatewayError('internal', { message: 'There is no Redis for budgets.' })
    this.#options = options
    this.#claims = new NodeClaims({
      ...{
        url: redis.url,
        onDown: redis.onDown,
        memory: start.directory.budgets,
        nameOf,
        nowMs,
        tell: (news) => this.#tell(news),
      },
      database: {
        nodes: () => run((db) => readNodes(db, nowMs()), 'read'),
        seeds: (places) => run((db) => readSeeds(db, places, (place) => this.#usersOf(db, place)), 'read'),
        ended: () => run((db) => readEnded(db), 'read'),
        spentBy: (node, places) => run((db) => readSpentBy(db, { node, places, nameOf }), 'read'),
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

  /** Before anything of end users is claimed. */
  async learnSecret(read: (db: Database) => Promise<Uint8Array>, commits: Pick<Commits, 'run'>): Promise<void> {
    this.#secret ??= await commits.run(read)
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
  async show({ name, args }: Pick<CallMessage, 'name' | 'args'>, value: unknown): Promise<unknown> {
    if (name === 'getBudget') {
      const [, user] = args as Parameters<AccountCalls['getBudget']>
      if (value !== null && typeof user === 'string') return this.#ofUser(value as BudgetStatus, user)
      return value === null ? null : (await this.#asNow([value as BudgetStatus]))[0]
    }
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
    const shown: BudgetStatus[] = []
    for (const budget of budgets) {
      if (isOfUsers(budget)) shown.push(await this.#ofAllUsers(budget))
      else {
        const usage = this.#options.writer.usage(budget.id)
        shown.push(usage === null ? budget : { ...budget, spent: usage.spent, reserved: usage.reserved })
      }
    }
    return shown
  }

  /** As Redis has it; else what the database has, or this node if that is more. */
  async #ofUser(budget: BudgetStatus, user: string): Promise<BudgetStatus> {
    const place = this.#placeOf(budget, userBudgetId(budget.id, digestOfUser(user)))
    const [seen] = (await this.#claims.look([place])) ?? []
    if (seen !== undefined && seen.total !== null) {
      const { total, reserved, unused } = seen
      return { ...budget, spent: Math.max(0, total - reserved - unused), reserved }
    }
    const forgetMs = 0
    const [known] = await this.#options.run((db) => readSeeds(db, [{ ...place, unit: budget.unit, forgetMs }]), 'read')
    const { base = 0, plus = 0, minus = 0, stored = [] } = known ?? {}
    const spent = Math.max(0, base + plus - minus) + stored.reduce((sum, { amount }) => sum + amount, 0)
    return { ...budget, spent: Math.max(spent, budget.spent) }
  }

  /** What is spent and how many there are as the database has it, what is reserved as Redis has it. */
  async #ofAllUsers(budget: BudgetStatus): Promise<BudgetStatus> {
    const place = this.#placeOf(budget, budget.id)
    const sums = await this.#options.run((db) => readUserSums(db, place), 'read')
    const [seen] = (await this.#claims.look([place])) ?? []
    const spent = Math.max(0, budget.unit === 'usd' ? sums.nano : sums.tokens)
    return { ...budget, spent, reserved: seen?.reserved ?? budget.reserved, users: sums.users }
  }

  #placeOf({ per }: BudgetStatus, budgetId: string): WindowPlace {
    return { budgetId, windowStartMs: windowStartMs(per, windowAt(per, this.#options.nowMs())) }
  }

  async #usersOf(db: Database, place: WindowPlace): Promise<number> {
    const [key, nowMs] = [`${place.budgetId} ${place.windowStartMs}`, this.#options.nowMs()]
    const known = this.#counts.get(key)
    if (known !== undefined && Math.abs(nowMs - known.atMs) < COUNT_EVERY_MS) return known.users
    for (const [each, { atMs }] of this.#counts) if (Math.abs(nowMs - atMs) >= COUNT_EVERY_MS) this.#counts.delete(each)
    const { users } = await readUserSums(db, place)
    this.#counts.set(key, { users, atMs: nowMs })
    return users
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
