// The budgets of one event loop: which of them hold for a request, and what its attempts reserve and spend. Every reservation is in the
// cells of all its budgets or in none at once, and in the journal before its request is sent.
import { type Account } from '../types.js'
import { BudgetIndex, type Known, type MatchesGlob } from './budget-index.js'
import { BudgetCells, REFUSED } from './cells.js'
import { Part } from './charge.js'
import { type Entry, type Ledger } from './ledger.js'
import { type BudgetMemory, type SubjectKind } from './memory.js'
import { type ClaimAsker, SharedBudgetSet, UntoldBudgetSet } from './shared/shared-set.js'
import {
  type Amount,
  type BudgetDesk,
  type BudgetRefusal,
  type BudgetSet,
  type BudgetUsage,
  type Reservation,
  type Spender,
} from './types.js'
import { CROWDED, digestOfUser, UserSlots } from './user-slots.js'
import { PresentWindows, windowAt, windowEndMs, windowStartMs } from './windows.js'

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
  /** Asks for more of what all nodes share; absent: this is the only one. */
  readonly claims?: ClaimAsker | null
}

/** What is counted of budgets, by what they apply to. */
export type BudgetCounters = {
  budgetRefused(kind: SubjectKind): void
  /** Nano-dollars that were spent beyond a budget. */
  budgetDebt(nano: number): void
}

/** Of one key, which of them hold for a model; beyond it they are looked for again. */
const MAX_MODELS = 64
/** In place of the key of a caller without one, or with one of the configuration file. */
const NO_ACCOUNT = Object.freeze({})

/** With the budgets that are in it. */
type FoundSet = BudgetSet & { readonly budgets: readonly Known[] }

type Sets = Map<string, FoundSet | null>

export class LoopBudgets implements BudgetDesk {
  readonly #ground: Ground
  readonly #index: BudgetIndex
  /** By key and model, as long as no budget is created or deleted; a key that changes is another object. */
  #sets = new WeakMap<object, Sets>()
  #version = 0

  constructor(options: DeskOptions) {
    const cells = new BudgetCells(options.memory)
    const users = new UserSlots(options.memory, cells, options.nowMs)
    this.#ground = { ...options, cells, users, windows: new PresentWindows() }
    this.#index = new BudgetIndex(options.memory, options.matchesGlob)
  }

  budgetsOf({ owner, accountIndex, model, user }: Spender): BudgetSet | null {
    const index = this.#index
    if (index.isEmpty) return null
    const account = accountIndex < 0 ? null : this.#ground.account(accountIndex)
    // Deleted just now: only its id is known.
    if (account === null && accountIndex >= 0) return this.#find(owner, null, model)
    const { version } = index
    if (version !== this.#version) {
      this.#version = version
      this.#sets = new WeakMap()
    }
    const common = this.#commonOf(account, model)
    return user === null ? common : this.#withUsers(common, account, user)
  }

