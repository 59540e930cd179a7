// An attempt's hold on its provider: the concurrency slots and the running call. Each is released exactly once.
//
//   hold -> carry -> linger (answer complete: slot back, the connection gets a moment) -> close
//                 '-> close  (failure, abort: both back at once)
import { type Limiter } from '../../limit/limiter.js'
import { type RouteTarget } from '../../routing/router.js'
import { type UpstreamCall } from '../../upstream/call.js'

/** After the end marker, how long the upstream may take to end its body and so leave its connection to be used again. */
const TAIL_MS = 1000

export class UpstreamLease {
  readonly #limiter: Limiter
  readonly #routed: RouteTarget
  #holdsSlot = true
  #isOpen = true
  #call: UpstreamCall | null = null
  #tail: NodeJS.Timeout | null = null

  /** Takes over the slots of provider and target. */
  constructor(limiter: Limiter, routed: RouteTarget) {
    this.#limiter = limiter
    this.#routed = routed
  }

  /** The call that runs on it. */
  carry(call: UpstreamCall): void {
    this.#call = call
  }

  /** A token has arrived: extends the time limit of the call. */
  sawToken(): void {
    this.#call?.sawToken()
  }

  /** The answer is complete: the provider works no more, and only its connection is still worth something. */
  linger(): void {
    this.#leaveProvider()
    if (this.#isOpen) this.#tail = setTimeout(() => this.close(), TAIL_MS)
  }

  /** Gives back all that is still held; a call that still runs is aborted. Idempotent. */
  close(): void {
    this.#leaveProvider()
    if (!this.#isOpen) return
    this.#isOpen = false
    if (this.#tail !== null) clearTimeout(this.#tail)
    this.#call?.abort()
  }

  #leaveProvider(): void {
    if (!this.#holdsSlot) return
    this.#holdsSlot = false
    this.#limiter.leaveProvider(this.#routed.providerIndex)
    if (this.#routed.slot >= 0) this.#limiter.leaveTarget(this.#routed.slot)
  }
}
