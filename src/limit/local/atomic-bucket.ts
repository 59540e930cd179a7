// A token bucket whose state is one cell of shared memory: all event loops take from it, each by one
// compare-and-swap, so that the limit is exact without a lock. Knows nothing of keys, scopes or errors.

import { type BucketState } from '../limiter.js'
import { REFUSED, TokenBucket, ticksOf } from './token-bucket.js'

/** A view of one shared bucket; each event loop has its own. */
export class AtomicBucket {
  readonly #bucket: TokenBucket
  readonly #cells: BigInt64Array
  readonly #cell: number

  /** A number is a limit a minute. A cell of 0 is a full bucket, so fresh memory needs no preparation. */
  constructor(limit: number | TokenBucket, cells: BigInt64Array, cell: number) {
    this.#bucket = typeof limit === 'number' ? new TokenBucket(limit) : limit
    this.#cells = cells
    this.#cell = cell
  }

  get windowSec(): number {
    return this.#bucket.windowSec
  }

  get limit(): number {
    return this.#bucket.limit
  }

  /** Takes `count` or nothing; false when there is not enough. */
  take(count: number, nowNs: bigint): boolean {
    const now = ticksOf(nowNs)
    for (;;) {
      const full = this.#load(now)
      const next = this.#bucket.take(full, now, count)
      if (next === REFUSED) return false
      if (Atomics.compareExchange(this.#cells, this.#cell, full, next) === full) return true
    }
  }

  /** Returns what was taken and not used. */
  giveBack(count: number): void {
    Atomics.sub(this.#cells, this.#cell, this.#bucket.ticksBack(count))
  }

  /** Charges what was used beyond the reservation, if necessary into debt. */
  charge(count: number, nowNs: bigint): void {
    const now = ticksOf(nowNs)
    for (;;) {
      const full = this.#load(now)
      const next = this.#bucket.charge(full, now, count)
      if (Atomics.compareExchange(this.#cells, this.#cell, full, next) === full) return
    }
  }

  retryAfterMs(count: number, nowNs: bigint): number {
    const now = ticksOf(nowNs)
    return this.#bucket.retryAfterMs(this.#load(now), now, count)
  }

  state(nowNs: bigint): BucketState {
    const now = ticksOf(nowNs)
    const full = this.#load(now)
    return {
      limit: this.#bucket.limit,
      remaining: this.#bucket.remaining(full, now),
      resetMs: this.#bucket.resetMs(full, now),
    }
  }

  /** The state. One that only a clock set back can explain is replaced by an empty bucket, so that it cannot get stuck. */
  #load(now: bigint): bigint {
    const full = Atomics.load(this.#cells, this.#cell)
    if (!this.#bucket.isBeyondReach(full, now)) return full
    Atomics.compareExchange(this.#cells, this.#cell, full, this.#bucket.empty(now))
    return Atomics.load(this.#cells, this.#cell)
  }
}
