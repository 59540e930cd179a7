// Which budgets there are, written for all event loops by the thread that owns the database. A slot is given to another budget only when
// nothing that was reserved in it is still held.
import { GatewayError } from '../../errors.js'
import { BudgetCells, type CellUsage } from './cells.js'
import { BUDGET_SLOT, type BudgetFacts, type BudgetMemory, encodeFacts, HEADER, RECORD_BYTES, RING } from './memory.js'
import { partsOfBudgetId, UserSlots, type UsersBudget } from './user-slots.js'
import { windowAt } from './windows.js'

/** A budget of the database; `spent`: in the window of the clock, as far as the database knows. */
export type StoredBudget = Omit<BudgetFacts, 'epoch'> & {
  readonly limit: number
  /** Of its last change. */
  readonly version: number
  readonly spent: number
  /** Of that, what operators have added and refunded in the window that began at `startMs`. */
  readonly plus: number
  readonly minus: number
  readonly startMs: number
  /** Of a budget that tells end users apart: by the digest of each. */
  readonly users?: readonly StoredUser[]
}

/** `plus`, `minus`: as of a budget; 0 where they are absent. */
export type StoredUser = {
  readonly digest: string
  readonly spent: number
  readonly plus?: number
  readonly minus?: number
}

/** Of a budget that is not from the database: whatever that says is later. */
export const UNKNOWN_TERMS = Object.freeze({ version: 0, plus: 0, minus: 0, startMs: 0 })

/** How much an operator has added; below 0 for a refund. */
export type Adjusted = { readonly id: string; readonly amount: number }

/** What is used of a budget; `users`: so many have their own part of it in this window, and the rest is the sum of all. */
export type BudgetUse = CellUsage & { readonly users?: number }

export type Listed = { readonly slot: number; readonly facts: BudgetFacts }

const MAX_VERSION = 2 ** 31 - 1

export class BudgetWriter {
  readonly #memory: BudgetMemory
  readonly #header: Int32Array
  readonly #changed: Int32Array
  readonly #slots: Int32Array
  readonly #records: Uint8Array
  readonly #cells: BudgetCells
  readonly #users: UserSlots
  readonly #nowMs: () => number
  readonly #listed = new Map<string, Listed>()
  /** In the order in which they became free. */
  readonly #free: number[] = []
  #epoch = 0

  /** `nowMs`: Unix time. */
  constructor(memory: BudgetMemory, nowMs: () => number) {
    this.#memory = memory
    this.#header = new Int32Array(memory.header)
    this.#changed = new Int32Array(memory.changed)
    this.#slots = new Int32Array(memory.slots)
    this.#records = new Uint8Array(memory.records)
    this.#cells = new BudgetCells(memory)
    this.#users = new UserSlots(memory, this.#cells, nowMs)
    this.#nowMs = nowMs
  }

  /** All of them, with what is spent in their present windows. */
  *all(): Iterable<StoredBudget> {
    for (const { slot, facts } of this.#listed.values()) {
      const { limit, spent } = this.#cells.usage(slot, windowAt(facts.per, this.#nowMs()))
      const { epoch, ...rest } = facts
      yield { ...rest, limit, spent, ...UNKNOWN_TERMS }
    }
  }

  /** Ids of budgets of these keys and teams. */
  idsOf(subjects: ReadonlySet<string>): string[] {
    return [...this.#listed.values()].flatMap(({ facts: { id, kind, subject } }) =>
      (kind === 'key' || kind === 'team' || kind === 'user') && subjects.has(subject) ? [id] : [],
    )
  }

