// The arithmetic of budgets in shared memory: all event loops reserve in the same cells, and what is used never exceeds the limit.
//
// `used` is what is spent and what is reserved together, in one word, so that one compare-and-swap decides: two words would let a
// reservation pass that was checked against a sum which another loop has since changed. The upper bits of the word name its window, so
// that the same compare-and-swap notices that a window has ended. `reserved` is a part of `used` that is only shown.
//
//   used      window modulo 1024 (10 bits) | amount (53 bits)
//   window    the latest window that any loop has seen: it never goes back, whatever the clock does
//
// A window begins by raising `window`; a word whose bits name another one is then of an earlier window, and counts as 0.
import { type BudgetMemory, CELL } from './memory.js'

/** What was not taken: nothing is left of the budget, or too little. */
export const REFUSED = -1
const LATE = -2
const AMOUNT_BITS = 53n
const AMOUNT_MASK = (1n << AMOUNT_BITS) - 1n
const WINDOW_MASK = 1023
const MAX_AMOUNT = Number.MAX_SAFE_INTEGER

export type CellUsage = {
  readonly limit: number
  readonly window: number
  readonly spent: number
  readonly reserved: number
}

export class BudgetCells {
  readonly #cells: BigInt64Array

  constructor({ cells }: Pick<BudgetMemory, 'cells'>) {
    this.#cells = new BigInt64Array(cells)
  }

