// Counts what a stream costs while it runs. A reservation that is nearly used up is extended; if no budget has anything left, it says so. Two
// comparisons for each piece of content, without allocation. Where other nodes have to be asked, the stream goes on until they answer.
import { type UsageReport } from '../../model/usage.js'
import { type Hold } from './hold.js'

/** The reservation is extended when so much of its last part is left. */
const LEFT = 1 / 4

/** What has arrived so far. */
export type Arrived = { readonly usage: UsageReport | null; readonly contentBytes: number }

export class StreamDebit {
  readonly #hold: Hold
  readonly #tokensPerByte: number
  /** Output tokens that are reserved, and at which the reservation is extended. */
  #payable: number
  #extendAt: number
  #isAsking = false
  /** All is used up, and no other node has any left. */
  #isRefused = false

  constructor(hold: Hold) {
    this.#hold = hold
    this.#tokensPerByte = hold.tokensPerByte
    this.#payable = hold.payableOutput
    this.#extendAt = this.#payable * (1 - LEFT)
  }

  /** False: it has used all that it may. Called for each piece of content. */
  isFunded({ usage, contentBytes }: Arrived): boolean {
    const estimated = contentBytes * this.#tokensPerByte
    const counted = usage === null || typeof usage === 'string' ? 0 : usage.outputTokens
    const used = counted > estimated ? counted : estimated
    return used < this.#extendAt || this.#extend(used)
  }

  #extend(used: number): boolean {
    if (this.#isAsking) return true
    if (this.#isRefused) {
      this.#isRefused = false
      return false
    }
    const extended = this.#hold.extend(Math.max(0, Math.ceil(used) - this.#payable))
    if (typeof extended === 'boolean') return this.#note(extended, used)
    this.#isAsking = true
    void extended.then((isExtended) => {
      this.#isAsking = false
      // What arrived meanwhile was not paid for.
      this.#isRefused = !isExtended && used >= this.#payable
      this.#note(isExtended, used)
    })
    return true
  }

  #note(isExtended: boolean, used: number): boolean {
    if (isExtended) {
      this.#payable = this.#hold.payableOutput
      this.#extendAt = this.#payable - (this.#payable - used) * LEFT
    } else {
      // Asked again when all is used up: others may have given something back by then.
      this.#extendAt = this.#payable
    }
    return used < this.#payable
  }
}
