// The cells of budgets that hold for each end user separately. A user gets a cell with the first request that falls under such a budget, on
// any event loop. These cells lie behind those of the budgets and are used in the same way; this file only assigns them to users.
//
//   heads     Int32   of each hash chain: 0, or 1 + its first entry
//   entries   Int32   next entry of the chain | slot and epoch of the budget | period | 4 words of the user's digest
//
// The table is read and changed under one lock, which is held for a few hundred instructions: one chain is walked and at most one entry is
// changed. It spins, because event loops cannot sleep, and no thread ever ends alone. Chains stay short whatever names callers choose: the
// hash is keyed by random words in the shared memory. When all entries are in use, one whose window is over goes to another user, unless a
// reservation of it is still open. Such an entry is searched for without the lock.
import { hash } from 'node:crypto'
import { BUDGET_PERIODS, type BudgetPeriod } from '../types.js'
import { type Known } from './budget-index.js'
import { type BudgetCells } from './cells.js'
import { type BudgetMemory, USER_ENTRY, USER_STATE } from './memory.js'
import { PresentWindows, windowAt } from './windows.js'

/** Users of one budget in one of its windows; further ones share what one user may spend. */
export const MAX_BUDGET_USERS = 10_000
/** No room for one more user, and none to share: other nodes would not know who shares what. */
export const CROWDED = Symbol('crowded')
/** Entries that one request looks at for one that can be used again: some ten microseconds. The next request goes on from there. */
const SWEEP = 512
const DIGEST_CHARS = 22
const DIGEST_WORDS = 4
/** Negative, which no limit is: the cells of a user have the limit of their budget. */
const limitOf = (slot: number): number => -1 - slot

/** A budget of end users, in its own slot. */
export type UsersBudget = { readonly slot: number; readonly epoch: number; readonly per: BudgetPeriod }
export type UserPlace = { readonly slot: number; readonly epoch: number }
type NewUser = { readonly budget: UsersBudget; readonly words: Int32Array; readonly spent: number }

/** How budgets identify an end user: 128 bits of SHA-256, in base64url. */
export function digestOfUser(user: string): string {
  return hash('sha256', user, 'base64url').slice(0, DIGEST_CHARS)
}

