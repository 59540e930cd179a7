// What one attempt has reserved in its budgets: made before it is sent, and settled once, however it ends.
import { type Amount, type Reservation } from '../../accounts/budgets/types.js'
import { type Usage } from '../../model/usage.js'
import { costOf, isPriced } from '../../prices/cost.js'
import { type Rates } from '../../prices/types.js'
import { amountOfOutput, type Bound, payableOutput } from './bound.js'
import { type ModelUse } from './learned.js'

const NOTHING: Amount = Object.freeze({ nano: 0, tokens: 0 })

export type HoldParts = {
  readonly reservation: Reservation
  /** Those by which it was reserved, and is settled; null where no price is known. */
  readonly rates: Rates | null
  readonly use: ModelUse
  /** Of the input, before what was learned. */
  readonly estimatedTokens: number
  /** The most output tokens that each answer may have; null if nothing has to be sent for that. */
  readonly cap: number | null
  readonly bound: Bound
  /** Output tokens by which a stream that is counted while it runs is extended; null for all others. */
  readonly stepTokens: number | null
}

/** What was spent, and how it is known. */
export type Spent = {
  readonly usage: Usage
  /** The provider has counted all of it. */
  readonly isCounted: boolean
  /** Its tokens are what it costs. False for images and audio whose provider counts none. */
  readonly isCountable: boolean
  /** Bytes of content that have arrived; 0 where they are not its text. */
  readonly contentBytes: number
}

export class Hold {
  readonly #parts: HoldParts

  constructor(parts: HoldParts) {
    this.#parts = parts
  }

  /** Sent to the provider: no answer may cost more than what is reserved. */
  get cap(): number | null {
    return this.#parts.cap
  }

  /** @see Reservation.written */
  get written(): Promise<boolean> {
    return this.#parts.reservation.written
  }

  /** It is counted while it runs. */
  get isCounted(): boolean {
    return this.#parts.stepTokens !== null
  }

  /** Output tokens that what is reserved pays for. */
  get payableOutput(): number {
    return payableOutput(this.#parts.bound, this.#parts.reservation.held)
  }

  get tokensPerByte(): number {
    return this.#parts.use.tokensPerByte
  }

  /**
   * Reserves for more output, and for so many tokens that were used beyond what is reserved; false if nothing is left. A promise where other
   * nodes have to be asked.
   */
  extend(beyond: number): boolean | Promise<boolean> {
    const { reservation, bound, stepTokens } = this.#parts
    return reservation.extend(amountOfOutput(bound, (stepTokens ?? 0) + beyond))
  }

  /**
   * It has reached its provider: replaces what was reserved by what was spent.
   * @returns its cost in nano-dollars; null where that is not known
   */
  charge({ usage, isCounted, isCountable, contentBytes }: Spent): number | null {
    const { reservation, rates, use, estimatedTokens } = this.#parts
    if (!isCountable || (rates !== null && !isPriced(rates, usage))) {
      // Never free: as much as was expected.
      reservation.settle(reservation.held)
      return null
    }
    const { inputTokens, outputTokens } = usage
    const nano = rates === null ? null : costOf(rates, usage)
    reservation.settle({ nano: nano ?? 0, tokens: inputTokens + outputTokens })
    if (isCounted) {
      use.noteInput(inputTokens, estimatedTokens)
      use.noteOutput(outputTokens, contentBytes)
      if (usage.parts.serviceTier !== null) use.noteServiceTier(usage.parts.serviceTier)
    }
    return nano
  }

  /** It has cost nothing. Nothing happens after `charge`. */
  release(): void {
    this.#parts.reservation.settle(NOTHING)
  }
}