  /** Keeps the slot from being given to another budget until `release`; false where this one is gone. */
  hold(slot: number, epoch: number): boolean {
    const at = slot * CELL.words
    Atomics.add(this.#cells, at + CELL.holders, 1n)
    if (Atomics.load(this.#cells, at + CELL.epoch) === BigInt(epoch)) return true
    Atomics.sub(this.#cells, at + CELL.holders, 1n)
    return false
  }

  release(slot: number): void {
    Atomics.sub(this.#cells, slot * CELL.words + CELL.holders, 1n)
  }

  /** What is left in the window of the clock, or in a later one that has begun: below 0 in debt. */
  left(slot: number, clockWindow: number): number {
    const at = slot * CELL.words
    return this.#limit(at) - this.#amount(at + CELL.used, at, this.#enter(at, clockWindow))
  }

  /** Reserves an amount, or nothing. @returns the window in which it is reserved, or REFUSED */
  take(slot: number, clockWindow: number, amount: number): number {
    const at = slot * CELL.words
    for (;;) {
      const window = this.#enter(at, clockWindow)
      const before = this.#add(CELL.used, at, { window, by: amount, max: this.#limit(at) })
      if (before === LATE) continue
      if (before === REFUSED) return REFUSED
      // The sum first, here and in the other order where it is settled: `reserved` is never more than `used`.
      this.#add(CELL.reserved, at, { window, by: amount, max: Infinity })
      return window
    }
  }

  /**
   * Replaces what was reserved in a window by what was spent there; nothing happens where that window is over.
   * @returns the part of it that is beyond the limit: a debt
   */
  settle(slot: number, window: number, { held, spent }: { readonly held: number; readonly spent: number }): number {
    const at = slot * CELL.words
    this.#add(CELL.reserved, at, { window, by: -held, max: Infinity })
    const by = spent - held
    const before = this.#add(CELL.used, at, { window, by, max: Infinity })
    if (before === LATE || by <= 0) return 0
    const limit = this.#limit(at)
    return Math.max(0, before + by - Math.max(limit, before))
  }

  /** Spent, or refunded where it is negative, apart from any reservation. */
  charge(slot: number, clockWindow: number, amount: number): void {
    const at = slot * CELL.words
    const change = { window: this.#enter(at, clockWindow), by: amount, max: Infinity }
    // A refund leaves what is reserved: taking more away would let it be reserved twice.
    const reserved = this.#amount(at + CELL.reserved, at, change.window)
    const used = this.#amount(at + CELL.used, at, change.window)
    this.#add(CELL.used, at, { ...change, by: Math.max(amount, reserved - used) })
  }

  usage(slot: number, clockWindow: number): CellUsage {
    const at = slot * CELL.words
    const window = Math.max(clockWindow, this.#window(at))
    const reserved = this.#amount(at + CELL.reserved, at, window)
    const used = this.#amount(at + CELL.used, at, window)
    return { limit: this.#limit(at), window, spent: Math.max(0, used - reserved), reserved: Math.min(reserved, used) }
  }

  /** Gives a free slot to a budget, of which so much is spent. Only its writer may call it. */
  open(slot: number, { epoch, limit, window, spent }: { epoch: number; limit: number; window: number; spent: number }) {
    const at = slot * CELL.words
    Atomics.store(this.#cells, at + CELL.limit, BigInt(limit))
    Atomics.store(this.#cells, at + CELL.window, BigInt(window))
    Atomics.store(this.#cells, at + CELL.used, pack(window, spent))
    Atomics.store(this.#cells, at + CELL.reserved, pack(window, 0))
    Atomics.store(this.#cells, at + CELL.epoch, BigInt(epoch))
  }

  /** From here on nobody can hold it. Only its writer may call it. */
  close(slot: number): void {
    Atomics.store(this.#cells, slot * CELL.words + CELL.epoch, 0n)
  }

  /** Holds for what is reserved next. */
  setLimit(slot: number, limit: number): void {
    Atomics.store(this.#cells, slot * CELL.words + CELL.limit, BigInt(limit))
  }

  /** Nothing is reserved by a former owner. */
  isIdle(slot: number): boolean {
    return Atomics.load(this.#cells, slot * CELL.words + CELL.holders) === 0n
  }

  #limit(at: number): number {
    return Number(Atomics.load(this.#cells, at + CELL.limit))
  }

  #window(at: number): number {
    return Number(Atomics.load(this.#cells, at + CELL.window))
  }

  /** Raises the window to that of the clock. @returns the one that holds, which is later where another clock was ahead */
  #enter(at: number, clockWindow: number): number {
    for (;;) {
      const window = this.#window(at)
      if (window >= clockWindow) return window
      // The same bits although another window: the words would seem to be of this one. They are cleared on the way there.
      const isAlike = (window & WINDOW_MASK) === (clockWindow & WINDOW_MASK)
      const next = isAlike ? clockWindow - 1 : clockWindow
      const raised = Atomics.compareExchange(this.#cells, at + CELL.window, BigInt(window), BigInt(next))
      if (raised !== BigInt(window) || !isAlike) continue
      this.#add(CELL.reserved, at, { window: next, by: 0, max: Infinity })
      this.#add(CELL.used, at, { window: next, by: 0, max: Infinity })
    }
  }

  /** The amount that a word has in a window. */
  #amount(word: number, at: number, window: number): number {
    const packed = Atomics.load(this.#cells, word)
    // Read in this order: a word of a later window shows in `window`.
    if (this.#window(at) > window) return 0
    return amountIn(packed, window)
  }

  /** @returns the amount before; LATE where the window is over; REFUSED where it would then exceed `max` */
  #add(word: number, at: number, { window, by, max }: { window: number; by: number; max: number }): number {
    for (;;) {
      const packed = Atomics.load(this.#cells, at + word)
      // Read in this order: a word of a later window shows in `window`; one whose bits are others is of an earlier one.
      if (this.#window(at) !== window) return LATE
      const amount = amountIn(packed, window)
      const next = amount + by
      if (by > 0 && next > max) return REFUSED
      const wanted = pack(window, Math.min(MAX_AMOUNT, Math.max(0, next)))
      if (Atomics.compareExchange(this.#cells, at + word, packed, wanted) === packed) return amount
    }
  }
}

function pack(window: number, amount: number): bigint {
  return (BigInt(window & WINDOW_MASK) << AMOUNT_BITS) | BigInt(amount)
}

function amountIn(packed: bigint, window: number): number {
  return Number(packed >> AMOUNT_BITS) === (window & WINDOW_MASK) ? Number(packed & AMOUNT_MASK) : 0
}
