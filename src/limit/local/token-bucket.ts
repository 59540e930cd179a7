// One rate limit as arithmetic (GCRA): the whole state of a bucket is one number, the moment at which it will be full
// again, so that a single compare-and-swap decides. Pure: the state lives in cells.ts, the clock is passed in.
//   state - now <= 0         full: the whole window's limit may come at once (burst)
//   state - now = capacity   empty
//   state - now > capacity   in debt: answers used more than was reserved; it refuses until the debt is paid off by time
/** A tick is 1/16 ns: fine enough that rounding costs below 0.1 % at a billion a minute, and 2^63 of them last 18 years. */
const TICKS_PER_NS = 16n
const TICKS_PER_MS = 1_000_000n * TICKS_PER_NS
const MINUTE_TICKS = 60_000n * TICKS_PER_MS
const MINUTE_SEC = 60
/** Debt is paid off by time. More than half an hour is more likely a wrong count or clock than a real answer. */
const MAX_DEBT_MINUTES = 30n

/** The same for arithmetic in doubles, which represent it exactly (redis-scripts.ts). */
export const LIMIT_TICKS = Object.freeze({
  perMicrosecond: Number(TICKS_PER_MS) / 1000,
  maxDebt: Number(MAX_DEBT_MINUTES * MINUTE_TICKS),
})

/** What `take` returns when there is not enough. */
export const REFUSED = -1n

/** Monotonic nanoseconds in the unit of the bucket's state. */
export function ticksOf(nowNs: bigint): bigint {
  return nowNs * TICKS_PER_NS
}

/** A bucket of `limit` a window, refilled continuously; immutable. All moments are ticks, all counts whole numbers. */
export class TokenBucket {
  readonly limit: number
  readonly windowSec: number
  readonly #limit: bigint
  readonly #cost: bigint
  readonly #capacity: bigint
  readonly #maxAhead: bigint

  /** `limit` is per window and at least 0; 0 refuses everything. */
  constructor(limit: number, windowSec = MINUTE_SEC) {
    this.windowSec = windowSec
    const window = (MINUTE_TICKS * BigInt(windowSec)) / BigInt(MINUTE_SEC)
    this.limit = wholeCount(limit)
    this.#limit = BigInt(this.limit)
    // Rounded up, and the capacity derived from it, so that exactly `limit` fit and the rate never exceeds the limit.
    this.#cost = this.limit === 0 ? window : (window + this.#limit - 1n) / this.#limit
    this.#capacity = this.#cost * this.#limit
    this.#maxAhead = this.#capacity + MAX_DEBT_MINUTES * MINUTE_TICKS
  }

  /** The state after taking `count`, or REFUSED. A bucket in debt refuses even 0. */
  take(full: bigint, now: bigint, count: number): bigint {
    const next = (full > now ? full : now) + this.ticksFor(count)
    return next - now > this.#capacity ? REFUSED : next
  }

  /** The amount by which returning `count` lowers the state, at most the whole bucket. A past state means full, so no clock is needed. */
  ticksBack(count: number): bigint {
    return this.ticksFor(count > this.limit ? this.limit : count)
  }

  /** The state after `count` was charged unconditionally: possibly in debt, up to half an hour. */
  charge(full: bigint, now: bigint, count: number): bigint {
    const next = (full > now ? full : now) + this.ticksFor(count)
    return next - now > this.#maxAhead ? now + this.#maxAhead : next
  }

  /** True for a state that no sequence of calls can reach, which means that the clock went back by more than the debt allowed. */
  isBeyondReach(full: bigint, now: bigint): boolean {
    return full - now > this.#maxAhead
  }

  /** The state of a bucket that is empty now, and full in a window. */
  empty(now: bigint): bigint {
    return now + this.#capacity
  }

  /** How many may be taken now, 0 in debt. */
  remaining(full: bigint, now: bigint): number {
    if (full <= now) return this.limit
    const left = this.#capacity - (full - now)
    return left > 0n ? Number(left / this.#cost) : 0
  }

  /** Milliseconds until the bucket is full, rounded up. */
  resetMs(full: bigint, now: bigint): number {
    return full > now ? ceilMs(full - now) : 0
  }

  /** Milliseconds until `count` may be taken, at least 1; meant for a count that was refused and is not above the limit. */
  retryAfterMs(full: bigint, now: bigint, count: number): number {
    const missing = (full > now ? full : now) + this.ticksFor(count) - this.#capacity - now
    return missing > 0n ? ceilMs(missing) : 1
  }

  /** What `count` costs in ticks. */
  ticksFor(count: number): bigint {
    return count === 1 ? this.#cost : this.#cost * BigInt(wholeCount(count))
  }
}

function ceilMs(ticks: bigint): number {
  return Number((ticks + TICKS_PER_MS - 1n) / TICKS_PER_MS)
}

/** Counts come from estimates and from upstreams: invalid ones count as 0, fractions are rounded up. */
export function wholeCount(count: number): number {
  if (!(count > 0)) return 0
  return count < Number.MAX_SAFE_INTEGER ? Math.ceil(count) : Number.MAX_SAFE_INTEGER
}
