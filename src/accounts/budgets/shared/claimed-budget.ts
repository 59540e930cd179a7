// What one node claims of one budget: as much as its requests have used, what those need that wait, and some in advance, which grows while
// requests have to wait and shrinks while none has to.
import { type BudgetCells } from '../cells.js'
import { windowAt, windowEndMs, windowStartMs } from '../windows.js'
import { type StoredBudget } from '../writer.js'
import { type Granted } from './shared-set.js'
import { type ClaimAnswer, type ClaimCall } from './spend-calls.js'

/** Late settlements of a window still count in what is shown of it. */
const KEPT_MS = 3_600_000
/** Of a window that never ends: then the database is asked again. */
const KEPT_TOTAL_MS = 40 * 86_400_000
/** Less in advance is not worth the call that gives it back. */
const LEAST_AHEAD = 16

/** What it needs to know of a budget of the database. */
export type Terms = Pick<StoredBudget, 'per' | 'unit' | 'limit' | 'version' | 'spent' | 'plus' | 'minus' | 'startMs'>

export type ClaimedPlace = { readonly slot: number; readonly epoch: number; readonly id: string }

type Waiter = { readonly amount: number; readonly settle: (granted: Granted) => void }

type Told = Pick<ClaimCall, 'claimed' | 'reserved' | 'unused'>

/** One thread alone has it. */
export class ClaimedBudget {
  readonly id: string
  readonly slot: number
  readonly epoch: number
  readonly unit: StoredBudget['unit']
  /** All of it is claimed: what is not needed is to be given back soon. */
  isScarce = false
  readonly #cells: BudgetCells
  readonly #per: StoredBudget['per']
  #terms: Terms
  #window: number
  /** Requests that wait for the next call, and for the one that is under way. */
  #waiting: Waiter[] = []
  #asking: Waiter[] = []
  #ahead = 0
  #hasAsked = false
  /** Its event loops may be about to reserve what they were told of since the last beat. */
  #hasAnswered = false
  /** It was left to them at the last beat. */
  #isLeft = false
  /** Claimed by other nodes, and spent by those that are gone; below 0 where it was refunded. */
  #elsewhere: number
  #told: Told | null = null

  /** `id`: of a budget, or of the part of it that is an end user's, with the cells of that user. */
  constructor(cells: BudgetCells, { slot, id, epoch }: ClaimedPlace, stored: Terms) {
    const { per, unit } = stored
    this.#cells = cells
    this.id = id
    this.slot = slot
    this.epoch = epoch
    this.unit = unit
    this.#per = per
    this.#terms = stored
    this.#window = windowAt(per, stored.startMs)
    this.#elsewhere = stored.spent
  }

  /** It was changed: what it does not use is to be granted by the new terms. */
  change(stored: Terms, nowMs: number): void {
    this.#terms = stored
    this.giveBack(nowMs)
  }

  get isWaiting(): boolean {
    return this.#waiting.length + this.#asking.length > 0
  }

  /** Nothing of it changes before it asks for something. */
  get isStill(): boolean {
    const { reserved = 0, unused = 0 } = this.#told ?? {}
    return !this.isWaiting && reserved + unused === 0
  }

  /** Nobody has asked for it in the window of the clock. To enter that would keep its cells from being another user's for all of it. */
  isPast(nowMs: number): boolean {
    return !this.isWaiting && this.#cells.windowOf(this.slot) < windowAt(this.#per, nowMs)
  }

