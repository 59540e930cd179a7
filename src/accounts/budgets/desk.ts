// The budgets of one event loop: which of them hold for a request, and what its attempts reserve and spend. Every reservation is in the
// cells of all its budgets or in none, and in the journal before its request is sent.
import { type Account, type Charge } from '../types.js'
import { BudgetIndex, type Known, type MatchesGlob } from './budget-index.js'
import { BudgetCells, REFUSED } from './cells.js'
import { type Entry, type Ledger } from './ledger.js'
import { type BudgetMemory, type SubjectKind } from './memory.js'
import {
  type Amount,
  type BudgetDesk,
  type BudgetRefusal,
  type BudgetSet,
  type BudgetUsage,
  type Reservation,
  type Spender,
} from './types.js'
import { windowAt, windowEndMs, windowStartMs } from './windows.js'

/** Other loops may take what is left between the look and the reservation; then less is asked for. */
const MAX_TRIES = 100

export type DeskOptions = {
  readonly memory: BudgetMemory
  readonly ledger: Pick<Ledger, 'open' | 'extend' | 'settle'>
  readonly matchesGlob: MatchesGlob
  /** The key of an index; null if it was deleted. */
  readonly account: (index: number) => Account | null
  /** Unix time. */
  readonly nowMs: () => number
  readonly counters: BudgetCounters
}

/** What is counted of budgets, by what they apply to. */
export type BudgetCounters = {
  budgetRefused(kind: SubjectKind): void
  /** Nano-dollars that were spent beyond a budget. */
  budgetDebt(nano: number): void
}

export class LoopBudgets implements BudgetDesk {
  readonly #ground: Ground
  readonly #index: BudgetIndex

  constructor(options: DeskOptions) {
    this.#ground = { ...options, cells: new BudgetCells(options.memory) }
    this.#index = new BudgetIndex(options.memory, options.matchesGlob)
  }

  budgetsOf({ owner, accountIndex, model }: Spender): BudgetSet | null {
    if (this.#index.isEmpty) return null
    const account = accountIndex < 0 ? null : this.#ground.account(accountIndex)
    const keyId = accountIndex < 0 ? null : owner
    const found = this.#index.find({ keyId, teamId: account?.team?.id ?? null, tags: account?.tags ?? [], model })
    return found === null ? null : new LoopBudgetSet(this.#ground, found)
  }

  /** The budgets of a key of the database, with what is used of them now; not those that it shares with other keys. */
  usageOf(keyId: string): BudgetUsage[] {
    const { cells, nowMs } = this.#ground
    return this.#index.ofKey(keyId).flatMap(({ name, per, unit, slot, epoch }) => {
      // Held: a slot that is given to another key's budget meanwhile would show that one.
      if (!cells.hold(slot, epoch)) return []
      const { limit, spent, reserved, window } = cells.usage(slot, windowAt(per, nowMs()))
      cells.release(slot)
      return [{ name, per, unit, limit, spent, reserved, resetsAtMs: windowEndMs(per, window) }]
    })
  }
}

type Ground = DeskOptions & { readonly cells: BudgetCells }

class LoopBudgetSet implements BudgetSet {
  readonly countsMoney: boolean
  readonly #ground: Ground
  readonly #budgets: readonly Known[]

  constructor(ground: Ground, budgets: readonly Known[]) {
    this.#ground = ground
    this.#budgets = budgets
    this.countsMoney = budgets.some(({ unit }) => unit === 'usd')
  }

  reserve(need: Amount, want: Amount): Reservation | BudgetRefusal {
    const { cells, ledger } = this.#ground
    // Those that were deleted since they were found no longer hold.
    const parts = this.#budgets.filter(({ slot, epoch }) => cells.hold(slot, epoch)).map((known) => new Part(known))
    const taken = take(this.#ground, parts, { need: whole(need), want: whole(want) })
    if ('full' in taken) return this.#refuse(parts, taken.full)
    const entry = ledger.open(chargesOf(parts))
    if (entry !== null) return new HeldReservation(this.#ground, { parts, entry, held: taken.amount })
    giveBack(cells, parts)
    return this.#unavailable(parts)
  }

  #refuse(parts: readonly Part[], full: Part): BudgetRefusal {
    const { cells, counters, nowMs } = this.#ground
    for (const { known } of parts) cells.release(known.slot)
    const { name, per, kind } = full.known
    counters.budgetRefused(kind)
    return { refused: true, budget: name, resetsAtMs: windowEndMs(per, windowAt(per, nowMs())), isUnavailable: false }
  }

  #unavailable(parts: readonly Part[]): BudgetRefusal {
    for (const { known } of parts) this.#ground.cells.release(known.slot)
    return { refused: true, budget: parts[0]?.known.name ?? '', resetsAtMs: null, isUnavailable: true }
  }
}

/** What is held of one budget, in the order in which it was reserved: more than once where a window ended in between. */
class Part {
  readonly known: Known
  readonly holds: { readonly window: number; readonly startMs: number; amount: number }[] = []

  constructor(known: Known) {
    this.known = known
  }

