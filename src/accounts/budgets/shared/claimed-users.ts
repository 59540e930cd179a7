// What one node claims of a budget for each of its end users: as of any other budget, from the first request of a user on. It is known until
// its window is over and nobody needs it, since it is told anew on each connection.
import { type BudgetCells } from '../cells.js'
import { type UserSlots, userBudgetId } from '../user-slots.js'
import { windowAt } from '../windows.js'
import { type Listed, type StoredBudget } from '../writer.js'
import { ClaimedBudget, type Terms } from './claimed-budget.js'

type Adjusted = { readonly plus: number; readonly minus: number }

const UNADJUSTED: Adjusted = Object.freeze({ plus: 0, minus: 0 })

export type UsersGround = { readonly cells: BudgetCells; readonly slots: UserSlots; readonly nowMs: () => number }

/** One thread alone has it. */
export class ClaimedUsers {
  readonly id: string
  readonly slot: number
  readonly epoch: number
  readonly #ground: UsersGround
  readonly #claims = new Map<string, ClaimedBudget>()
  /** What the database knew when the budget was read, for a start without Redis. */
  readonly #spent: ReadonlyMap<string, number>
  readonly #spentMs: number
  #adjusted: ReadonlyMap<string, Adjusted>
  #terms: StoredBudget

  constructor(ground: UsersGround, { slot, facts: { id, epoch } }: Listed, stored: StoredBudget) {
    this.id = id
    this.slot = slot
    this.epoch = epoch
    this.#ground = ground
    this.#terms = stored
    this.#spent = new Map((stored.users ?? []).map(({ digest, spent }) => [digest, spent]))
    this.#spentMs = stored.startMs
    this.#adjusted = adjustedOf(stored)
  }

  /** The claim of a user, which is new with its first request. Null: there is no room for one more. */
  of(digest: string): ClaimedBudget | null {
    const known = this.#claims.get(digest)
    if (known !== undefined) return known
    const { slot, epoch } = this
    const { cells, slots } = this.#ground
    const place = slots.of({ slot, epoch, per: this.#terms.per }, digest)
    // Held, so that its cells are not another user's while something is claimed in them.
    if (place === null || !cells.hold(place.slot, place.epoch)) return null
    const budget = new ClaimedBudget(cells, { ...place, id: userBudgetId(this.id, digest) }, this.#termsOf(digest))
    this.#claims.set(digest, budget)
    return budget
  }

  peek(digest: string): ClaimedBudget | null {
    return this.#claims.get(digest) ?? null
  }

  /** @returns those of which something is to be told: all where the limit is another, or those that were adjusted */
  change(stored: StoredBudget): ClaimedBudget[] {
    const former = this.#adjusted
    const isChanged = stored.version !== this.#terms.version
    this.#terms = stored
    this.#adjusted = adjustedOf(stored)
    const moved = [...this.#adjusted.keys()].filter((digest) => !isSame(former.get(digest), this.#adjusted.get(digest)))
    const told = moved.flatMap((digest) => this.of(digest) ?? [])
    const nowMs = this.#ground.nowMs()
    const changed = isChanged ? this.#claims : new Map(moved.map((digest) => [digest, this.#claims.get(digest)]))
    for (const [digest, budget] of changed) budget?.change(this.#termsOf(digest), nowMs)
    return isChanged ? [...this.#claims.values()] : told
  }

  /** Those whose windows are over are not known any more, except for `isBusy`. */
  *sweep(isBusy: (budget: ClaimedBudget) => boolean): Generator<ClaimedBudget | null> {
    for (const [digest, budget] of this.#claims) {
      if (isBusy(budget) || !budget.isOver(this.#ground.nowMs())) yield null
      else {
        this.#forget(digest, budget)
        yield budget
      }
    }
  }

  /** The budget is gone. */
  removeAll(): ClaimedBudget[] {
    const all = [...this.#claims]
    for (const [digest, budget] of all) this.#forget(digest, budget)
    return all.map(([, budget]) => budget)
  }

  #forget(digest: string, budget: ClaimedBudget): void {
    this.#claims.delete(digest)
    this.#ground.cells.release(budget.slot)
  }

  #termsOf(digest: string): Terms {
    const terms = this.#terms
    const { per } = terms
    const { plus, minus } = this.#adjusted.get(digest) ?? UNADJUSTED
    const isOfThen = windowAt(per, this.#ground.nowMs()) === windowAt(per, this.#spentMs)
    const spent = isOfThen ? (this.#spent.get(digest) ?? 0) : 0
    return { ...terms, plus, minus, spent }
  }
}

function adjustedOf({ users = [] }: StoredBudget): ReadonlyMap<string, Adjusted> {
  return new Map(
    users.flatMap(({ digest, plus = 0, minus = 0 }) => (plus + minus > 0 ? [[digest, { plus, minus }]] : [])),
  )
}

function isSame(a: Adjusted = UNADJUSTED, b: Adjusted = UNADJUSTED): boolean {
  return a.plus === b.plus && a.minus === b.minus
}
