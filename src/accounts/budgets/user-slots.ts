// The cells of budgets that hold for each end user apart: a user gets some with the first request that falls under such a budget, on whichever
// event loop. They lie behind those of the budgets, and are reserved in like those; only which of them are whose is decided here.
//
//   heads     Int32   of each chain: 0, or 1 + its first entry
//   entries   Int32   next of the chain | slot and epoch of the budget | period | 4 words of the user's digest
//
// Everything here happens under one lock of a few hundred instructions. It spins: event loops cannot sleep, and no thread ever ends alone.
// An entry whose window is over is given to another user when there are no new ones, unless something of it is still held.
import { hash } from 'node:crypto'
import { BUDGET_PERIODS, type BudgetPeriod } from '../types.js'
import { type Known } from './budget-index.js'
import { type BudgetCells } from './cells.js'
import { type BudgetMemory, USER_ENTRY, USER_STATE } from './memory.js'
import { windowAt } from './windows.js'

/** Users of one budget in one of its windows; further ones share what one user may spend. */
export const MAX_BUDGET_USERS = 10_000
/** Entries that are looked at for one that can be used again: some microseconds. */
const SWEEP = 4096
const DIGEST_CHARS = 22
const DIGEST_WORDS = 4
const NO_BUDGET = -1
/** Its sign is that of no limit: the cells of a user have the limit of their budget. */
const limitOf = (slot: number): number => -1 - slot

/** A budget whose users are meant, in its own slot. */
export type UsersBudget = { readonly slot: number; readonly epoch: number; readonly per: BudgetPeriod }
export type UserPlace = { readonly slot: number; readonly epoch: number }

/** By what budgets know an end user: 128 bits of SHA-256, in base64url. */
export function digestOfUser(user: string): string {
  return hash('sha256', user, 'base64url').slice(0, DIGEST_CHARS)
}

/** By what charges name the part of a budget that is one user's. */
export function userBudgetId(budgetId: string, digest: string): string {
  return `${budgetId}/${digest}`
}

/** @see userBudgetId; `digest`: null for a budget itself. */
export function partsOfBudgetId(id: string): { readonly budgetId: string; readonly digest: string | null } {
  const at = id.indexOf('/')
  return at < 0 ? { budgetId: id, digest: null } : { budgetId: id.slice(0, at), digest: id.slice(at + 1) }
}

export class UserSlots {
  readonly #cells: BudgetCells
  readonly #state: Int32Array
  readonly #heads: Int32Array
  readonly #entries: Int32Array
  /** The slot of the first entry. */
  readonly #first: number
  readonly #size: number
  readonly #maxUsers: number
  readonly #nowMs: () => number

  /** `maxUsers`: of a budget in a window. */
  constructor(memory: BudgetMemory, cells: BudgetCells, nowMs: () => number, maxUsers = MAX_BUDGET_USERS) {
    this.#cells = cells
    this.#nowMs = nowMs
    this.#state = new Int32Array(memory.users.state)
    this.#heads = new Int32Array(memory.users.heads)
    this.#entries = new Int32Array(memory.users.entries)
    this.#first = memory.maxBudgets
    this.#size = this.#entries.length / USER_ENTRY.words
    this.#maxUsers = maxUsers
  }

  /**
   * The budget with what keeps its cells until they are released; null where it was deleted since it was found. Those of a user are looked
   * for with each reservation: what nobody holds in one window may be another user's in the next.
   */
  hold(known: Known): Known | null {
    const cells = this.#cells
    const { user } = known
    if (user === undefined) return cells.hold(known.slot, known.epoch) ? known : null
    while (cells.epochOf(known.slot) === (known.epoch | 0)) {
      const place = this.of(known, user)
      const own = place === null ? known : { ...known, ...place, id: userBudgetId(known.id, user) }
      if (cells.hold(own.slot, own.epoch)) return own
    }
    return null
  }

  /** The cells of a user. Null: there are too many users, and this one shares the budget's own with all further ones. */
  of(budget: UsersBudget, digest: string): UserPlace | null {
    const words = wordsOf(digest)
    this.#lock()
    try {
      const found = this.#find(budget, words)
      return found === undefined ? this.#add(budget, words, 0) : found
    } finally {
      this.#unlock()
    }
  }

  /** A user of whom so much is spent in the present window, as the database knows. False: too many. Only the budgets' writer may call it. */
  seed(budget: UsersBudget, digest: string, spent: number): boolean {
    this.#lock()
    try {
      return this.#add(budget, wordsOf(digest), spent) !== null
    } finally {
      this.#unlock()
    }
  }

