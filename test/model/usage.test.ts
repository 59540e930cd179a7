// The one reader of token counts.
import { test } from 'tap'
import {
  believable,
  IMPLAUSIBLE,
  MAX_TOKENS,
  NO_PARTS,
  NO_USAGE,
  readCount,
  readTier,
  sumCounts,
  toParts,
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

test('what has a price of its own is counted like all else; without any it is always the same object', (t) => {
  t.equal(toParts({}), NO_PARTS)
  t.equal(toParts({ audioInputTokens: 0, images: null, serviceTier: 'default' }), NO_PARTS)
  t.same(toParts({ audioInputTokens: 3, serviceTier: 'Flex' }), {
    ...NO_PARTS,
    audioInputTokens: 3,
    serviceTier: 'flex',
  })
  for (const { value } of ABSURD_COUNTS) t.equal(toParts({ images: value }), IMPLAUSIBLE)
  t.equal(toUsage({ inputTokens: 1, parts: IMPLAUSIBLE }), IMPLAUSIBLE)
  t.equal(toUsage({ parts: NO_PARTS }), null)
  t.match(toUsage({ parts: { ...NO_PARTS, images: 1 } }), { inputTokens: 0, outputTokens: 0, parts: { images: 1 } })
  t.end()
})

test('the usual class of service has no name', (t) => {
  for (const usual of ['', 'auto', 'default', 'standard', 'ON_DEMAND', undefined, null, 7, 'x'.repeat(33)]) {
    t.equal(readTier(usual), null)
  }
  t.equal(readTier('priority'), 'priority')
  t.end()
})
