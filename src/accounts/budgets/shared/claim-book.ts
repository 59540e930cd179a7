// The budgets of which this node may claim something, and the end users of those that tell them apart: found by what event loops ask for,
// and forgotten when nothing of them is claimed any more.
import { type Listed, type StoredBudget } from '../writer.js'
import { ClaimedBudget } from './claimed-budget.js'
import { ClaimedUsers, type UsersGround } from './claimed-users.js'
import { type Want } from './shared-set.js'

/** End users that are looked at with each beat, whether their windows are over: all that have room within a minute. */
const SWEPT_PER_BEAT = 2048
/** All of them, where there is no room; not with each request. */
const SWEEP_ALL_MS = 1000

export type BookGround = UsersGround & {
  /** It is to be told, or asked for. */
  readonly isBusy: (budget: ClaimedBudget) => boolean
  /** It is not known any more. */
  readonly onDrop: (budget: ClaimedBudget) => void
}

export class ClaimBook {
  readonly #ground: BookGround
  /** With those of end users. */
  readonly #byId = new Map<string, ClaimedBudget>()
  readonly #bySlot = new Map<number, ClaimedBudget>()
  /** Budgets that tell end users apart, by their slots. */
  readonly #users = new Map<number, ClaimedUsers>()
  #sweeping: Iterator<ClaimedBudget | null> | null = null
  #sweptAllMs = Number.NEGATIVE_INFINITY

  constructor(ground: BookGround) {
    this.#ground = ground
  }

  all(): Iterable<ClaimedBudget> {
    return this.#byId.values()
  }

  /** By its id, or that of an end user's part of it. */
  get(id: string): ClaimedBudget | null {
    return this.#byId.get(id) ?? null
  }

  has(budget: ClaimedBudget): boolean {
    return this.#byId.get(budget.id) === budget
  }

  /** A budget that is new, or was changed. @returns what is different now, with those of end users */
  put(place: Listed, stored: StoredBudget): readonly ClaimedBudget[] {
    if (stored.kind === 'user') return this.#putUsers(place, stored)
    const known = this.#byId.get(stored.id)
    if (known !== undefined) {
      known.change(stored, this.#ground.nowMs())
      return [known]
    }
    const { slot, facts } = place
    const budget = new ClaimedBudget(this.#ground.cells, { slot, id: facts.id, epoch: facts.epoch }, stored)
    this.#byId.set(budget.id, budget)
    this.#bySlot.set(budget.slot, budget)
    return []
  }

  #putUsers(place: Listed, stored: StoredBudget): readonly ClaimedBudget[] {
    const known = this.#users.get(place.slot)
    if (known?.epoch !== place.facts.epoch) {
      this.#users.set(place.slot, new ClaimedUsers(this.#ground, place, stored))
      return []
    }
    const changed = known.change(stored)
    for (const budget of changed) this.#byId.set(budget.id, budget)
    return changed
  }

  remove(id: string): void {
    const budget = this.#byId.get(id)
    if (budget !== undefined) {
      this.#bySlot.delete(budget.slot)
      this.#drop(budget)
    }
    for (const [slot, users] of this.#users) {
      if (users.id !== id) continue
      this.#users.delete(slot)
      for (const each of users.removeAll()) this.#drop(each)
    }
  }

  /** Of what so much is wanted. Undefined: it was deleted, and holds no more. Null: there is no room for one more end user. */
  find({ slot, epoch, user }: Want): ClaimedBudget | null | undefined {
    if (user === undefined) {
      const budget = this.#bySlot.get(slot)
      return budget?.epoch === epoch ? budget : undefined
    }
    const users = this.#users.get(slot)
    if (users?.epoch !== epoch) return undefined
    const claimed = users.of(user) ?? (this.#sweepAll() ? users.of(user) : null)
    if (claimed !== null) this.#byId.set(claimed.id, claimed)
    return claimed
  }

  /** With each beat: some of the end users whose windows are over. */
  sweepSome(): void {
    if (this.#users.size === 0) return
    this.#sweeping ??= this.#sweep()
    for (let i = 0; i < SWEPT_PER_BEAT; i++) {
      const { done, value } = this.#sweeping.next()
      if (done === true) {
        this.#sweeping = null
        return
      }
      if (value !== null) this.#drop(value)
    }
  }

  /** So that those whose windows are over make room. False: that was done just now. */
  #sweepAll(): boolean {
    const nowMs = performance.now()
    if (nowMs - this.#sweptAllMs < SWEEP_ALL_MS) return false
    this.#sweptAllMs = nowMs
    for (const dropped of this.#sweep()) if (dropped !== null) this.#drop(dropped)
    return true
  }

  *#sweep(): Generator<ClaimedBudget | null> {
    for (const users of this.#users.values()) yield* users.sweep(this.#ground.isBusy)
  }

  #drop(budget: ClaimedBudget): void {
    this.#byId.delete(budget.id)
    this.#ground.onDrop(budget)
    budget.refuse()
  }
}