  /** The cells of a user that has some in the present window. */
  peek({ slot, epoch, per }: UsersBudget, digest: string): UserPlace | null {
    const words = wordsOf(digest)
    this.#lock()
    const entry = this.#entryOf({ slot, epoch }, words)
    this.#unlock()
    if (entry === null || this.#cells.windowOf(this.#first + entry) < windowAt(per, this.#nowMs())) return null
    return this.#placeOf(entry)
  }

  /** All users of a budget in its present window, for people to see. */
  *placesOf({ slot, epoch, per }: UsersBudget): Generator<number> {
    const window = windowAt(per, this.#nowMs())
    const used = Math.min(Atomics.load(this.#state, USER_STATE.used), this.#size)
    for (let entry = 0; entry < used; entry++) {
      const at = entry * USER_ENTRY.words
      if (this.#entries[at + USER_ENTRY.slot] !== slot || this.#entries[at + USER_ENTRY.epoch] !== (epoch | 0)) continue
      if (this.#cells.windowOf(this.#first + entry) >= window) yield this.#first + entry
    }
  }

  #find(budget: UsersBudget, words: Int32Array): UserPlace | null | undefined {
    const entry = this.#entryOf(budget, words)
    if (entry === null) return undefined
    const slot = this.#first + entry
    const window = windowAt(budget.per, this.#nowMs())
    if (this.#cells.windowOf(slot) >= window) return this.#placeOf(entry)
    // Its first request in this window.
    if (!this.#cells.countUser(budget.slot, window, this.#maxUsers)) return null
    this.#cells.enter(slot, window)
    return this.#placeOf(entry)
  }

  #add(budget: UsersBudget, words: Int32Array, spent: number): UserPlace | null {
    const window = windowAt(budget.per, this.#nowMs())
    // Each request of a further user would take an entry for nothing.
    if (this.#cells.usersIn(budget.slot, window) >= this.#maxUsers) return null
    const entry = this.#take()
    if (entry === null) return null
    if (!this.#cells.countUser(budget.slot, window, this.#maxUsers)) {
      this.#entries[entry * USER_ENTRY.words + USER_ENTRY.slot] = NO_BUDGET
      return null
    }
    const at = entry * USER_ENTRY.words
    this.#entries[at + USER_ENTRY.slot] = budget.slot
    this.#entries[at + USER_ENTRY.epoch] = budget.epoch | 0
    this.#entries[at + USER_ENTRY.period] = BUDGET_PERIODS.indexOf(budget.per)
    this.#entries.set(words, at + USER_ENTRY.digest)
    const head = this.#headOf(words)
    this.#entries[at + USER_ENTRY.next] = this.#heads[head] ?? 0
    this.#heads[head] = entry + 1
    const epoch = ((this.#state[USER_STATE.epoch] ?? 0) + 1) | 0 || 1
    this.#state[USER_STATE.epoch] = epoch
    this.#cells.open(this.#first + entry, { epoch, limit: limitOf(budget.slot), window, spent })
    return { slot: this.#first + entry, epoch }
  }

  #entryOf({ slot, epoch }: Pick<UsersBudget, 'slot' | 'epoch'>, words: Int32Array): number | null {
    const entries = this.#entries
    for (let next = this.#heads[this.#headOf(words)] ?? 0; next !== 0; ) {
      const at = (next - 1) * USER_ENTRY.words
      const isBudget = entries[at + USER_ENTRY.slot] === slot && entries[at + USER_ENTRY.epoch] === (epoch | 0)
      if (isBudget && words.every((word, i) => entries[at + USER_ENTRY.digest + i] === word)) return next - 1
      next = entries[at + USER_ENTRY.next] ?? 0
    }
    return null
  }

  #placeOf(entry: number): UserPlace {
    const slot = this.#first + entry
    return { slot, epoch: this.#cells.epochOf(slot) }
  }

  /** An entry that belongs to nobody. */
  #take(): number | null {
    const used = this.#state[USER_STATE.used] ?? 0
    if (used < this.#size) {
      Atomics.store(this.#state, USER_STATE.used, used + 1)
      return used
    }
    for (let tries = 0; tries < Math.min(SWEEP, this.#size); tries++) {
      const hand = this.#state[USER_STATE.hand] ?? 0
      this.#state[USER_STATE.hand] = (hand + 1) % this.#size
      if (this.#free(hand)) return hand
    }
    return null
  }

  /** True if it is free, or nobody needs it any more. */
  #free(entry: number): boolean {
    const at = entry * USER_ENTRY.words
    const budget = this.#entries[at + USER_ENTRY.slot] ?? NO_BUDGET
    if (budget === NO_BUDGET) return true
    const slot = this.#first + entry
    const per = BUDGET_PERIODS[this.#entries[at + USER_ENTRY.period] ?? 0] ?? 'total'
    const isDeleted = this.#cells.epochOf(budget) !== this.#entries[at + USER_ENTRY.epoch]
    if (!isDeleted && this.#cells.windowOf(slot) >= windowAt(per, this.#nowMs())) return false
    // Closed first: whoever holds it from now on finds that it is gone, and looks for it anew.
    const epoch = this.#cells.epochOf(slot)
    this.#cells.close(slot)
    if (!this.#cells.isIdle(slot)) {
      this.#cells.reopen(slot, epoch)
      return false
    }
    this.#unlink(entry)
    return true
  }

  #unlink(entry: number): void {
    const at = entry * USER_ENTRY.words
    const head = this.#headOf(this.#entries.subarray(at + USER_ENTRY.digest, at + USER_ENTRY.digest + DIGEST_WORDS))
    const after = this.#entries[at + USER_ENTRY.next] ?? 0
    if (this.#heads[head] === entry + 1) {
      this.#heads[head] = after
      return
    }
    for (let next = this.#heads[head] ?? 0; next !== 0; ) {
      const place = (next - 1) * USER_ENTRY.words + USER_ENTRY.next
      next = this.#entries[place] ?? 0
      if (next === entry + 1) this.#entries[place] = after
    }
  }

  #headOf(words: Int32Array): number {
    return (words[0] ?? 0) & (this.#heads.length - 1)
  }

  #lock(): void {
    while (Atomics.compareExchange(this.#state, USER_STATE.lock, 0, 1) !== 0);
  }

  #unlock(): void {
    Atomics.store(this.#state, USER_STATE.lock, 0)
  }
}

function wordsOf(digest: string): Int32Array {
  const bytes = new Uint8Array(DIGEST_WORDS * Int32Array.BYTES_PER_ELEMENT)
  bytes.set(Buffer.from(digest, 'base64url').subarray(0, bytes.length))
  return new Int32Array(bytes.buffer)
}