  add(window: number, amount: number): void {
    const last = this.holds.at(-1)
    if (last?.window === window) last.amount += amount
    else this.holds.push({ window, startMs: windowStartMs(this.known.per, window), amount })
  }
}

class HeldReservation implements Reservation {
  readonly refused = false
  readonly #ground: Ground
  readonly #parts: readonly Part[]
  readonly #entry: Entry
  #held: Amount
  #isSettled = false

  constructor(ground: Ground, { parts, entry, held }: { parts: readonly Part[]; entry: Entry; held: Amount }) {
    this.#ground = ground
    this.#parts = parts
    this.#entry = entry
    this.#held = held
  }

  get held(): Amount {
    return this.#held
  }

  extend(by: Amount): boolean {
    if (this.#isSettled) return false
    const want = whole(by)
    const further = this.#parts
      .filter(({ known: { unit } }) => amountOf(want, unit) > 0)
      .map(({ known }) => new Part(known))
    const taken = take(this.#ground, further, { need: NOTHING, want })
    if ('full' in taken) return false
    this.#held = { nano: this.#held.nano + taken.amount.nano, tokens: this.#held.tokens + taken.amount.tokens }
    for (const { known, holds } of further) {
      const part = this.#parts.find((each) => each.known === known)
      for (const { window, amount } of holds) part?.add(window, amount)
    }
    this.#ground.ledger.extend(this.#entry, chargesOf(further))
    return true
  }

  settle(amount: Amount): void {
    if (this.#isSettled) return
    this.#isSettled = true
    const { cells, counters, ledger } = this.#ground
    const spent = whole(amount)
    const charges: Charge[] = []
    for (const { known, holds } of this.#parts) {
      let rest = amountOf(spent, known.unit)
      for (const [i, { window, startMs, amount: held }] of holds.entries()) {
        // What was more than reserved belongs to the last of its windows.
        const share = i === holds.length - 1 ? rest : Math.min(rest, held)
        rest -= share
        const debt = cells.settle(known.slot, window, { held, spent: share })
        if (debt > 0 && known.unit === 'usd') counters.budgetDebt(debt)
        if (share > 0) charges.push(chargeOf(known, startMs, share))
      }
      cells.release(known.slot)
    }
    ledger.settle(this.#entry, charges, spent.nano > this.#held.nano || spent.tokens > this.#held.tokens)
  }
}

type Wish = { readonly need: Amount; readonly want: Amount }

/** Takes the same amount from all of them, or nothing; `full`: the one that has too little left. */
function take(
  { cells, nowMs }: Ground,
  parts: readonly Part[],
  { need, want }: Wish,
): { amount: Amount } | { full: Part } {
  let full = parts[0]
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const now = nowMs()
    let { nano, tokens } = want
    for (const part of parts) {
      const { slot, per, unit } = part.known
      const left = cells.left(slot, windowAt(per, now))
      if (left <= 0 || left < amountOf(need, unit)) return { full: part }
      if (unit === 'usd') nano = Math.min(nano, left)
      else tokens = Math.min(tokens, left)
    }
    full = takeAll({ cells, now }, parts, { nano, tokens })
    if (full === undefined) return { amount: { nano, tokens } }
  }
  // Only while others take all the time: less than there is, never more.
  return full === undefined ? { amount: NOTHING } : { full }
}

/** In the order of all event loops; given back where one of them has less left by now, which is returned. */
function takeAll(
  { cells, now }: { readonly cells: BudgetCells; readonly now: number },
  parts: readonly Part[],
  amount: Amount,
): Part | undefined {
  for (const part of parts) {
    const { slot, per, unit } = part.known
    const own = amountOf(amount, unit)
    const window = cells.take(slot, windowAt(per, now), own)
    if (window === REFUSED) {
      giveBack(cells, parts)
      return part
    }
    part.add(window, own)
  }
  return undefined
}

function giveBack(cells: BudgetCells, parts: readonly Part[]): void {
  for (const { known, holds } of parts) {
    for (const { window, amount } of holds) cells.settle(known.slot, window, { held: amount, spent: 0 })
    holds.length = 0
  }
}

const NOTHING: Amount = Object.freeze({ nano: 0, tokens: 0 })

function amountOf({ nano, tokens }: Amount, unit: Known['unit']): number {
  return unit === 'usd' ? nano : tokens
}

/** An amount that is no number must not stop the event loop. */
function whole({ nano, tokens }: Amount): Amount {
  return { nano: wholeNumber(nano), tokens: wholeNumber(tokens) }
}

function wholeNumber(amount: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.ceil(amount) || 0))
}

function chargesOf(parts: readonly Part[]): Charge[] {
  const charges: Charge[] = []
  for (const { known, holds } of parts) {
    for (const { startMs, amount } of holds) charges.push(chargeOf(known, startMs, amount))
  }
  return charges
}

function chargeOf({ id, unit }: Known, windowStart: number, amount: number): Charge {
  return unit === 'usd'
    ? { budgetId: id, windowStartMs: windowStart, nano: amount, tokens: 0 }
    : { budgetId: id, windowStartMs: windowStart, nano: 0, tokens: amount }
}
