// The arithmetic of a rate limit: burst, refill, debt, and what a broken clock may do to it.
import fc from 'fast-check'
import { test } from 'tap'
import { REFUSED, TokenBucket, ticksOf } from '../../../src/limit/local/token-bucket.js'

const SECOND_NS = 1_000_000_000n
const MINUTE_NS = 60n * SECOND_NS

/** Takes one by one until refused. */
function drain(bucket: TokenBucket, start: bigint, now: bigint): { taken: number; full: bigint } {
  let full = start
  for (let taken = 0; ; taken++) {
    const next = bucket.take(full, now, 1)
    if (next === REFUSED) return { taken, full }
    full = next
  }
}

test('a fresh bucket gives exactly its limit at once, whatever the limit divides into', (t) => {
  for (const limit of [0, 1, 7, 60, 600, 1001, 99_991]) {
    t.equal(drain(new TokenBucket(limit), 0n, ticksOf(MINUTE_NS)).taken, limit, String(limit))
  }
  t.end()
})

test('a large limit is exact too, and its rate is below the limit by less than a thousandth', (t) => {
  const bucket = new TokenBucket(1_000_000_007)
  const full = bucket.take(0n, 0n, 1_000_000_007)
  t.not(full, REFUSED)
  t.equal(bucket.take(full, 0n, 1), REFUSED)
  const later = bucket.remaining(full, ticksOf(30n * SECOND_NS))
  t.ok(later <= 500_000_004 && later > 499_500_000, String(later))
  t.end()
})

test('a window may be another than a minute: so many at once, and so many again when it is over', (t) => {
  for (const [limit, windowSec] of [
    [5, 3600],
    [10, 1],
    [8, 86_400],
  ] as const) {
    const bucket = new TokenBucket(limit, windowSec)
    const { taken, full } = drain(bucket, 0n, 0n)
    t.equal(taken, limit)
    t.equal(bucket.retryAfterMs(full, 0n, limit), windowSec * 1000)
    t.equal(drain(bucket, full, ticksOf(BigInt(windowSec) * SECOND_NS)).taken, limit)
  }
  t.end()
})

test('it refills continuously: one of 60 a minute comes back each second', (t) => {
  const bucket = new TokenBucket(60)
  const { full } = drain(bucket, 0n, 0n)
  t.equal(bucket.remaining(full, 0n), 0)
  t.equal(bucket.retryAfterMs(full, 0n, 1), 1000)
  t.equal(bucket.retryAfterMs(full, 0n, 30), 30_000)
  t.equal(bucket.resetMs(full, 0n), 60_000)
  t.equal(bucket.take(full, ticksOf(SECOND_NS) - 1n, 1), REFUSED)
  t.not(bucket.take(full, ticksOf(SECOND_NS), 1), REFUSED)
  t.equal(bucket.remaining(full, ticksOf(SECOND_NS)), 1)
  t.equal(bucket.remaining(full, ticksOf(MINUTE_NS)), 60)
  t.equal(bucket.resetMs(full, ticksOf(MINUTE_NS)), 0)
  t.end()
})

test('waiting for what retryAfterMs says is enough, and one millisecond less is not', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.nat(),
      fc.bigInt({ min: 0n, max: MINUTE_NS }),
      (limit, n, ago) => {
        const bucket = new TokenBucket(limit)
        const now = ticksOf(10n * MINUTE_NS)
        const count = 1 + (n % limit)
        const full = bucket.take(0n, now - ticksOf(ago), limit)
        if (bucket.take(full, now, count) !== REFUSED) return
        const waitNs = BigInt(bucket.retryAfterMs(full, now, count)) * 1_000_000n
        t.not(bucket.take(full, now + ticksOf(waitNs), count), REFUSED)
        t.equal(bucket.take(full, now + ticksOf(waitNs - 1_000_000n), count), REFUSED)
      },
    ),
  )
  t.end()
})

test('returned tokens can be taken again and never overfill the bucket', (t) => {
  const bucket = new TokenBucket(100)
  const full = bucket.take(0n, 0n, 80) - bucket.ticksBack(50)
  t.equal(bucket.remaining(full, 0n), 70)
  const overfull = full - bucket.ticksBack(1e9) - bucket.ticksBack(100)
  t.equal(bucket.remaining(overfull, 0n), 100)
  t.equal(drain(bucket, overfull, 0n).taken, 100)
  t.end()
})

test('use beyond the reservation is a debt that time pays', (t) => {
  const bucket = new TokenBucket(60)
  const full = bucket.charge(bucket.take(0n, 0n, 60), 0n, 30)
  t.equal(bucket.remaining(full, 0n), 0)
  t.equal(bucket.take(full, 0n, 0), REFUSED, 'in debt even nothing is refused')
  t.equal(bucket.retryAfterMs(full, 0n, 1), 31_000)
  t.equal(bucket.take(full, ticksOf(30n * SECOND_NS), 1), REFUSED)
  t.not(bucket.take(full, ticksOf(31n * SECOND_NS), 1), REFUSED)
  t.end()
})

test('no debt lasts longer than half an hour and the minute to fill up, not even a senseless one', (t) => {
  const bucket = new TokenBucket(60)
  for (const used of [1e9, 1e300, Number.POSITIVE_INFINITY]) {
    const full = bucket.charge(0n, 0n, used)
    t.equal(bucket.resetMs(full, 0n), 31 * 60_000)
    t.notOk(bucket.isBeyondReach(full, 0n))
  }
  t.end()
})

test('counts that are no counts take nothing, fractions count up', (t) => {
  const bucket = new TokenBucket(10)
  for (const count of [Number.NaN, -5, 0]) t.equal(bucket.take(7n, 5n, count), 7n)
  t.equal(bucket.remaining(bucket.take(0n, 0n, 2.1), 0n), 7)
  t.equal(bucket.take(0n, 0n, Number.POSITIVE_INFINITY), REFUSED)
  t.end()
})

test('a clock that jumps ahead by an hour or a year gives one full bucket, no more', (t) => {
  const bucket = new TokenBucket(60)
  for (const jump of [3600n * SECOND_NS, 365n * 86_400n * SECOND_NS]) {
    const { full } = drain(bucket, 0n, ticksOf(SECOND_NS))
    t.equal(drain(bucket, full, ticksOf(SECOND_NS + jump)).taken, 60)
  }
  t.end()
})

test('a state that a clock set back by an hour leaves behind is known as impossible', (t) => {
  const bucket = new TokenBucket(60)
  const before = ticksOf(7200n * SECOND_NS)
  const { full } = drain(bucket, 0n, before)
  t.notOk(bucket.isBeyondReach(full, before))
  const after = ticksOf(3600n * SECOND_NS)
  t.ok(bucket.isBeyondReach(full, after))
  t.equal(bucket.remaining(bucket.empty(after), after), 0)
  t.equal(bucket.resetMs(bucket.empty(after), after), 60_000)
  t.end()
})
