// The limiter as admission uses it: both or none, what it says when it refuses, and that no schedule beats it.
import fc from 'fast-check'
import { test } from 'tap'
import { type Limiter } from '../../../src/limit/limiter.js'
import { createLimiter, createLimiterCells, type LimiterOptions } from '../../../src/limit/local/cells.js'
import { limiterConfig, ManualClock, refusalOf, type Setup } from '../../helpers/limiter-setup.js'

function setUp(setup: Setup, options: LimiterOptions = {}): { limiter: Limiter; clock: ManualClock } {
  const config = limiterConfig(setup)
  const clock = new ManualClock()
  return { limiter: createLimiter(config, createLimiterCells(config), { nowNs: clock.nowNs, ...options }), clock }
}

test('1,000 requests at once on a key of 600 a minute: exactly 600 pass', async (t) => {
  const { limiter } = setUp({ keys: [{ requestsPerMinute: 600 }] })
  const results = await Promise.all(
    Array.from({ length: 1000 }, async () => {
      await null
      return refusalOf(() => limiter.takeRequest(0))
    }),
  )
  t.equal(results.filter((result) => result === null).length, 600)
  for (const result of results)
    if (result !== null) t.match(result, { code: 'rate_limited', status: 429, retryAfterMs: 100 })
})

test('a key may have its requests a window that is no minute', (t) => {
  const { limiter } = setUp({ keys: [{ requestsPerMinute: 2, requestWindowSeconds: 3600 }] })
  limiter.takeRequest(0)
  limiter.takeRequest(0)
  t.match(
    refusalOf(() => limiter.takeRequest(0)),
    { retryAfterMs: 1_800_000, message: /2 requests per 3600 s/ },
  )
  t.end()
})

test('without limits everything passes, with and without a key', (t) => {
  const { limiter } = setUp({ keys: [{}] })
  for (const key of [-1, 0, 7]) {
    limiter.takeRequest(key)
    limiter.reserveTokens(key, 1e12)
    limiter.settleTokens(key, 1e12, 2e12)
    t.same(limiter.snapshot(key), { requests: null, tokens: null })
  }
  t.end()
})

test('a refusal names the limit and whose it is, and when to come back', (t) => {
  const rejected: string[] = []
  const onRejected: LimiterOptions['onRejected'] = (scope, kind) => rejected.push(`${scope} ${kind}`)
  const { limiter } = setUp(
    {
      gateway: { requestsPerMinute: 2, tokensPerMinute: 100 },
      keys: [{ requestsPerMinute: 1 }, { tokensPerMinute: 50 }],
    },
    { onRejected },
  )
  limiter.takeRequest(0)
  t.match(
    refusalOf(() => limiter.takeRequest(0)),
    {
      code: 'rate_limited',
      retryable: true,
      message: 'The limit of 1 requests per minute for this key has been reached. Try again in 60 s.',
      retryAfterMs: 60_000,
    },
  )
  limiter.takeRequest(1)
  t.match(
    refusalOf(() => limiter.takeRequest(1)),
    { message: /2 requests per minute for this gateway/, retryAfterMs: 30_000 },
  )
  t.match(
    refusalOf(() => limiter.reserveTokens(1, 51)),
    {
      code: 'rate_limited',
      status: 429,
      retryable: false,
      retryAfterMs: null,
      message: 'This request needs about 51 tokens, which exceeds the limit of 50 per minute for this key.',
    },
  )
  t.match(
    refusalOf(() => limiter.reserveTokens(0, 101)),
    { retryable: false, message: /101 tokens.*100 per minute for this gateway/ },
  )
  t.same(rejected, ['key requests', 'gateway requests', 'key tokens', 'gateway tokens'])
  t.end()
})

test('takes from both buckets or none: a refusal by one charges nothing to the other', (t) => {
  const { limiter } = setUp({
    gateway: { tokensPerMinute: 100 },
    keys: [{ tokensPerMinute: 60 }, { tokensPerMinute: 60 }],
  })
  limiter.reserveTokens(0, 60)
  t.ok(refusalOf(() => limiter.reserveTokens(0, 1)))
  t.equal(limiter.snapshot(-1).tokens?.remaining, 40, 'refused by the key: the gateway keeps its tokens')
  t.match(
    refusalOf(() => limiter.reserveTokens(1, 50)),
    { message: /this gateway/ },
  )
  t.equal(limiter.snapshot(1).tokens?.remaining, 60, 'refused by the gateway: the key keeps its tokens')
  limiter.reserveTokens(1, 40)
  t.end()
})

