// Bounds the codec work that one turn of an event loop does inline: a turn with a hundred bodies just below the pool's threshold
// would delay all other requests until they are done. Counts bytes, never time.

/**
 * Two to six milliseconds of reading, by what a body is made of (bench/README.md, "From which size on the pool pays off").
 * Two bodies of the default threshold, so that a quiet gateway never goes by another rule than `offload.minBytes`.
 */
export const TURN_BYTES = 512 * 1024
/** Below this the way to a worker costs the event loop more than the work, whatever the body is made of (the same table). */
export const MIN_SPILL_BYTES = 64 * 1024

/** The bytes that this turn has taken; one for each event loop. */
export class TurnShare {
  readonly #defer: (reset: () => void) => void
  readonly #reset: () => void
  #bytes = 0

  /** `defer` calls back when the turn is over: `setImmediate` unless given. */
  constructor(defer: (reset: () => void) => void = setImmediate) {
    this.#defer = defer
    this.#reset = () => {
      this.#bytes = 0
    }
  }

  /** Whether this turn does so many bytes itself; if so they are counted. Small ones and the first of a turn always are. */
  take(bytes: number): boolean {
    if (this.#bytes > 0 && bytes >= MIN_SPILL_BYTES && this.#bytes + bytes > TURN_BYTES) return false
    if (bytes === 0) return true
    if (this.#bytes === 0) this.#defer(this.#reset)
    this.#bytes += bytes
    return true
  }
}
