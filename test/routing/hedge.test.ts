// When a first token is late.
import { test } from 'tap'
import { Hedge } from '../../src/routing/hedge.js'

test('after a set time, whatever is usual', async (t) => {
  const hedge = new Hedge({ afterMs: 700, percentile: null, maxExtra: 0.05 })
  for (let i = 0; i < 50; i++) hedge.observe(5000)
  t.equal(hedge.afterMs(), 700)
})

test('later than most of the recent ones, once there were enough', async (t) => {
  const hedge = new Hedge({ afterMs: null, percentile: 95, maxExtra: 0.05 })
  for (let ms = 1; ms < 20; ms++) hedge.observe(ms)
  t.equal(hedge.afterMs(), null, 'nineteen are too few')
  hedge.observe(20)
  t.equal(hedge.afterMs(), 19)
  for (let ms = 1; ms <= 128; ms++) hedge.observe(ms * 10)
  t.equal(hedge.afterMs(), 1220, 'the old ones are forgotten')
})

test('until it is known what is usual, the set time holds, if there is one', async (t) => {
  const hedge = new Hedge({ afterMs: 700, percentile: 50, maxExtra: 0.05 })
  t.equal(hedge.afterMs(), 700)
  for (let i = 0; i < 20; i++) hedge.observe(5)
  t.equal(hedge.afterMs(), 5)
})

test('its budget begins with one request', async (t) => {
  const { budget } = new Hedge({ afterMs: 1, percentile: null, maxExtra: 0.5 })
  t.ok(budget.take())
  t.notOk(budget.take())
  budget.deposit()
  budget.deposit()
  t.ok(budget.take())
  t.equal(new Hedge({ afterMs: 1, percentile: null, maxExtra: 0 }).budget.take(), false)
})
