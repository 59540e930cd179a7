// The budgets of a request where several nodes spend from them. What this node claims is reserved at once; for more, all nodes are asked, and
// only what none of them has left is refused.
//
//   reserve: all that is wanted, here --fits--> done      --no--> ask for it > again ... > nobody has more: as much as there is, or a refusal
import { type Known } from '../budget-index.js'
import { type Amount, type BudgetRefusal, type BudgetSet, type Reservation, type Reserved } from '../types.js'

/** What is wanted of one budget, in its unit; `epoch`: of its slot; `user`: the digest of the end user for whom it holds. */
export type Want = { readonly slot: number; readonly epoch: number; readonly user?: string; readonly amount: number }

/**
 * `granted`: it can be reserved now, unless another request is faster. `less`: no more is left of one of them. `crowded`: there are more end
 * users than one of them can tell apart. `away`: that cannot be told.
 */
export type Granted = 'granted' | 'less' | 'crowded' | 'away'

/** Asks what all nodes have left; for nothing, to see what they use. Never rejects. */
export type ClaimAsker = (wants: readonly Want[]) => Promise<Granted>

/** The same in this node alone. */
export type LocalSet = {
  readonly countsMoney: boolean
  readonly budgets: readonly Known[]
  /** `isTrial`: a refusal is not counted. */
  reserve(need: Amount, want: Amount, isTrial?: boolean): LocalReservation | BudgetRefusal
}

export type LocalReservation = Reservation & {
  /** `isWhole`: by all of it or by nothing. */
  extend(by: Amount, isWhole?: boolean): boolean
}

/** Others may be faster each time; then what is there has to do. */
const MAX_TRIES = 10

export class SharedBudgetSet implements BudgetSet {
  readonly countsMoney: boolean
  readonly budgets: readonly Known[]
  readonly #set: LocalSet
  readonly #ask: ClaimAsker

  constructor(set: LocalSet, ask: ClaimAsker) {
    this.countsMoney = set.countsMoney
    this.budgets = set.budgets
    this.#set = set
    this.#ask = ask
  }

  reserve(need: Amount, want: Amount): Reserved | Promise<Reserved> {
    const reserved = this.#set.reserve(want, want, true)
    if (reserved.refused) return reserved.isUnavailable ? reserved : this.#askFor(need, want)
    return this.#shared(reserved)
  }

  async #askFor(need: Amount, want: Amount): Promise<Reserved> {
    const wants = wantsOf(this.budgets, want)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const granted = await this.#ask(wants)
      if (granted === 'away') return this.#unavailable()
      if (granted === 'crowded') return this.#crowded(need, want)
      if (granted === 'less') break
      const reserved = this.#set.reserve(want, want, true)
      if (!reserved.refused) return this.#shared(reserved)
      if (reserved.isUnavailable) return reserved
    }
    const reserved = this.#set.reserve(need, want)
    return reserved.refused ? reserved : this.#shared(reserved)
  }

  /** Nothing is claimed for the user, so it is refused, or more is missing of another one. */
  #crowded(need: Amount, want: Amount): Reserved {
    const reserved = this.#set.reserve(need, want)
    if (!reserved.refused) return this.#shared(reserved)
    const isOfUser = this.budgets.some(({ name, user }) => user !== undefined && name === reserved.budget)
    return isOfUser ? { ...reserved, isCrowded: true } : reserved
  }

  #shared(reservation: LocalReservation): SharedReservation {
    return new SharedReservation(reservation, this.budgets, this.#ask)
  }

  #unavailable(): BudgetRefusal {
    return { refused: true, budget: this.budgets[0]?.name ?? '', resetsAtMs: null, isUnavailable: true }
  }
}

/**
 * Budgets that this gateway cannot hold as it is configured: it does not know what is spent on other nodes, so requests that fall under them
 * are refused. They cannot be created here, and prevent the start; but another node with another configuration may create one.
 */
export class UntoldBudgetSet implements BudgetSet {
  readonly countsMoney: boolean
  readonly budgets: readonly Known[]

  constructor(budgets: readonly Known[]) {
    this.countsMoney = budgets.some(({ unit }) => unit === 'usd')
    this.budgets = budgets
  }

  reserve(): BudgetRefusal {
    const budget = this.budgets[0]?.name ?? ''
    return { refused: true, budget, resetsAtMs: null, isUnavailable: true, isLasting: true }
  }
}

class SharedReservation implements Reservation {
  readonly refused = false
  readonly #local: LocalReservation
  readonly #budgets: readonly Known[]
  readonly #ask: ClaimAsker

  constructor(local: LocalReservation, budgets: readonly Known[], ask: ClaimAsker) {
    this.#local = local
    this.#budgets = budgets
    this.#ask = ask
  }

  get held(): Amount {
    return this.#local.held
  }

  get written(): Promise<boolean> {
    return this.#local.written
  }

  extend(by: Amount): boolean | Promise<boolean> {
    return this.#local.extend(by, true) || this.#askFor(by)
  }

  settle(spent: Amount): void {
    this.#local.settle(spent)
  }

  /** By what there is, be it less. Nothing happens where it is settled meanwhile. */
  async #askFor(by: Amount): Promise<boolean> {
    await this.#ask(wantsOf(this.#budgets, by))
    return this.#local.extend(by)
  }
}

function wantsOf(budgets: readonly Known[], { nano, tokens }: Amount): Want[] {
  return budgets.map(({ slot, epoch, unit, user }) => {
    const amount = Math.ceil(unit === 'usd' ? nano : tokens)
    return user === undefined ? { slot, epoch, amount } : { slot, epoch, user, amount }
  })
}