  #commonOf(account: Account | null, model: string): FoundSet | null {
    const index = this.#index
    const sets = this.#setsOf(account ?? NO_ACCOUNT)
    const name = index.hasModels ? model : ''
    const known = sets.get(name)
    if (known !== undefined) return known
    if (sets.size >= MAX_MODELS) sets.clear()
    const found = this.#find(account?.id ?? null, account, model)
    sets.set(name, found)
    return found
  }

  /** Those of the user as well. */
  #withUsers(common: FoundSet | null, account: Account | null, user: string): BudgetSet | null {
    const own = this.#index.ofUsers(account?.id ?? null, account?.team?.id ?? null)
    if (own.length === 0) return common
    if (this.#index.isUnheld) return new UntoldBudgetSet(own)
    const digest = digestOfUser(user)
    const budgets = [...(common?.budgets ?? []), ...own.map((known) => ({ ...known, user: digest }))]
    budgets.sort((a, b) => a.slot - b.slot)
    return this.#setOf(budgets)
  }

  #setsOf(account: object): Sets {
    const known = this.#sets.get(account)
    if (known !== undefined) return known
    const sets: Sets = new Map()
    this.#sets.set(account, sets)
    return sets
  }

  #find(keyId: string | null, account: Account | null, model: string): FoundSet | null {
    const found = this.#index.find({ keyId, teamId: account?.team?.id ?? null, tags: account?.tags ?? [], model })
    if (found === null) return null
    if (this.#index.isUnheld) return new UntoldBudgetSet(found)
    return this.#setOf(found)
  }

  #setOf(budgets: readonly Known[]): FoundSet {
    const set = new LoopBudgetSet(this.#ground, budgets)
    const { claims = null } = this.#ground
    return claims === null ? set : new SharedBudgetSet(set, claims)
  }

  /** Where the budgets of a key of the database are. */
  placesOf(keyId: string): { readonly slot: number; readonly epoch: number }[] {
    return this.#index.ofKey(keyId).map(({ slot, epoch }) => ({ slot, epoch }))
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

type Ground = DeskOptions & {
  readonly cells: BudgetCells
  readonly users: UserSlots
  readonly windows: PresentWindows
}

class LoopBudgetSet implements BudgetSet {
  readonly countsMoney: boolean
  readonly budgets: readonly Known[]
  readonly #ground: Ground

  constructor(ground: Ground, budgets: readonly Known[]) {
    this.#ground = ground
    this.budgets = budgets
    this.countsMoney = budgets.some(({ unit }) => unit === 'usd')
  }

  /** `isTrial`: a refusal is not counted. */
  reserve(need: Amount, want: Amount, isTrial = false): HeldReservation | BudgetRefusal {
    const { users, ledger } = this.#ground
    const parts: Part[] = []
    // Those that were deleted since they were found no longer hold.
    for (const known of this.budgets) {
      const held = users.hold(known)
      if (held === CROWDED) return { ...this.#refuse(parts, known, isTrial), isCrowded: true }
      if (held !== null) parts.push(new Part(held))
    }
    const taken = take(this.#ground, parts, { need: whole(need), want: whole(want) })
    if (taken instanceof Part) return this.#refuse(parts, taken.known, isTrial)
    return new HeldReservation(this.#ground, { parts, entry: ledger.open(parts), held: taken })
  }

  #refuse(parts: readonly Part[], full: Known, isTrial: boolean): BudgetRefusal {
    const { cells, counters, nowMs } = this.#ground
    for (const { known } of parts) cells.release(known.slot)
    const { name, per, kind } = full
    if (!isTrial) counters.budgetRefused(kind)
    return { refused: true, budget: name, resetsAtMs: windowEndMs(per, windowAt(per, nowMs())), isUnavailable: false }
  }
}

type HeldParts = { readonly parts: readonly Part[]; readonly entry: Entry; readonly held: Amount }

class HeldReservation implements Reservation {
  readonly refused = false
  readonly #ground: Ground
  readonly #parts: readonly Part[]
  readonly #entry: Entry
  #held: Amount
  #isSettled = false

  constructor(ground: Ground, { parts, entry, held }: HeldParts) {
    this.#ground = ground
    this.#parts = parts
    this.#entry = entry
    this.#held = held
  }

  get held(): Amount {
    return this.#held
  }

  get written(): Promise<boolean> {
    return this.#entry.written
  }

  /** `isWhole`: by all of it or by nothing. */
  extend(by: Amount, isWhole = false): boolean {
    if (this.#isSettled) return false
    const want = whole(by)
    const further = this.#parts
      .filter(({ known: { unit } }) => amountOf(want, unit) > 0)
      .map(({ known }) => new Part(known))
    const taken = take(this.#ground, further, { need: isWhole ? want : NOTHING, want })
    if (taken instanceof Part) return false
    this.#held = { nano: this.#held.nano + taken.nano, tokens: this.#held.tokens + taken.tokens }
    this.#ground.ledger.extend(this.#entry, further)
    for (const part of further) this.#parts.find(({ known }) => known === part.known)?.add(part)
    return true
  }

  settle(amount: Amount): void {
    if (this.#isSettled) return
    this.#isSettled = true
    const { cells, ledger } = this.#ground
    const spent = whole(amount)
    const charges: Part[] = []
    for (const first of this.#parts) {
      let rest = amountOf(spent, first.known.unit)
      for (let part: Part | null = first; part !== null; part = part.later) {
        // What was more than reserved belongs to the last of its windows.
        const share: number = part.later === null ? rest : Math.min(rest, part.amount)
        rest -= share
        this.#settlePart(part, share)
        if (share > 0) charges.push(part)
      }
      cells.release(first.known.slot)
    }
    ledger.settle(this.#entry, charges, spent.nano > this.#held.nano || spent.tokens > this.#held.tokens)
  }

  #settlePart(part: Part, spent: number): void {
    const { cells, counters } = this.#ground
    const { slot, unit } = part.known
    const debt = cells.settle(slot, part.window, { held: part.amount, spent })
    if (debt > 0 && unit === 'usd') counters.budgetDebt(debt)
    part.amount = spent
  }
}

type Wish = { readonly need: Amount; readonly want: Amount }

/** Takes the same amount from all of them, or nothing; @returns the amount, or the part that has too little left */
function take(ground: Ground, parts: readonly Part[], { need, want }: Wish): Amount | Part {
  // Mostly there is enough of all of them, and nothing has to be looked at before.
  let full = takeAll(ground, parts, want)
  if (full === undefined) return want
  const { cells, windows, nowMs } = ground
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const now = nowMs()
    let { nano, tokens } = want
    for (const part of parts) {
      const { slot, per, unit } = part.known
      const left = cells.left(slot, windows.at(per, now).number)
      if (left <= 0 || left < amountOf(need, unit)) return part
      if (unit === 'usd') nano = Math.min(nano, left)
      else tokens = Math.min(tokens, left)
    }
    const amount = { nano, tokens }
    full = takeAll(ground, parts, amount)
    if (full === undefined) return amount
  }
  // Only while others take all the time: less than there is, never more.
  return full
}

/** In the order of all event loops; given back where one of them has less left, which is returned. */
function takeAll({ cells, windows, nowMs }: Ground, parts: readonly Part[], amount: Amount): Part | undefined {
  const now = nowMs()
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part
    const { slot, per, unit } = part.known
    const own = amountOf(amount, unit)
    const present = windows.at(per, now)
    const window = cells.take(slot, present.number, own)
    if (window === REFUSED) {
      giveBack(cells, parts, i)
      return part
    }
    part.window = window
    part.windowStartMs = window === present.number ? present.startMs : windowStartMs(per, window)
    part.amount = own
  }
  return undefined
}

/** The first ones, so many. */
function giveBack(cells: BudgetCells, parts: readonly Part[], count: number): void {
  for (const { known, window, amount } of parts.slice(0, count)) {
    cells.settle(known.slot, window, { held: amount, spent: 0 })
  }
}

const NOTHING: Amount = Object.freeze({ nano: 0, tokens: 0 })

function amountOf({ nano, tokens }: Amount, unit: Known['unit']): number {
  return unit === 'usd' ? nano : tokens
}

/** An amount that is no number must not stop the event loop. */
function whole(amount: Amount): Amount {
  const { nano, tokens } = amount
  const [wholeNano, wholeTokens] = [wholeNumber(nano), wholeNumber(tokens)]
  return wholeNano === nano && wholeTokens === tokens ? amount : { nano: wholeNano, tokens: wholeTokens }
}

function wholeNumber(amount: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.ceil(amount) || 0))
}