/** How charges identify the part of a budget that is one user's. */
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
  /** Other nodes spend from these budgets: all of them together know how many users there are. */
  readonly #isShared: boolean
  readonly #nowMs: () => number
  readonly #windows = new PresentWindows()
  readonly #seed: Int32Array
  /** Leaves as many bits of a word as there are heads for. */
  readonly #headShift: number

  /** `maxUsers`: of a budget in a window. */
  constructor(memory: BudgetMemory, cells: BudgetCells, nowMs: () => number, maxUsers = MAX_BUDGET_USERS) {
    this.#cells = cells
    this.#nowMs = nowMs
    this.#state = new Int32Array(memory.users.state)
    this.#heads = new Int32Array(memory.users.heads)
    this.#entries = new Int32Array(memory.users.entries)
    this.#first = memory.maxBudgets
    this.#size = this.#entries.length / USER_ENTRY.words
    this.#isShared = memory.shared !== null
    this.#maxUsers = this.#isShared ? Number.POSITIVE_INFINITY : maxUsers
    this.#seed = this.#state.slice(USER_STATE.seed, USER_STATE.seed + DIGEST_WORDS)
    this.#headShift = Math.clz32(this.#heads.length) + 1
  }

  /**
   * The budget with what keeps its cells until they are released; null where it was deleted since it was found. Those of a user are looked
   * for with each reservation: what nobody holds in one window may be another user's in the next. CROWDED: only where nodes share budgets.
   */
  hold(known: Known): Known | typeof CROWDED | null {
    const cells = this.#cells
    const { user } = known
    if (user === undefined) return cells.hold(known.slot, known.epoch) ? known : null
    while (cells.epochOf(known.slot) === (known.epoch | 0)) {
      const place = this.of(known, user)
      if (place === null && this.#isShared) return CROWDED
      const own = place === null ? known : { ...known, ...place, id: userBudgetId(known.id, user) }
      if (cells.hold(own.slot, own.epoch)) return own
    }
    return null
  }

  /** The cells of a user. Null: there are too many users; on the only node this one shares the budget's own with all further ones. */
  of(budget: UsersBudget, digest: string): UserPlace | null {
    return this.#place(budget, wordsOf(digest), 0)
  }

  /** A user of whom so much is spent in the present window, as the database knows. False: too many. Only the budgets' writer may call it. */
  seed(budget: UsersBudget, digest: string, spent: number): boolean {
    return this.#place(budget, wordsOf(digest), spent) !== null
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

  /** Further users of a budget share its own cells. */
  isFull({ slot, per }: UsersBudget): boolean {
    return this.#cells.usersIn(slot, windowAt(per, this.#nowMs())) >= this.#maxUsers
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

  #place(budget: UsersBudget, words: Int32Array, spent: number): UserPlace | null {
    this.#lock()
    try {
      const found = this.#find(budget, words)
      if (found !== undefined) return found
      const unused = this.#takeUnused()
      if (unused !== null) return this.#fill(unused, { budget, words, spent })
    } finally {
      this.#unlock()
    }
    return this.#reuse(budget, words, spent)
  }

  /** Takes an entry of a window that is over, if there is one among the next. */
  #reuse(budget: UsersBudget, words: Int32Array, spent: number): UserPlace | null {
    for (let tries = 0; tries < Math.min(SWEEP, this.#size); tries++) {
      const entry = (Atomics.add(this.#state, USER_STATE.hand, 1) >>> 0) % this.#size
      if (!this.#isOver(entry)) continue
      this.#lock()
      try {
        // Another event loop may have been faster: with this user, with the last place, or with the entry.
        const found = this.#find(budget, words)
        if (found !== undefined) return found
        if (this.#isOver(entry) && this.#free(entry)) return this.#fill(entry, { budget, words, spent })
      } finally {
        this.#unlock()
      }
    }
    return null
  }

  /** Undefined: not there, and there may be one more. Null: there may be none. */
  #find(budget: UsersBudget, words: Int32Array): UserPlace | null | undefined {
    const entry = this.#entryOf(budget, words)
    if (entry === null) return this.isFull(budget) ? null : undefined
    const window = windowAt(budget.per, this.#nowMs())
    const slot = this.#first + entry
    if (this.#cells.windowOf(slot) >= window) return this.#placeOf(entry)
    // Its first request in this window.
    if (!this.#cells.countUser(budget.slot, window, this.#maxUsers)) return null
    this.#cells.enter(slot, window)
    return this.#placeOf(entry)
  }

  #takeUnused(): number | null {
    const used = this.#state[USER_STATE.used] ?? 0
    if (used >= this.#size) return null
    Atomics.store(this.#state, USER_STATE.used, used + 1)
    return used
  }

  /** Gives an entry that belongs to nobody to a user, after `#find` has said that there may be one more. */
  #fill(entry: number, { budget, words, spent }: NewUser): UserPlace {
    const window = windowAt(budget.per, this.#nowMs())
    this.#cells.countUser(budget.slot, window, Number.POSITIVE_INFINITY)
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

  /** Its window is over, or its budget was deleted. Also asked without the lock, where the entry may be changing: then asked again with it. */
  #isOver(entry: number): boolean {
    const at = entry * USER_ENTRY.words
    const budget = this.#entries[at + USER_ENTRY.slot] ?? 0
    if (this.#cells.epochOf(budget) !== this.#entries[at + USER_ENTRY.epoch]) return true
    const per = BUDGET_PERIODS[this.#entries[at + USER_ENTRY.period] ?? 0] ?? 'total'
    return this.#cells.windowOf(this.#first + entry) < this.#windows.at(per, this.#nowMs()).number
  }

  /** False: a reservation of it is still open. */
  #free(entry: number): boolean {
    const slot = this.#first + entry
    // Closed first: whoever holds it from now on finds that it is gone, and looks for it again.
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
    let sum = 0
    // Multiply-shift (Dietzfelbinger et al., 1997): two digests share a chain with a probability of about 2 / heads.
    for (let i = 0; i < DIGEST_WORDS; i++) sum += Math.imul(words[i] ?? 0, this.#seed[i] ?? 0)
    return (sum >>> this.#headShift) & (this.#heads.length - 1)
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
