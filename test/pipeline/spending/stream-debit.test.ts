// A stream is paid as it runs: extended when a quarter is left, and ended when nothing is.
import { test } from 'tap'
import { IMPLAUSIBLE, NO_USAGE } from '../../../src/model/usage.js'
import { boundOf } from '../../../src/pipeline/spending/bound.js'
import { Hold } from '../../../src/pipeline/spending/hold.js'
import { Learned } from '../../../src/pipeline/spending/learned.js'
import { StreamDebit } from '../../../src/pipeline/spending/stream-debit.js'
import { FakeDesk } from '../../helpers/fake-desk.js'

/** 100 output tokens are reserved, 400 bytes by the estimate. */
function setUp(tokens: number, { perByte = 0 } = {}) {
  const desk = new FakeDesk({ nano: null, tokens })
  const reservation = desk.reserve({ nano: 0, tokens: 1 }, { nano: 0, tokens: 110 })
  if (reservation.refused) throw new Error('refused')
  const use = new Learned().of({ provider: 'north', model: 'm' })
  for (let i = 0; perByte > 0 && i < 30; i++) use.noteOutput(1000 * perByte, 1000)
  const rest = { estimatedTokens: 10, cap: null, bound: boundOf(null, 10), stepTokens: 100 }
  return { desk, debit: new StreamDebit(new Hold({ reservation, rates: null, use, ...rest })) }
}

function at(contentBytes: number) {
  return { usage: null, contentBytes }
}

test('nothing is asked of the budgets before a quarter is left', (t) => {
  const { desk, debit } = setUp(1000)
  t.ok(debit.isFunded(at(299)))
  t.equal(desk.extensions, 0)
  t.ok(debit.isFunded(at(300)))
  t.equal(desk.extensions, 1)
  t.ok(debit.isFunded(at(500)))
  t.equal(desk.extensions, 1)
  t.end()
})

test('where nothing is left it runs to the end of what is reserved, and no further', (t) => {
  const { debit } = setUp(110)
  t.ok(debit.isFunded(at(300)))
  t.ok(debit.isFunded(at(399)))
  t.notOk(debit.isFunded(at(400)), 'all that is reserved is used')
  t.end()
})

test('what others give back in the meantime is used', (t) => {
  const { desk, debit } = setUp(110)
  t.ok(debit.isFunded(at(390)))
  desk.limits = { nano: null, tokens: 150 }
  t.ok(debit.isFunded(at(400)))
  t.notOk(debit.isFunded(at(570)))
  t.end()
})

test('the greater of what the provider has counted and what has arrived counts', (t) => {
  const { debit } = setUp(110)
  t.ok(debit.isFunded({ usage: { ...NO_USAGE, outputTokens: 99 }, contentBytes: 0 }))
  t.notOk(debit.isFunded({ usage: { ...NO_USAGE, outputTokens: 100 }, contentBytes: 0 }))
  t.ok(setUp(110).debit.isFunded({ usage: IMPLAUSIBLE, contentBytes: 8 }))
  t.notOk(setUp(110).debit.isFunded({ usage: { ...NO_USAGE, outputTokens: 1 }, contentBytes: 400 }))
  t.end()
})

test('bytes weigh as much as this model is known to make of them', (t) => {
  const { debit } = setUp(110, { perByte: 0.5 })
  t.ok(debit.isFunded(at(150)))
  t.notOk(debit.isFunded(at(200)))
  t.end()
})
