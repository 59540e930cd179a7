// What this node claims of all budgets: asked for in Redis when requests need more, told there twice a second, and told anew on each
// connection. Event loops reserve in what is claimed without asking anybody.
//
//   event loop --ask--> [ budgets to tell ] --one call for all that waits--> Redis --> what is claimed is larger --> event loop reserves
//                              '---- every BEAT_MS: what has changed, what is not needed any more
//
// Without Redis (budgets.onRedisDown) nothing further is granted, or this node grants itself what was left when it last heard.
import { RedisLink } from '../../../redis/link.js'
import { BudgetCells } from '../cells.js'
import { type BudgetMemory } from '../memory.js'
import { UserSlots } from '../user-slots.js'
import { type Listed, type StoredBudget } from '../writer.js'
import { ClaimBook } from './claim-book.js'
import { type ClaimedBudget } from './claimed-budget.js'
import { type Granted, type Want } from './shared-set.js'
import {
  type ClaimCall,
  type FinishCall,
  LEASE_MS,
  MAX_WINDOWS,
  type SeedCall,
  type Seen,
  SpendCalls,
} from './spend-calls.js'
import { type NameInRedis, readSpendScripts, type SpendScript, type WindowPlace } from './spend-scripts.js'

const BEAT_MS = 500
/** The same for budgets of which nothing is left: others may be waiting for what is given back. */
const SCARCE_BEAT_MS = 25
const SCARCE_BEATS = BEAT_MS / SCARCE_BEAT_MS
const SIGN_OF_LIFE_MS = LEASE_MS / 3
/** Until everybody has told again after a loss of Redis. */
const CLOSED_PAUSE_MS = 50
/** The list of nodes is worth waiting for, but not long. */
const NODES_MS = 500
const FINISH_AGAIN_MS = 5000
/** What of it stands in the database. All may reject. */
export type ClaimsDatabase = {
  /** All nodes that may be running. */
  nodes(): Promise<readonly string[]>
  seeds(places: readonly ReturnType<ClaimedBudget['placeAt']>[]): Promise<readonly SeedCall[]>
  /** Nodes that were killed, and of which it knows all. */
  ended(): Promise<readonly string[]>
  spentBy(node: string, places: readonly WindowPlace[]): Promise<readonly FinishCall[]>
  /** Redis knows all of an ended node. */
  forget(node: string): Promise<void>
}

/** For the log and the metrics of the process. */
export type ClaimsNews = {
  readonly state: { readonly isUp: boolean; readonly reason: string | null } | null
  readonly calls: readonly { readonly seconds: number; readonly isOk: boolean }[]
  /** Nano-dollars spent beyond budgets. */
  readonly debtNano: number
}

export type NodeClaimsOptions = {
  readonly url: string
  readonly onDown: 'closed' | 'local'
  readonly memory: BudgetMemory
  readonly database: ClaimsDatabase
  /** How Redis knows end users. */
  readonly nameOf: NameInRedis
  /** Unix time. */
  readonly nowMs: () => number
  readonly tell: (news: ClaimsNews) => void
}

export class NodeClaims {
  readonly #options: NodeClaimsOptions
  readonly #node: string
  readonly #link: RedisLink<SpendScript>
  readonly #calls: SpendCalls
  readonly #book: ClaimBook
  /** Those that have claimed something: to be told again on each connection. */
  readonly #claiming = new Set<ClaimedBudget>()
  /** Of these, those that change without asking. */
  readonly #lively = new Set<ClaimedBudget>()
  /** Of these, those of which all is claimed. */
  readonly #scarce = new Set<ClaimedBudget>()
  readonly #dirty = new Set<ClaimedBudget>()
  readonly #seeding = new Set<ClaimedBudget>()
  #isFlushing = false
  #ticks = 0
  #lastCallMs = Number.NEGATIVE_INFINITY
  #beat: NodeJS.Timeout | null = null
  #lapse: NodeJS.Timeout | null = null
  #finishing: NodeJS.Timeout | null = null
  #measured: { seconds: number; isOk: boolean }[] = []
  #debtNano = 0
  #nodes: readonly string[] = []

