// Sheds load that this event loop cannot keep up with. How late its timers run is how long a new request waits before anybody
// looks at it; a delay that stands, rather than a peak, means that more comes in than is done (CoDel, RFC 8289). Then a share
// of the new requests is refused, which grows while the delay stays above its target and shrinks below (PIE, RFC 8033): all or
// nothing would swing between idle and overrun. Pure but for its own state: samples and randomness are passed in.
import { GatewayError } from '../errors.js'

/** The least of so many samples is the delay that stands. At 50 ms each a peak of 200 ms, such as a collection, is forgiven. */
const WINDOW_SAMPLES = 4
/** What one sample at twice the target adds to the share: all but shut within a second, and open again as soon. */
const STEP = 0.05
/** How far beyond the target counts, in targets. */
const MAX_EXCESS = 2
/** Some are always let in: they show that the loop can be reached again, whatever the samples say. */
const MAX_SHARE = 0.95
/** The share is felt within a second; coming back earlier only meets the same. */
const RETRY_AFTER_MS = 1000

/** One event loop's. */
export class Shedder {
  readonly #recentMs: number[] = []
  #share = 0

  /** The share of new requests that is refused now, 0 to 1. */
  get share(): number {
    return this.#share
  }

  /** Takes a sample of the event loop's delay; `targetMs` null sheds nothing. */
  sample(lagMs: number, targetMs: number | null): void {
    this.#recentMs.push(lagMs)
    if (this.#recentMs.length > WINDOW_SAMPLES) this.#recentMs.shift()
    if (targetMs === null || this.#recentMs.length < WINDOW_SAMPLES) {
      this.#share = 0
      return
    }
    const excess = Math.min(MAX_EXCESS, Math.min(...this.#recentMs) / targetMs - 1)
    this.#share = Math.min(MAX_SHARE, Math.max(0, this.#share + STEP * excess))
  }

  /** Why a new request is turned away, or null; `random` is 0 to 1. */
  refusal(random: number): GatewayError | null {
    if (random >= this.#share) return null
    const message = 'The gateway is at capacity: it answers too late already.'
    return new GatewayError('overloaded', { message, retryAfterMs: RETRY_AFTER_MS })
  }
}