test('a failed exchange gets its reservation back', (t) => {
  const { limiter } = setUp({ gateway: { tokensPerMinute: 100 }, keys: [{ tokensPerMinute: 100 }] })
  limiter.reserveTokens(0, 100)
  t.ok(refusalOf(() => limiter.reserveTokens(0, 1)))
  limiter.settleTokens(0, 100, 0)
  t.equal(limiter.snapshot(0).tokens?.remaining, 100)
  t.equal(limiter.snapshot(-1).tokens?.remaining, 100)
  limiter.reserveTokens(0, 100)
  t.end()
})

test('settling returns what was not used and charges what was used beyond, into debt', (t) => {
  const { limiter, clock } = setUp({ gateway: { tokensPerMinute: 600 }, keys: [{ tokensPerMinute: 60 }] })
  limiter.reserveTokens(0, 50)
  limiter.settleTokens(0, 50, 20)
  t.match(limiter.snapshot(0), { tokens: { limit: 60, remaining: 40, resetMs: 20_000 } })
  limiter.reserveTokens(0, 40)
  limiter.settleTokens(0, 40, 100)
  t.match(limiter.snapshot(0), { tokens: { remaining: 0, resetMs: 120_000 } })
  t.match(limiter.snapshot(-1), { tokens: { remaining: 480 } })
  t.match(
    refusalOf(() => limiter.reserveTokens(0, 1)),
    { retryAfterMs: 61_000 },
  )
  clock.advanceMs(61_000)
  limiter.reserveTokens(0, 1)
  limiter.settleTokens(0, 1, 1)
  t.equal(limiter.snapshot(0).tokens?.remaining, 0)
  t.end()
})

test('a clock set back by an hour admits no request beyond the limit and recovers within a minute', (t) => {
  const { limiter, clock } = setUp({ keys: [{ requestsPerMinute: 2 }] })
  clock.advanceMs(7_200_000)
  limiter.takeRequest(0)
  limiter.takeRequest(0)
  clock.advanceMs(-3_600_000)
  t.match(
    refusalOf(() => limiter.takeRequest(0)),
    { retryAfterMs: 30_000 },
  )
  clock.advanceMs(30_000)
  limiter.takeRequest(0)
  t.ok(refusalOf(() => limiter.takeRequest(0)))
  t.end()
})

test('the wall clock has no say: it may step by an hour or a year', (t) => {
  const config = limiterConfig({ keys: [{ requestsPerMinute: 3 }] })
  const limiter = createLimiter(config, createLimiterCells(config))
  const realNow = Date.now
  t.teardown(() => {
    Date.now = realNow
  })
  for (const stepMs of [3_600_000, -3_600_000, 365 * 86_400_000]) {
    Date.now = () => realNow() + stepMs
    limiter.takeRequest(0)
    const left = limiter.snapshot(0).requests
    t.ok(left !== null && left.resetMs <= 60_000 && left.resetMs > 15_000)
  }
  t.ok(refusalOf(() => limiter.takeRequest(0)))
  t.end()
})

test('cells of another configuration are refused', (t) => {
  const cells = createLimiterCells(limiterConfig({ keys: [{}] }))
  t.match(
    refusalOf(() => createLimiter(limiterConfig({ keys: [{}, {}] }), cells)),
    { code: 'misconfigured' },
  )
  t.end()
})