  constructor(options: NodeClaimsOptions) {
    const { url, memory } = options
    this.#options = options
    this.#node = memory.shared?.node ?? ''
    const cells = new BudgetCells(memory)
    this.#book = new ClaimBook({
      ...{ cells, slots: new UserSlots(memory, cells, options.nowMs), nowMs: options.nowMs },
      isBusy: (budget) => this.#dirty.has(budget) || this.#seeding.has(budget),
      onDrop: (budget) => {
        for (const set of [this.#claiming, this.#lively, this.#scarce, this.#dirty]) set.delete(budget)
      },
    })
    this.#link = new RedisLink({
      ...{ url, scripts: readSpendScripts(), register: () => this.#register() },
      onState: (isUp, cause) => this.#turn(isUp, cause),
      onCall: (seconds, isOk) => void this.#measured.push({ seconds, isOk }),
    })
    this.#calls = new SpendCalls(this.#node, (name, keys, args) => this.#link.run(name, keys, args), {
      nameOf: options.nameOf,
    })
  }

  /** Resolves when Redis is there, or is not to be waited for. */
  async start(): Promise<void> {
    await this.#link.start()
    this.#beat = setInterval(() => this.#tick(), SCARCE_BEAT_MS)
  }

  /** A budget that is new, or was changed: told at once where something of it is claimed. */
  put(place: Listed, stored: StoredBudget): void {
    for (const budget of this.#book.put(place, stored)) {
      // What was adjusted of an end user is to be told, whether it has spent anything or not.
      if (stored.kind === 'user' || this.#claiming.has(budget)) this.#tellSoon(budget)
    }
  }

  remove(id: string): void {
    this.#book.remove(id)
  }

  /** Resolves when what is wanted can be reserved, or cannot be had. */
  async ask(wants: readonly Want[]): Promise<Granted> {
    const answers = wants.map((want) => {
      const budget = this.#book.find(want)
      return budget === undefined ? 'granted' : budget === null ? 'crowded' : this.#ask(budget, want.amount)
    })
    const all = await Promise.all(answers)
    return WORST_FIRST.find((granted) => all.includes(granted)) ?? 'granted'
  }

  /** What is shown of these is as new as can be. */
  async refresh(ids: readonly string[]): Promise<void> {
    if (!this.#link.isUp) return
    await Promise.all(ids.flatMap((id) => this.#book.get(id) ?? []).map((budget) => this.#ask(budget, 0)))
  }

  /** What all nodes use of windows, for people to see; null where Redis cannot say. What this node claims in them is told before. */
  async look(places: readonly WindowPlace[]): Promise<readonly Seen[] | null> {
    if (!this.#link.isUp) return null
    await this.refresh(places.map(({ budgetId }) => budgetId))
    const seen: Seen[] = []
    try {
      for (const some of batchesOf(places)) seen.push(...(await this.#calls.look(some)))
    } catch {
      return null
    }
    return seen
  }

  /** Tells what was spent in the end. False: not all of it could be told, or something is still reserved. */
  async close(): Promise<boolean> {
    for (const timer of [this.#beat, this.#lapse, this.#finishing]) if (timer !== null) clearTimeout(timer)
    const isTold = this.#link.isUp && (await this.#tellAll().catch(() => false))
    this.#link.close()
    this.#report(null)
    return isTold
  }

  async #tellAll(): Promise<boolean> {
    const nowMs = this.#options.nowMs()
    const calls: ClaimCall[] = []
    for (const budget of this.#claiming) {
      if (budget.isPast(nowMs)) continue
      budget.refuse()
      budget.giveBack(nowMs)
      calls.push(budget.call(nowMs))
    }
    for (const some of batchesOf(calls)) if ((await this.#calls.claim(some, false)) === null) return false
    if (calls.some(({ reserved }) => reserved > 0)) return false
    await this.#calls.leave(this.#node)
    return true
  }

  #ask(budget: ClaimedBudget, amount: number): Promise<Granted> {
    return new Promise((settle) => {
      budget.ask(amount, settle)
      if (this.#link.isUp) this.#tellSoon(budget)
      else this.#answerAlone(budget)
    })
  }

  #answerAlone(budget: ClaimedBudget): void {
    if (!budget.isWaiting) return
    if (this.#options.onDown === 'closed') budget.refuse()
    else {
      budget.grantAlone(this.#options.nowMs())
      this.#claiming.add(budget)
    }
  }

  /** With all that is asked in this turn. */
  #tellSoon(budget: ClaimedBudget): void {
    if (this.#dirty.size === 0) setImmediate(() => void this.#flush())
    this.#dirty.add(budget)
  }

  /** One call after the other: what is asked meanwhile goes into the next. */
  async #flush(): Promise<void> {
    if (this.#isFlushing) return
    this.#isFlushing = true
    try {
      while (this.#link.isUp && this.#dirty.size > 0) {
        const batch = [...this.#dirty].slice(0, MAX_WINDOWS)
        for (const budget of batch) this.#dirty.delete(budget)
        await this.#tell(batch, false)
      }
    } catch {
      // The link is down, and all that waits was answered.
    }
    this.#isFlushing = false
  }

  async #tell(batch: readonly ClaimedBudget[], isLast: boolean): Promise<void> {
    const nowMs = this.#options.nowMs()
    const calls = batch.map((budget) => budget.call(nowMs))
    this.#lastCallMs = performance.now()
    const answers = await this.#calls.claim(calls, isLast)
    const [unknown, closed]: [ClaimedBudget[], ClaimedBudget[]] = [[], []]
    for (const [i, budget] of batch.entries()) {
      const [call, answer] = [calls[i], answers?.[i]]
      if (call === undefined || answer === undefined || !this.#book.has(budget)) continue
      budget.hear(call, answer)
      if (budget.unit === 'usd') this.#debtNano += answer.debt
      this.#claiming.add(budget)
      if (!budget.isStill) this.#lively.add(budget)
      if (!budget.isStill && budget.isScarce) this.#scarce.add(budget)
      if (answer.state === 'unknown' && !this.#seeding.has(budget)) unknown.push(budget)
      if (answer.state === 'closed' && budget.isWaiting) closed.push(budget)
    }
    if (unknown.length > 0) void this.#seed(unknown)
    if (closed.length > 0) setTimeout(() => closed.map((budget) => this.#tellSoon(budget)), CLOSED_PAUSE_MS)
  }

  /** From the database, for which nobody else waits. */
  async #seed(budgets: readonly ClaimedBudget[]): Promise<void> {
    const nowMs = this.#options.nowMs()
    for (const budget of budgets) this.#seeding.add(budget)
    const seeded = await this.#options.database
      .seeds(budgets.map((budget) => budget.placeAt(nowMs)))
      .then((seeds) => this.#calls.seed(seeds))
      .catch(() => null)
    for (const [i, budget] of budgets.entries()) {
      this.#seeding.delete(budget)
      if (seeded === null) this.#answerAlone(budget)
      else if (seeded[i] === false) budget.crowd()
      else if (this.#book.has(budget)) this.#tellSoon(budget)
    }
  }

  /** On each connection: what this node claims, before it claims more. */
  async #register(): Promise<void> {
    const { onDown, nowMs, database } = this.#options
    const patience = new Promise<readonly string[]>((resolve) => {
      setTimeout(() => resolve(this.#nodes), NODES_MS).unref()
    })
    this.#nodes = await Promise.race([database.nodes().catch(() => this.#nodes), patience])
    await this.#calls.register(this.#nodes)
    for (const budget of this.#claiming) {
      // What it has granted itself was nobody's to grant.
      if (onDown === 'local') budget.giveBack(nowMs())
      if (budget.isPast(nowMs()) || budget.enter(nowMs()).claimed === 0) this.#claiming.delete(budget)
    }
    const batches = batchesOf([...this.#claiming])
    for (const [i, batch] of batches.entries()) await this.#tell(batch, i === batches.length - 1)
    if (batches.length === 0) await this.#tell([], true)
  }

  #turn(isUp: boolean, cause: unknown): void {
    this.#report({ isUp, reason: cause instanceof Error ? cause.message : null })
    if (this.#lapse !== null) clearTimeout(this.#lapse)
    this.#lapse = null
    if (isUp) {
      void this.#flush()
      void this.#finishEnded()
      return
    }
    for (const budget of this.#book.all()) this.#answerAlone(budget)
    // By then the others do not wait for this node any more, should Redis have lost what it claims.
    if (this.#options.onDown === 'closed') this.#lapse = setTimeout(() => this.#giveBackAll(), LEASE_MS)
  }

  #giveBackAll(): void {
    for (const budget of this.#claiming) budget.giveBack(this.#options.nowMs())
  }

  #tick(): void {
    this.#ticks += 1
    const isBeat = this.#ticks % SCARCE_BEATS === 0
    if (this.#link.isUp) {
      for (const budget of isBeat ? this.#lively : this.#scarce) this.#beatOf(budget)
      const isQuiet = this.#dirty.size === 0 && performance.now() - this.#lastCallMs > SIGN_OF_LIFE_MS
      if (isQuiet && !this.#isFlushing) this.#tell([], false).catch(() => undefined)
    }
    if (isBeat) this.#book.sweepSome()
    if (isBeat && (this.#measured.length > 0 || this.#debtNano > 0)) this.#report(null)
  }

  #beatOf(budget: ClaimedBudget): void {
    if (budget.beat(this.#options.nowMs())) this.#tellSoon(budget)
    else if (budget.isStill) this.#lively.delete(budget)
    if (!budget.isScarce || !this.#lively.has(budget)) this.#scarce.delete(budget)
  }

  /** Replaces what nodes that were killed have claimed by what they have spent. */
  async #finishEnded(): Promise<void> {
    const { database } = this.#options
    try {
      for (const node of await database.ended()) {
        const finals = await database.spentBy(node, await this.#calls.windowsOf(node))
        for (const some of batchesOf(finals)) await this.#calls.finish(node, some)
        await this.#calls.leave(node)
        await database.forget(node)
      }
    } catch {
      if (this.#finishing !== null) clearTimeout(this.#finishing)
      this.#finishing = setTimeout(() => void (this.#link.isUp && this.#finishEnded()), FINISH_AGAIN_MS)
    }
  }

  #report(state: ClaimsNews['state']): void {
    const [calls, debtNano] = [this.#measured, this.#debtNano]
    this.#measured = []
    this.#debtNano = 0
    this.#options.tell({ state, calls, debtNano })
  }
}

/** Of the answers to a request that wants something of several budgets, the one that holds. */
const WORST_FIRST: readonly Granted[] = ['away', 'crowded', 'less']

function batchesOf<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / MAX_WINDOWS) }, (_, i) =>
    all.slice(i * MAX_WINDOWS, (i + 1) * MAX_WINDOWS),
  )
}
