import { test } from 'tap'
import { NO_USAGE, type Usage } from '../../src/model/usage.js'
import { addCosts, costOf, MAX_NANO_DOLLARS, rateAt, toDollars } from '../../src/prices/cost.js'
import { ratesOf } from '../../src/prices/read-prices.js'
import { type Rates } from '../../src/prices/types.js'

function usage(counts: Partial<Usage>): Usage {
  return { ...NO_USAGE, ...counts }
}

const RATES = ratesOf({ input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 })

test('input, cached, written and output tokens are charged each at its own rate, and none twice', (t) => {
  const counts = { inputTokens: 1000, cachedInputTokens: 200, cacheWriteTokens: 100, outputTokens: 10 }
  // 700 x 3 + 200 x 0.3 + 100 x 3.75 + 10 x 15 = 2685 millionths of a dollar.
  t.equal(costOf(RATES, usage(counts)), 2_685_000)
  t.end()
})

test('a part without a price of its own costs what its whole costs', (t) => {
  const plain = ratesOf({ input: 3, output: 15 })
  const counts = { inputTokens: 10, cachedInputTokens: 4, cacheWriteTokens: 3, outputTokens: 10, reasoningTokens: 5 }
  t.equal(costOf(plain, usage(counts)), costOf(plain, usage({ inputTokens: 10, outputTokens: 10 })))
  const thinking = ratesOf({ input: 3, output: 15, reasoning: 30 })
  t.equal(costOf(thinking, usage({ outputTokens: 10, reasoningTokens: 5 })), 5 * 15_000 + 5 * 30_000)
  t.end()
})

test('a count of a part above its whole is neither charged twice nor paid back', (t) => {
  const counts = { inputTokens: 10, cachedInputTokens: 50, cacheWriteTokens: 50, outputTokens: 2, reasoningTokens: 9 }
  t.equal(costOf(RATES, usage(counts)), 10 * 300 + 2 * 15_000)
  t.end()
})

test('a cost is rounded up once, so that no attempt is free that is not', (t) => {
  const cheap = ratesOf({ input: 0.0004, output: 0 })
  t.equal(costOf(cheap, usage({ inputTokens: 1 })), 1)
  t.equal(costOf(cheap, usage({ inputTokens: 3 })), 2)
  t.equal(costOf(cheap, usage({})), 0)
  t.end()
})

test('each request costs what requests cost, tokens or not', (t) => {
  t.equal(costOf(ratesOf({ input: 0, output: 0, request: 5 }), usage({})), 5_000_000)
  t.end()
})

test('a tier is for the whole request, and only above its bound', (t) => {
  const rate = {
    base: 3,
    tiers: [
      { above: 100, rate: 6 },
      { above: 200, rate: 9 },
    ],
  }
  t.same(
    [100, 101, 200, 201].map((tokens) => rateAt(rate, tokens)),
    [3, 6, 6, 9],
  )
  const tiered: Rates = { ...ratesOf({ input: 1, output: 1 }), input: rate }
  t.equal(costOf(tiered, usage({ inputTokens: 101 })), 1)
  t.end()
})

test('costs beyond what a double counts exactly are exact, and never above the largest', (t) => {
  const dear = ratesOf({ input: 100_000, output: 100_000 })
  const nano = costOf(dear, usage({ inputTokens: 9_999_999, outputTokens: 9_999_999 }))
  t.equal(BigInt(nano), (2n * 9_999_999n * 100_000_000_000n) / 1000n)
  const absurd: Rates = {
    ...dear,
    request: Number.MAX_SAFE_INTEGER,
    input: { base: Number.MAX_SAFE_INTEGER, tiers: [] },
  }
  t.equal(costOf(absurd, usage({ inputTokens: 9_999_999 })), MAX_NANO_DOLLARS)
  t.equal(addCosts(MAX_NANO_DOLLARS, 1), MAX_NANO_DOLLARS)
  t.equal(addCosts(1, 2), 3)
  t.end()
})

test('dollars are written exactly', (t) => {
  const written = [0, 1, 1000, 2_685_000, 1_000_000_000, 12_340_000_000, MAX_NANO_DOLLARS].map(toDollars)
  t.same(written, ['0', '0.000000001', '0.000001', '0.002685', '1', '12.34', '9007199.254740991'])
  t.end()
})

test('the sum over drawn parts is the whole: splitting a request never makes it dearer than its rounding', (t) => {
  let seed = 7
  const draw = (max: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % max
  }
  for (let round = 0; round < 500; round++) {
    const inputTokens = draw(100_000)
    const outputTokens = draw(10_000)
    const whole = costOf(RATES, usage({ inputTokens, outputTokens }))
    const parts = costOf(RATES, usage({ inputTokens })) + costOf(RATES, usage({ outputTokens }))
    if (parts < whole || parts > whole + 1) t.fail(`${inputTokens} and ${outputTokens}: ${parts} for ${whole}`)
  }
  t.pass()
  t.end()
})
