// Sheds load that this event loop cannot keep up with. How late its timers run is how long a new request waits before anybody
// looks at it; a delay that stands, rather than a peak, means that more comes in than is done (CoDel, RFC 8289). Then a share
// of the new requests is refused, which grows while the delay stays above its target and shrinks below (PIE, RFC 8033): all or
// nothing would swing between idle and overrun. Pure but for its own state: samples and randomness are passed in.
import { GatewayError } from '../errors.js'

/** The least sample of so long a time is the delay that stands: a peak, such as a collection, is forgiven. */
const WINDOW_MS = 400
/** However long samples took, they are a peak until so many say the same: a machine that starves us is not more work than we can do. */
const MIN_SAMPLES = 3
/** What the share gains in a second at twice the target, and loses at none: all but shut within a second, and open again as soon. */
const SHARE_PER_SEC = 1
/** How far beyond the target counts, in targets. */
const MAX_EXCESS = 2
/** Some are always let in: they show that the loop can be reached again, whatever the samples say. */
const MAX_SHARE = 0.95
/** The share is felt within a second; coming back earlier only meets the same. */
const RETRY_AFTER_MS = 1000

type Sample = { readonly lagMs: number; readonly spanMs: number }

/** One event loop's. */
export class Shedder {
  #recent: Sample[] = []
  #share = 0

  /** The share of new requests that is refused now, 0 to 1. */
  get share(): number {
    return this.#share
  }

  /** Takes a sample of the event loop's delay, and over how long it was taken; `targetMs` null sheds nothing. */
  sample({ lagMs, spanMs }: Sample, targetMs: number | null): void {
    this.#recent.push({ lagMs, spanMs })
    while (this.#recent.length > MIN_SAMPLES && coveredMs(this.#recent.slice(1)) >= WINDOW_MS) this.#recent.shift()
    if (targetMs === null || this.#recent.length < MIN_SAMPLES || coveredMs(this.#recent) < WINDOW_MS) {
      this.#share = 0
      return
    }
    const standingMs = Math.min(...this.#recent.map((sample) => sample.lagMs))
    const excess = Math.min(MAX_EXCESS, standingMs / targetMs - 1)
    // By time, not by sample: the later a loop is, the fewer samples it takes.
    const step = (SHARE_PER_SEC * excess * spanMs) / 1000
    this.#share = Math.min(MAX_SHARE, Math.max(0, this.#share + step))
  }

  /** Why a new request is turned away, or null; `random` is 0 to 1. */
  refusal(random: number): GatewayError | null {
    if (random >= this.#share) return null
    const message = 'The gateway is at capacity: it answers too late already.'
    return new GatewayError('overloaded', { message, retryAfterMs: RETRY_AFTER_MS })
  }
}

function coveredMs(samples: readonly Sample[]): number {
  return samples.reduce((sum, { spanMs }) => sum + spanMs, 0)
}
