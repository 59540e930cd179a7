// How long an outage is borne, and the pauses between the attempts in it. Each is drawn from a range that doubles, so that the clients
// of a gateway that restarts do not all come back at once.

export type PatienceOptions = {
  /** From the first failure on; after it no further attempt is made. */
  readonly maxOfflineMs: number
  /** Draws the pauses, from 0 up to 1. */
  readonly random?: (() => number) | undefined
  readonly now?: () => number
}

/** The first pause is at most this. */
const FIRST_PAUSE_MS = 250
/** A client that is back in its network should not wait much longer than a person would. */
const LONGEST_PAUSE_MS = 5000

/** A node may hear of a stream of another node a moment after the client has its id: it is believed the third time that it does not. */
export const UNKNOWN_ATTEMPTS = 3

/** The attempts of one outage; `reset` ends it. */
export class Patience {
  readonly #maxOfflineMs: number
  readonly #random: () => number
  readonly #now: () => number
  #attempts = 0
  #sinceMs: number | null = null

  constructor({ maxOfflineMs, random = Math.random, now = () => performance.now() }: PatienceOptions) {
    this.#maxOfflineMs = maxOfflineMs
    this.#random = random
    this.#now = now
  }

  /** The connection works again. */
  reset(): void {
    this.#attempts = 0
    this.#sinceMs = null
  }

  /** The pause before the next attempt, at least `leastMs`; null when the time is up. The last attempt is at its end. */
  next(leastMs = 0): number | null {
    const nowMs = this.#now()
    this.#sinceMs ??= nowMs
    const leftMs = this.#sinceMs + this.#maxOfflineMs - nowMs
    if (leftMs <= 0) return null
    const mostMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts)
    this.#attempts += 1
    return Math.min(leftMs, Math.max(leastMs, mostMs * this.#random()))
  }

  /** Waits for the next attempt; false when the time is up, or at once when the signal is aborted. */
  async pause(signal: AbortSignal | null, leastMs = 0): Promise<boolean> {
    const ms = signal?.aborted === true ? null : this.next(leastMs)
    if (ms === null) return false
    await sleep(ms, signal)
    return signal?.aborted !== true
  }
}

/** Resolves after a time, or when the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal | null = null): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal?.addEventListener('abort', wake)
  })
}
