// The one reader of token counts.
import { test } from 'tap'
import {
  believable,
  IMPLAUSIBLE,
  MAX_TOKENS,
  NO_USAGE,
  readCount,
  sumCounts,
  toUsage,
  withinCaps,
} from '../../src/model/usage.js'
import { ABSURD_COUNTS } from '../helpers/absurd-counts.js'

test('a count is a whole number from 0 to the most that an answer can cost', (t) => {
  for (const count of [0, 1, 128_000, MAX_TOKENS]) t.equal(readCount(count), count)
  for (const absent of [undefined, null]) t.equal(readCount(absent), null)
  for (const { name, value } of ABSURD_COUNTS) t.equal(readCount(value), IMPLAUSIBLE, name)
  for (const value of [MAX_TOKENS + 1, Number.POSITIVE_INFINITY, Number.NaN]) t.equal(readCount(value), IMPLAUSIBLE)
  t.end()
})

test('counts that a vendor names apart are added up, and their sum is judged as well', (t) => {
  t.equal(sumCounts(), null)
  t.equal(sumCounts(null, undefined), null)
  t.equal(sumCounts(3, null, 4), 7)
  t.equal(sumCounts(3, -1), IMPLAUSIBLE)
  t.equal(sumCounts(MAX_TOKENS, 1), IMPLAUSIBLE)
  t.end()
})

test('one number that cannot be a count spoils the usage it is in', (t) => {
  t.equal(toUsage({}), null)
  t.equal(toUsage({ cachedInputTokens: 4 }), null)
  t.strictSame(toUsage({ outputTokens: 4 }), { ...NO_USAGE, outputTokens: 4 })
  for (const name of Object.keys(NO_USAGE)) {
    t.equal(toUsage({ ...NO_USAGE, [name]: IMPLAUSIBLE }), IMPLAUSIBLE, name)
  }
  t.equal(believable(IMPLAUSIBLE), null)
  t.equal(believable(null), null)
  t.equal(believable(NO_USAGE), NO_USAGE)
  t.end()
})

test('more output than the cap that was sent cannot be, reasoning apart, nor more input than the context holds', (t) => {
  const usage = { ...NO_USAGE, inputTokens: 50, cachedInputTokens: 40, outputTokens: 120, reasoningTokens: 20 }
  t.equal(withinCaps(usage, { input: null, output: null }), usage)
  t.equal(withinCaps(usage, { input: null, output: 100 }), usage)
  t.equal(withinCaps(usage, { input: null, output: 99 }), IMPLAUSIBLE)
  t.equal(withinCaps(usage, { input: 50, output: null }), usage)
  t.equal(withinCaps(usage, { input: 49, output: null }), IMPLAUSIBLE)
  for (const report of [null, IMPLAUSIBLE] as const) t.equal(withinCaps(report, { input: 49, output: 99 }), report)
  t.end()
})