test('over a reload a key keeps its bucket and its slots by its place, whatever its index and its limit become', (t) => {
  const clock = new ManualClock()
  const room = { keys: 4, providers: 3, targets: 0 }
  const old = limiterConfig({ keys: [{ requestsPerMinute: 10, concurrency: 2 }, { requestsPerMinute: 10 }] })
  const cells = createLimiterCells(old, { room })
  const before = createLimiter(old, cells, {
    nowNs: clock.nowNs,
    places: { keys: [0, 1], providers: [], targets: [], room },
  })
  for (let i = 0; i < 5; i++) before.takeRequest(0)
  t.equal(before.enter(0, { keyIndex: 0, onEntered() {}, onRefused() {} }), true)
  // The second key is gone, a new one stands first, and the one that stays has twice the rate and one slot.
  const next = limiterConfig({ keys: [{ requestsPerMinute: 10 }, { requestsPerMinute: 20, concurrency: 1 }] })
  const after = createLimiter(next, cells, {
    nowNs: clock.nowNs,
    places: { keys: [2, 0], providers: [], targets: [], room },
  })
  t.equal(after.snapshot(0).requests?.remaining, 10, 'a new key begins with a full bucket')
  t.equal(after.snapshot(1).requests?.remaining, 10, 'half of it was used, and half is left of what it is now')
  t.equal(after.active(), 1)
  t.equal(after.enter(1, { keyIndex: 1, onEntered() {}, onRefused() {} }), false, 'its slot is still held from before')
  before.leave(0)
  t.equal(after.active(), 0)
  t.end()
})

type Step = { readonly kind: 'take' | 'refund' | 'wait'; readonly loop: number; readonly amount: number }

test('over any schedule on several event loops no more than burst + rate x time passes', (t) => {
  const step = fc.record<Step>({
    kind: fc.constantFrom('take', 'take', 'take', 'refund', 'wait'),
    loop: fc.integer({ min: 0, max: 2 }),
    amount: fc.integer({ min: 0, max: 90 }),
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(step, { maxLength: 120 }), (limit, steps) => {
      const config = limiterConfig({ keys: [{ tokensPerMinute: limit }] })
      const cells = createLimiterCells(config)
      const clock = new ManualClock()
      const loops = [0, 1, 2].map(() => createLimiter(config, cells, { nowNs: clock.nowNs }))
      let used = 0
      let elapsedMs = 0
      let held = 0
      for (const { kind, loop, amount } of steps) {
        const limiter = loops[loop]
        if (limiter === undefined) continue
        if (kind === 'wait') {
          clock.advanceMs(amount * 100)
          elapsedMs += amount * 100
        } else if (kind === 'refund') {
          limiter.settleTokens(0, held, 0)
          used -= held
          held = 0
        } else if (refusalOf(() => limiter.reserveTokens(0, amount)) === null) {
          used += amount
          held += amount
          if (amount % 2 === 0) held = 0
        }
        const state = limiter.snapshot(0).tokens
        if (used > limit + (limit * elapsedMs) / 60_000 + 1e-6) return false
        if (state === null || state.remaining < 0 || state.remaining > limit) return false
      }
      // A minute, and the nanoseconds by which rounding makes it longer.
      clock.advanceMs(60_001)
      return loops[0]?.snapshot(0).tokens?.remaining === limit
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('a request counted ahead takes from both buckets, and is returned if one refuses', (t) => {
  const { limiter } = setUp({ gateway: { requestsPerMinute: 3 }, keys: [{ requestsPerMinute: 2 }, {}] })
  t.equal(limiter.countRequest(0), null)
  t.equal(limiter.countRequest(0), null)
  t.match(
    refusalOf(() => limiter.countRequest(0)),
    { code: 'rate_limited', message: /for this key/ },
  )
  t.equal(limiter.countRequest(1), null)
  t.match(
    refusalOf(() => limiter.countRequest(1)),
    { code: 'rate_limited', message: /for this gateway/ },
  )
  t.end()
})

test('tokens that no bucket ever holds are refused without taking any, for good', (t) => {
  const { limiter } = setUp({ gateway: { tokensPerMinute: 100 }, keys: [{ tokensPerMinute: 50 }, {}] })
  limiter.reserveTokens(0, 50)
  limiter.checkTokens(0, 50)
  limiter.checkTokens(1, 100)
  for (const [key, tokens, whose] of [
    [0, 51, 'this key'],
    [1, 101, 'this gateway'],
  ] as const) {
    t.match(
      refusalOf(() => limiter.checkTokens(key, tokens)),
      {
        code: 'rate_limited',
        retryable: false,
        retryAfterMs: null,
        message: new RegExp(`${tokens} tokens, .* for ${whose}`),
      },
    )
  }
  t.equal(limiter.snapshot(0).tokens?.remaining, 0)
  t.end()
})
