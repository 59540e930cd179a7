// A hold settles once: with what was spent, else with nothing.
import { test } from 'tap'
import { NO_USAGE } from '../../../src/model/usage.js'
import { boundOf } from '../../../src/pipeline/spending/bound.js'
import { Hold } from '../../../src/pipeline/spending/hold.js'
import { Learned } from '../../../src/pipeline/spending/learned.js'
import { FakeDesk } from '../../helpers/fake-desk.js'

const RATES = {
  ...{
    input: { base: 1_000_000, tiers: [], isMarginal: false },
    output: { base: 2_000_000, tiers: [], isMarginal: false },
  },
  ...{ cacheRead: null, cacheWrite: null, reasoning: null, request: 0, parts: null, serviceTiers: null },
}
const REST = { estimatedTokens: 10, cap: null, bound: boundOf(RATES, 10), stepTokens: 25 }
const SPENT = { isCounted: true, isCountable: true, contentBytes: 400 }
const USAGE = { ...NO_USAGE, inputTokens: 30, outputTokens: 7 }

function setUp({ rates = RATES as typeof RATES | null } = {}) {
  const desk = new FakeDesk({ nano: 1e9, tokens: 1000 })
  const reservation = desk.reserve({ nano: 1, tokens: 1 }, { nano: 50_000, tokens: 100 })
  if (reservation.refused) throw new Error('refused')
  const use = new Learned().of({ provider: 'north', model: 'm' })
  return { desk, use, hold: new Hold({ reservation, rates, use, ...REST }) }
}

test('what was spent replaces what was reserved, once', (t) => {
  const { desk, hold } = setUp()
  t.equal(hold.charge({ ...SPENT, usage: USAGE }), 44_000)
  hold.charge({ ...SPENT, usage: { ...USAGE, outputTokens: 500 } })
  hold.release()
  t.same(desk.spent, { nano: 44_000, tokens: 37 })
  t.same(desk.reserved, { nano: 0, tokens: 0 })
  t.end()
})

test('without a price only tokens are spent', (t) => {
  const { desk, hold } = setUp({ rates: null })
  t.equal(hold.charge({ ...SPENT, usage: USAGE }), null)
  t.same(desk.spent, { nano: 0, tokens: 37 })
  t.end()
})

test('an attempt that cost nothing gives back all', (t) => {
  const { desk, hold } = setUp()
  hold.release()
  hold.charge({ ...SPENT, usage: USAGE })
  t.same(desk.spent, { nano: 0, tokens: 0 })
  t.same(desk.reserved, { nano: 0, tokens: 0 })
  t.end()
})

test('what cannot be counted costs what was reserved', (t) => {
  const { desk, hold } = setUp()
  t.equal(hold.charge({ ...SPENT, isCountable: false, usage: NO_USAGE }), null)
  t.same(desk.spent, { nano: 50_000, tokens: 100 })
  t.end()
})

test('a model is learned from the counts of its provider alone', (t) => {
  for (const isCounted of [true, false]) {
    const { use } = setUp()
    for (let i = 0; i < 30; i++) {
      const reservation = new FakeDesk({ nano: 1e9, tokens: 1e6 }).reserve(
        { nano: 1, tokens: 1 },
        { nano: 1, tokens: 1 },
      )
      if (reservation.refused) throw new Error('refused')
      new Hold({ reservation, rates: RATES, use, ...REST }).charge({
        ...SPENT,
        isCounted,
        usage: USAGE,
      })
    }
    t.equal(use.inputRatio > 1, isCounted)
    t.equal(use.usualOutput < 100, isCounted)
  }
  t.end()
})

test('a stream is extended by what its model usually needs, as long as something is left', (t) => {
  const { desk, hold } = setUp()
  t.equal(hold.payableOutput, 20, '10 of input, in dollars the dearer one')
  t.ok(hold.extend(0))
  t.equal(hold.payableOutput, 45)
  t.ok(hold.extend(7))
  t.equal(hold.payableOutput, 77)
  desk.limits = { nano: 0, tokens: 0 }
  t.notOk(hold.extend(0))
  t.equal(hold.payableOutput, 77)
  t.end()
})