  /** Nothing of it is claimed in the window of the clock: it need not be known any more. */
  isOver(nowMs: number): boolean {
    if (this.isPast(nowMs)) return true
    return this.isStill && (this.#told?.claimed ?? 0) === 0 && this.enter(nowMs).claimed === 0
  }

  /** `settle` is called when so much is there, or cannot be had. */
  ask(amount: number, settle: (granted: Granted) => void): void {
    this.#waiting.push({ amount, settle })
  }

  /** Its window, for the database. */
  placeAt(nowMs: number) {
    const { startMs, forgetMs } = this.#times(nowMs)
    return { budgetId: this.id, windowStartMs: startMs, unit: this.unit, forgetMs }
  }

  /** What is to be told, with all that waits. */
  call(nowMs: number): ClaimCall {
    const { claimed, used, reserved } = this.enter(nowMs)
    this.#asking.push(...this.#waiting.splice(0))
    const { limit, version, plus, minus, startMs: adjustedMs } = this.#terms
    const asked = this.#asking.reduce((sum, { amount }) => sum + amount, 0)
    if (asked > 0) {
      // A single request is no reason to hold more.
      if (this.#hasAsked) this.#ahead = Math.min(limit, this.#ahead + asked)
      this.#hasAsked = true
    }
    const { startMs, forgetMs } = this.#times(nowMs)
    const isAdjusted = startMs === adjustedMs
    const unused = claimed - used
    return {
      ...{ budgetId: this.id, windowStartMs: startMs, limit, version, forgetMs },
      ...{ plus: isAdjusted ? plus : 0, minus: isAdjusted ? minus : 0 },
      ...{ claimed, reserved, unused, wanted: Math.max(0, asked - unused) },
      ahead: asked === 0 ? 0 : Math.max(0, this.#ahead - Math.max(0, unused - asked)),
    }
  }

  /** What Redis has answered. */
  hear(call: ClaimCall, { state, granted, total, reserved, unused }: ClaimAnswer): void {
    const claimed = call.claimed + granted
    this.#told = { claimed, reserved: call.reserved, unused: call.unused + granted }
    if (state === 'unknown') return
    if (state === 'crowded') {
      this.crowd()
      return
    }
    this.#cells.setClaim(this.slot, this.#window, claimed)
    this.#elsewhere = total - claimed
    const held = Math.max(0, reserved - call.reserved)
    const free = Math.max(0, unused - call.unused - granted)
    this.#cells.setElsewhere(this.slot, this.#window, { spent: this.#elsewhere - held - free, reserved: held })
    if (state === 'closed') return
    // Others need what this one has in advance.
    this.isScarce = total >= this.#terms.limit
    if (this.isScarce) this.#ahead = 0
    // Not for one that only looks.
    this.#hasAnswered ||= this.#asking.some(({ amount }) => amount > 0)
    settle(this.#asking.splice(0), granted < call.wanted ? 'less' : 'granted')
  }

  /** From time to time: gives back what it does not need. True where there is something to tell. */
  beat(nowMs: number): boolean {
    if (this.isPast(nowMs)) {
      this.#told = null
      return false
    }
    if (!this.#hasAsked) this.#ahead = this.#ahead < LEAST_AHEAD ? 0 : Math.floor(this.#ahead / 2)
    this.#hasAsked = false
    const { claimed, used, reserved } = this.enter(nowMs)
    // For one beat, but never for two in a row: what nobody here can use is to reach the others, however many ask.
    this.#isLeft = this.#hasAnswered && !this.#isLeft
    this.#hasAnswered = false
    const kept = this.isWaiting || this.#isLeft ? claimed : Math.min(claimed, used + this.#ahead)
    const left = kept < claimed ? this.#cells.setClaim(this.slot, this.#window, kept) : claimed
    const told = this.#told
    if (told === null) return left > 0
    return told.claimed !== left || told.reserved !== reserved || told.unused !== left - used
  }

  /** Keeps only what is used. */
  giveBack(nowMs: number): void {
    if (this.isPast(nowMs)) return
    const { used } = this.enter(nowMs)
    this.#ahead = 0
    this.#cells.setClaim(this.slot, this.#window, used)
  }

  /** Without Redis, as if nothing had changed at the others. */
  grantAlone(nowMs: number): void {
    const { claimed, used } = this.enter(nowMs)
    const all = Math.max(claimed, this.#terms.limit - this.#elsewhere)
    const room = this.#cells.setClaim(this.slot, this.#window, all) - used
    for (const waiter of this.#takeAll()) settle([waiter], waiter.amount > room ? 'less' : 'granted')
  }

  /** There are more end users than its budget tells apart; nothing of it is claimed. */
  crowd(): void {
    this.#told = null
    settle(this.#takeAll(), 'crowded')
  }

  /** Nobody can tell what is left. */
  refuse(): void {
    settle(this.#takeAll(), 'away')
  }

  /** What it has of the window of the clock, or of a later one that has begun. */
  enter(nowMs: number): ReturnType<BudgetCells['ownUse']> {
    const own = this.#cells.ownUse(this.slot, windowAt(this.#per, nowMs))
    if (own.window === this.#window) return own
    this.#window = own.window
    this.#elsewhere = 0
    this.#ahead = 0
    this.#told = null
    this.isScarce = false
    return own
  }

  #times(nowMs: number): { readonly startMs: number; readonly forgetMs: number } {
    const endMs = windowEndMs(this.#per, this.#window)
    const forgetMs = endMs === null ? nowMs + KEPT_TOTAL_MS : endMs + KEPT_MS
    return { startMs: windowStartMs(this.#per, this.#window), forgetMs: Math.floor(forgetMs) }
  }

  #takeAll(): Waiter[] {
    return [...this.#asking.splice(0), ...this.#waiting.splice(0)]
  }
}

function settle(waiters: readonly Waiter[], granted: Granted): void {
  for (const waiter of waiters) waiter.settle(granted)
}
