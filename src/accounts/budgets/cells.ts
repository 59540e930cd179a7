// The arithmetic of budgets in shared memory: all event loops reserve in the same cells, and what is used never exceeds the limit.
//
// `used` is what is spent and what is reserved together, in one word, so that one compare-and-swap decides: two words would let a
// reservation pass that was checked against a sum which another loop has since changed. The upper bits of the word name its window, so
// that the same compare-and-swap notices that a window has ended. `reserved` is a part of `used` that is only shown.
//
//   used      window modulo 1024 (10 bits) | amount (53 bits)
//   window    the latest window that any loop has seen: it never goes back, whatever the clock does
//
// Where several nodes spend from the same budgets, a node may use what it claims of a window, instead of the limit. One thread changes
// what is claimed (shared/node-claims.ts).
//
// A window begins by raising `window`; a word whose bits name another one is then of an earlier window, and counts as 0.
import { type BudgetMemory, CELL, CELL_INT, CLAIM } from './memory.js'

/** What was not taken: nothing is left of the budget, or too little. */
export const REFUSED = -1
const LATE = -2
/** Of the upper half of a word: the window above, the upper bits of the amount below. */
const WINDOW_SHIFT = 21
const HIGH_MASK = (1 << WINDOW_SHIFT) - 1
const TWO_32 = 2 ** 32
const WINDOW_MASK = 1023
const [LOW, HIGH] = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? ([0, 1] as const) : ([1, 0] as const)
const MAX_AMOUNT = Number.MAX_SAFE_INTEGER

export type CellUsage = {
  readonly limit: number
  readonly window: number
  readonly spent: number
  readonly reserved: number
}

/** What this node uses and may use of a window. */
export type OwnUse = { readonly claimed: number; readonly used: number; readonly reserved: number }

export class BudgetCells {
  readonly #cells: BigInt64Array
  readonly #ints: Int32Array
  /** Null: the limit holds. */
  readonly #claims: BigInt64Array | null
  /** A word and its halves, filled and read at once: five times as fast as arithmetic of BigInt (V8 11.3). */
  readonly #whole = new BigInt64Array(1)
  readonly #halves = new Uint32Array(this.#whole.buffer)

  constructor({ cells, shared }: Pick<BudgetMemory, 'cells' | 'shared'>) {
    this.#cells = new BigInt64Array(cells)
    this.#ints = new Int32Array(cells)
    this.#claims = shared === null ? null : new BigInt64Array(shared.claims)
  }

