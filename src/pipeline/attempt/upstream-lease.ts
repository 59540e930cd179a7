// An attempt's hold on its provider: the concurrency slots and the running call. Each is released exactly once.
//
//   hold -> carry -> linger (answer complete: slot back, the connection gets a moment) -> close
//                 '-> close  (failure, abort: both back at once)
import { type Limiter } from '../../limit/limiter.js'
import { type RouteTarget } from '../../routing/router.js'
import { type UpstreamCall } from '../../upstream/call.js'

/** How long the upstream may take after the end marker to end its body, so that its connection can be reused. */
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

  /** The answer is complete: the slot is released, and only the connection is still of use. */
  linger(): void {
    this.#leaveProvider()
    if (this.#isOpen) this.#tail = setTimeout(() => this.close(), TAIL_MS)
  }

  /** Releases everything still held; a running call is aborted. Idempotent. */
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
