// One of several nodes that spend from the same budgets: the thread of its accounts, and an event loop with its journal. Without the
// gateway around them, so that a test says to the nano-dollar what is reserved and spent.

import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { LoopBudgets } from '../../src/accounts/budgets/desk.js'
import { Ledger } from '../../src/accounts/budgets/ledger.js'
import { type ClaimsNews } from '../../src/accounts/budgets/shared/node-claims.js'
import { nameOfNode } from '../../src/accounts/budgets/shared/node-names.js'
import { type BudgetSet, type Reservation } from '../../src/accounts/budgets/types.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { matchesGlob } from '../../src/routing/glob.js'
import { type AccountsNode, openNode } from './accounts-rig.js'

export type SpendingNodeOptions = {
  readonly postgres: string
  readonly redis: string
  readonly onDown?: 'closed' | 'local'
  /** Of a node that was killed; absent: a new one. */
  readonly journal?: string
  readonly clockOffset?: SharedArrayBuffer | null
  /** Where it keeps what it knows of keys and budgets; absent: nowhere. */
  readonly snapshot?: string
}

const STALE_MS = 3_600_000

export class SpendingNode {
  readonly id: string
  readonly accounts: AccountsNode
  readonly journal: string
  readonly ledger: Ledger
  readonly news: ClaimsNews[] = []
  readonly #desk: LoopBudgets

  private constructor(
    accounts: AccountsNode,
    id: string,
    parts: { desk: LoopBudgets; ledger: Ledger; journal: string },
  ) {
    this.accounts = accounts
    this.id = id
    this.#desk = parts.desk
    this.ledger = parts.ledger
    this.journal = parts.journal
    accounts.store.onClaims((news) => void this.news.push(news))
  }

  static async open(t: Test, options: SpendingNodeOptions): Promise<SpendingNode> {
    const { postgres, redis, onDown = 'closed', clockOffset = null, snapshot } = options
    const folder = options.journal ?? mkdtempSync(join(tmpdir(), 'sluice-node-'))
    if (options.journal === undefined) t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const id = randomUUID()
    const directory = createDirectoryMemory(10, id)
    const accounts = await openNode(t, {
      ...{ database: { store: 'postgres', url: postgres }, directory, fileKeys: [], clockOffset, journal: folder },
      redis: { url: redis, onDown },
      ...(snapshot === undefined ? {} : { snapshot: { path: snapshot, maxStaleMs: STALE_MS } }),
    })
    const { store } = accounts
    const ledger = new Ledger({
      ...{ folder, createId: () => nameOfNode(id, randomUUID()) },
      store: (batches, gone) => store.addSpend(batches, gone),
    })
    const shift = new Float64Array(clockOffset ?? new SharedArrayBuffer(8))
    const desk = new LoopBudgets({
      ...{
        memory: directory.budgets,
        ledger,
        matchesGlob,
        nowMs: () => Date.now() + (shift[0] ?? 0),
        account: () => null,
      },
      counters: { budgetRefused: () => undefined, budgetDebt: () => undefined },
      claims: (wants) => store.claim(wants),
    })
    return new SpendingNode(accounts, id, { desk, ledger, journal: folder })
  }

  /** `null`: refused, `'unavailable'`: nobody can tell. */
  async reserve(need: number, want = need, user: string | null = null): Promise<Reservation | 'unavailable' | null> {
    const reserved = await this.set(user).reserve({ nano: need, tokens: 0 }, { nano: want, tokens: 0 })
    if (!reserved.refused) return reserved
    return reserved.isUnavailable ? 'unavailable' : null
  }

  /** The budgets of a request. */
  set(user: string | null = null): BudgetSet {
    const set = this.#desk.budgetsOf({ owner: null, accountIndex: -1, model: 'fast', user })
    if (set === null) throw new Error('no budget holds')
    return set
  }

  /** Reserves and spends. @throws where it is refused */
  async spend(amount: number, user: string | null = null): Promise<void> {
    const held = await this.reserve(amount, amount, user)
    if (held === null || held === 'unavailable') throw new Error(`refused: ${held}`)
    held.settle({ nano: amount, tokens: 0 })
  }

  /** No budget holds: it was deleted, or is not known yet. */
  get isFree(): boolean {
    return this.#desk.budgetsOf({ owner: null, accountIndex: -1, model: 'fast', user: null }) === null
  }

  async usage(name = 'all', user: string | null = null) {
    const budget = await this.accounts.store.getBudget(name, user)
    return budget === null ? null : { spent: budget.spent, reserved: budget.reserved }
  }

  /** What it has written down. */
  files(): string[] {
    return readdirSync(this.journal).filter((name) => /\.(?:journal|node)$/.test(name))
  }

  /** Nearly as by a kill: what is in the journal is not stored, and Redis is not told how it ends. */
  abandon(): Promise<void> {
    return this.accounts.close()
  }

  async close(): Promise<void> {
    await this.ledger.close()
    await this.accounts.close()
  }
}