  /** Keeps the slot from being given to another budget until `release`; false where this one is gone. */
  hold(slot: number, epoch: number): boolean {
    const at = slot * CELL_INT.words
    Atomics.add(this.#ints, at + CELL_INT.holders, 1)
    if (Atomics.load(this.#ints, at + CELL_INT.epoch) === (epoch | 0)) return true
    Atomics.sub(this.#ints, at + CELL_INT.holders, 1)
    return false
  }

  release(slot: number): void {
    Atomics.sub(this.#ints, slot * CELL_INT.words + CELL_INT.holders, 1)
  }

  /** What is left in the window of the clock, or in a later one that has begun: below 0 in debt. */
  left(slot: number, clockWindow: number): number {
    const at = slot * CELL.words
    const window = this.#enter(at, clockWindow)
    return this.#room(at, window) - this.#amount(at + CELL.used, window)
  }

  /** Reserves an amount, or nothing. @returns the window in which it is reserved, or REFUSED */
  take(slot: number, clockWindow: number, amount: number): number {
    const at = slot * CELL.words
    for (;;) {
      const window = this.#enter(at, clockWindow)
      const limit = this.#room(at, window)
      const packed = Atomics.load(this.#cells, at + CELL.used)
      // As in `#add`.
      if (this.#window(at) !== window) continue
      const used = this.#amountIn(packed, window)
      if (used >= limit || used + amount > limit) return REFUSED
      const wanted = this.#pack(window, used + amount)
      if (Atomics.compareExchange(this.#cells, at + CELL.used, packed, wanted) !== packed) continue
      if (this.#claims !== null && used + amount > this.#room(at, window)) {
        // The claim was lowered since it was read, by somebody who may not have seen this.
        this.#add(at + CELL.used, window, -amount)
        return REFUSED
      }
      // The sum first, here and in the other order where it is settled: `reserved` is never more than `used`.
      this.#add(at + CELL.reserved, window, amount)
      return window
    }
  }

  /**
   * Replaces what was reserved in a window by what was spent there; nothing happens where that window is over.
   * @returns the part of it that is beyond the limit: a debt
   */
  settle(slot: number, window: number, { held, spent }: { readonly held: number; readonly spent: number }): number {
    const at = slot * CELL.words
    this.#add(at + CELL.reserved, window, -held)
    const by = spent - held
    const before = this.#add(at + CELL.used, window, by)
    // Only all nodes together know a debt.
    if (before === LATE || by <= 0 || this.#claims !== null) return 0
    const limit = this.#limit(at)
    return Math.max(0, before + by - Math.max(limit, before))
  }

  /** Spent, or refunded where it is negative, apart from any reservation. */
  charge(slot: number, clockWindow: number, amount: number): void {
    const at = slot * CELL.words
    const window = this.#enter(at, clockWindow)
    // A refund leaves what is reserved: taking more away would let it be reserved twice.
    const reserved = this.#amount(at + CELL.reserved, window)
    const used = this.#amount(at + CELL.used, window)
    this.#add(at + CELL.used, window, Math.max(amount, reserved - used))
  }

  usage(slot: number, clockWindow: number): CellUsage {
    const at = slot * CELL.words
    const window = Math.max(clockWindow, this.#window(at))
    const reserved = this.#amount(at + CELL.reserved, window)
    const used = this.#amount(at + CELL.used, window)
    const elsewhere = this.#elsewhere(slot, CLAIM.spent, window) - this.#elsewhere(slot, CLAIM.refunded, window)
    const spent = Math.max(0, Math.max(0, used - reserved) + elsewhere)
    const all = Math.min(reserved, used) + this.#elsewhere(slot, CLAIM.reserved, window)
    return { limit: this.#limit(at), window, spent, reserved: all }
  }

  /** What this node uses of a window, which is that of the clock or a later one that has begun; more than was claimed is claimed. */
  ownUse(slot: number, clockWindow: number): OwnUse & { readonly window: number } {
    const at = slot * CELL.words
    const window = this.#enter(at, clockWindow)
    const reserved = this.#amount(at + CELL.reserved, window)
    const claimed = this.setClaim(slot, window, this.#room(at, window))
    const used = this.#amount(at + CELL.used, window)
    return { window, claimed, used: Math.min(used, claimed), reserved: Math.min(reserved, used) }
  }

  /** Only one thread may call it. @returns what is claimed then: never less than what is used */
  setClaim(slot: number, window: number, amount: number): number {
    this.#claim(slot, CLAIM.claimed, { window, amount })
    // In this order: whoever reserves reads the claim again afterwards.
    const used = this.#amount(slot * CELL.words + CELL.used, window)
    if (used > amount) this.#claim(slot, CLAIM.claimed, { window, amount: used })
    return Math.max(used, amount)
  }

  /** Shown with what this node uses; below 0 where it was refunded. */
  setElsewhere(slot: number, window: number, { spent, reserved }: { spent: number; reserved: number }): void {
    this.#claim(slot, CLAIM.spent, { window, amount: Math.max(0, spent) })
    this.#claim(slot, CLAIM.refunded, { window, amount: Math.max(0, -spent) })
    this.#claim(slot, CLAIM.reserved, { window, amount: reserved })
  }

  /** Gives a free slot to a budget, of which so much is spent. Only its writer may call it. */
  open(slot: number, { epoch, limit, window, spent }: { epoch: number; limit: number; window: number; spent: number }) {
    const at = slot * CELL.words
    Atomics.store(this.#cells, at + CELL.limit, BigInt(limit))
    Atomics.store(this.#ints, slot * CELL_INT.words + CELL_INT.window, window)
    Atomics.store(this.#cells, at + CELL.used, this.#pack(window, this.#claims === null ? spent : 0))
    this.#claim(slot, CLAIM.claimed, { window, amount: 0 })
    this.setElsewhere(slot, window, { spent, reserved: 0 })
    Atomics.store(this.#cells, at + CELL.reserved, this.#pack(window, 0))
    Atomics.store(this.#ints, slot * CELL_INT.words + CELL_INT.users, 0)
    Atomics.store(this.#ints, slot * CELL_INT.words + CELL_INT.epoch, epoch | 0)
  }

  /** From here on nobody can hold it. Only its writer may call it. */
  close(slot: number): void {
    Atomics.store(this.#ints, slot * CELL_INT.words + CELL_INT.epoch, 0)
  }

  /** Holds for what is reserved next. */
  setLimit(slot: number, limit: number): void {
    Atomics.store(this.#cells, slot * CELL.words + CELL.limit, BigInt(limit))
  }

  /** Nothing is reserved by a former owner. */
  isIdle(slot: number): boolean {
    return Atomics.load(this.#ints, slot * CELL_INT.words + CELL_INT.holders) === 0
  }

  /** After `close`: of the same owner as before. Only who has closed it may call it. */
  reopen(slot: number, epoch: number): void {
    Atomics.store(this.#ints, slot * CELL_INT.words + CELL_INT.epoch, epoch)
  }

  /** 0 where it is closed. */
  epochOf(slot: number): number {
    return Atomics.load(this.#ints, slot * CELL_INT.words + CELL_INT.epoch)
  }

  /** The latest window that any loop has seen. */
  windowOf(slot: number): number {
    return this.#window(slot * CELL.words)
  }

  /** Begins a window, unless it or a later one has begun. */
  enter(slot: number, clockWindow: number): void {
    this.#enter(slot * CELL.words, clockWindow)
  }

  /** One more user of a budget in a window; false where there are so many. Not to be called by two threads at once. */
  countUser(slot: number, window: number, max: number): boolean {
    const at = slot * CELL_INT.words
    const users = this.usersIn(slot, window)
    if (users >= max) return false
    this.#ints[at + CELL_INT.usersWindow] = window
    this.#ints[at + CELL_INT.users] = users + 1
    return true
  }

  /** Users of a budget that were counted in a window. */
  usersIn(slot: number, window: number): number {
    const at = slot * CELL_INT.words
    return this.#ints[at + CELL_INT.usersWindow] === window ? (this.#ints[at + CELL_INT.users] ?? 0) : 0
  }

  /** Those of a user have the limit of their budget: a number below 0 says which. */
  #limit(at: number): number {
    const limit = Number(Atomics.load(this.#cells, at + CELL.limit))
    return limit >= 0 ? limit : Number(Atomics.load(this.#cells, (-1 - limit) * CELL.words + CELL.limit))
  }

  /** The most that this node may use of a window. */
  #room(at: number, window: number): number {
    if (this.#claims === null) return this.#limit(at)
    return this.#amountIn(Atomics.load(this.#claims, (at / CELL.words) * CLAIM.words + CLAIM.claimed), window)
  }

  #elsewhere(slot: number, word: number, window: number): number {
    return this.#claims === null ? 0 : this.#amountIn(Atomics.load(this.#claims, slot * CLAIM.words + word), window)
  }

  #claim(slot: number, word: number, { window, amount }: { readonly window: number; readonly amount: number }): void {
    if (this.#claims !== null) Atomics.store(this.#claims, slot * CLAIM.words + word, this.#pack(window, amount))
  }

  /** Of the cell with this word. */
  #window(word: number): number {
    return Atomics.load(this.#ints, windowOf(word))
  }

  /** Raises the window to that of the clock. @returns the one that holds, which is later where another clock was ahead */
  #enter(at: number, clockWindow: number): number {
    for (;;) {
      const window = this.#window(at)
      if (window >= clockWindow) return window
      // The same bits although another window: the words would seem to be of this one. They are cleared on the way there.
      const isAlike = (window & WINDOW_MASK) === (clockWindow & WINDOW_MASK)
      const next = isAlike ? clockWindow - 1 : clockWindow
      const raised = Atomics.compareExchange(this.#ints, windowOf(at), window, next)
      if (raised !== window || !isAlike) continue
      this.#add(at + CELL.reserved, next, 0)
      this.#add(at + CELL.used, next, 0)
    }
  }

  /** The amount that a word has in a window. */
  #amount(word: number, window: number): number {
    const packed = Atomics.load(this.#cells, word)
    // Read in this order: a word of a later window shows in `window`.
    if (this.#window(word) > window) return 0
    return this.#amountIn(packed, window)
  }

  /** @returns the amount before; LATE where the window is over */
  #add(word: number, window: number, by: number): number {
    for (;;) {
      const packed = Atomics.load(this.#cells, word)
      // Read in this order: a word of a later window shows in `window`; one whose bits are others is of an earlier one.
      if (this.#window(word) !== window) return LATE
      const amount = this.#amountIn(packed, window)
      const wanted = this.#pack(window, Math.min(MAX_AMOUNT, Math.max(0, amount + by)))
      if (Atomics.compareExchange(this.#cells, word, packed, wanted) === packed) return amount
    }
  }

  #pack(window: number, amount: number): bigint {
    this.#halves[LOW] = amount
    this.#halves[HIGH] = ((window & WINDOW_MASK) << WINDOW_SHIFT) | (amount / TWO_32)
    return this.#whole[0] as bigint
  }

  #amountIn(packed: bigint, window: number): number {
    this.#whole[0] = packed
    const high = this.#halves[HIGH] as number
    if (high >>> WINDOW_SHIFT !== (window & WINDOW_MASK)) return 0
    return (high & HIGH_MASK) * TWO_32 + (this.#halves[LOW] as number)
  }
}

/** The place of its cell's window, from that of any of its words. */
function windowOf(word: number): number {
  return (word - (word % CELL.words)) * 2 + CELL_INT.window
}