  get ids(): string[] {
    return [...this.#listed.keys()]
  }

  get count(): number {
    return this.#listed.size
  }

  /** The gateway cannot hold any: requests that fall under one are refused. Before any is put. */
  holdNone(): void {
    Atomics.store(this.#header, HEADER.unheld, 1)
  }

  has(id: string): boolean {
    return this.#listed.has(id)
  }

  /** To be asked before a change is committed. @throws storage_full where `count` new budgets do not fit now */
  check(count: number): void {
    const unused = this.#memory.maxBudgets - Atomics.load(this.#header, HEADER.used)
    if (count <= unused) return
    const idle = this.#free.filter((slot) => this.#cells.isIdle(slot)).length
    if (count <= unused + idle) return
    const busy =
      count > unused + this.#free.length ? '' : ' Requests under deleted ones are running; try again shortly.'
    throw new GatewayError('storage_full', {
      message: `There are ${this.#listed.size} budgets, and no more fit: accounts.maxKeys decides how many do.${busy}`,
      retryable: busy !== '',
    })
  }

  /** New, or with another limit: all else of a budget stays as it was created. @throws storage_full */
  put(budget: StoredBudget): void {
    const known = this.#listed.get(budget.id)
    if (known === undefined) this.#open(budget)
    else this.#cells.setLimit(known.slot, budget.limit)
  }

  /** Where it is; null for a budget that is not there. */
  placeOf(id: string): Listed | null {
    return this.#listed.get(id) ?? null
  }

  #open({ limit, spent, users = [], ...stored }: StoredBudget): void {
    const { id, name, kind, subject, per, unit } = stored
    this.check(1)
    const slot = this.#take()
    this.#epoch += 1
    const facts = { id, name, kind, subject, per, unit, epoch: this.#epoch }
    const listed = { slot, facts }
    this.#listed.set(facts.id, listed)
    const window = windowAt(facts.per, this.#nowMs())
    this.#cells.open(slot, { epoch: this.#epoch, limit, window, spent })
    const own = { slot, epoch: this.#epoch, per: facts.per }
    // What has no room counts with what all further users share. Where nodes share budgets, Redis knows what each of them has spent.
    for (const user of this.#memory.shared === null ? users : []) {
      if (!this.#users.seed(own, user.digest, user.spent)) this.#cells.charge(slot, window, user.spent)
    }
    const bytes = encodeFacts(listed.facts)
    this.#records.set(bytes, slot * RECORD_BYTES)
    Atomics.store(this.#slots, slot * BUDGET_SLOT.words + BUDGET_SLOT.bytes, bytes.length)
    this.#publish(slot, (this.#epoch % MAX_VERSION) + 1)
  }

  /** No effect if it is not there. */
  remove(id: string): void {
    const listed = this.#listed.get(id)
    if (listed === undefined) return
    this.#listed.delete(id)
    this.#cells.close(listed.slot)
    this.#free.push(listed.slot)
    this.#publish(listed.slot, 0)
  }

  /** Adds to what is spent in the present window. `id`: of a budget, or of the part of it that is a user's. */
  adjust({ id, amount }: Adjusted): void {
    const { budgetId, digest } = partsOfBudgetId(id)
    const listed = this.#listed.get(budgetId)
    if (listed === undefined) return
    const place = digest === null ? null : this.#users.of(ownOf(listed), digest)
    this.#cells.charge((place ?? listed).slot, this.#windowOf(listed), amount)
  }

  /** Where the spend of a part of a budget is counted: with the budget itself where it has too many users to tell this one apart. */
  chargedId(id: string): string {
    const { budgetId, digest } = partsOfBudgetId(id)
    const listed = this.#listed.get(budgetId)
    if (listed === undefined || digest === null || this.#memory.shared !== null) return id
    return this.#users.of(ownOf(listed), digest) === null ? budgetId : id
  }

  /** Null for a budget that is not there. `id`: of a budget, or of the part of it that is a user's. */
  usage(id: string): BudgetUse | null {
    const { budgetId, digest } = partsOfBudgetId(id)
    const listed = this.#listed.get(budgetId)
    if (listed === undefined) return null
    const window = this.#windowOf(listed)
    const use = this.#cells.usage(listed.slot, window)
    if (listed.facts.kind !== 'user') return use
    if (digest === null) return this.#sumOfUsers(listed, use)
    const place = this.#users.peek(ownOf(listed), digest)
    if (place !== null) return this.#cells.usage(place.slot, window)
    // A further user has spent and has left what all of these share.
    return this.#users.isFull(ownOf(listed)) ? use : { ...use, spent: 0, reserved: 0 }
  }

  #sumOfUsers(listed: Listed, shared: CellUsage): BudgetUse {
    const { limit, window } = shared
    let { spent, reserved } = shared
    for (const slot of this.#users.placesOf(ownOf(listed))) {
      const use = this.#cells.usage(slot, window)
      spent += use.spent
      reserved += use.reserved
    }
    return { limit, window, spent, reserved, users: this.#cells.usersIn(listed.slot, window) }
  }

  #windowOf({ facts }: Listed): number {
    return windowAt(facts.per, this.#nowMs())
  }

  /** The slot first, then its place in the ring, then the number of changes: whoever sees the number finds the rest. */
  #publish(slot: number, version: number): void {
    Atomics.store(this.#slots, slot * BUDGET_SLOT.words + BUDGET_SLOT.version, version)
    const changes = Atomics.load(this.#header, HEADER.changes)
    Atomics.store(this.#changed, changes & (RING - 1), slot)
    Atomics.store(this.#header, HEADER.changes, (changes + 1) | 0)
    Atomics.store(this.#header, HEADER.count, this.#listed.size)
  }

  #take(): number {
    const used = Atomics.load(this.#header, HEADER.used)
    if (used < this.#memory.maxBudgets) {
      Atomics.store(this.#header, HEADER.used, used + 1)
      return used
    }
    for (;;) {
      // `check` has found one. A loop that looks for the former budget of a slot holds it for a moment.
      const idle = this.#free.findIndex((slot) => this.#cells.isIdle(slot))
      const [slot] = idle < 0 ? [] : this.#free.splice(idle, 1)
      if (slot !== undefined) return slot
    }
  }
}

function ownOf({ slot, facts: { epoch, per } }: Listed): UsersBudget {
  return { slot, epoch, per }
}
