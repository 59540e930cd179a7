// An upper bound on most values, in a small memory.
import { test } from 'tap'
import { Quantile } from '../../../src/pipeline/spending/quantile.js'

test('too few values say nothing', (t) => {
  const seen = new Quantile(1, 20)
  for (let i = 0; i < 19; i++) seen.note(5)
  t.equal(seen.above(0.95), null)
  seen.note(5)
  const bound = seen.above(0.95) ?? 0
  t.ok(bound >= 5 && bound <= 5 * 1.2, String(bound))
  t.end()
})

test('the rare values above the share do not count, the others are below the bound', (t) => {
  const seen = new Quantile(1, 20)
  for (let i = 0; i < 98; i++) seen.note(100)
  seen.note(50_000)
  seen.note(50_000)
  const usual = seen.above(0.95) ?? 0
  t.ok(usual >= 100 && usual < 120, String(usual))
  t.ok((seen.above(0.99) ?? 0) >= 50_000)
  t.end()
})

test('new habits replace old ones', (t) => {
  const seen = new Quantile(1, 20)
  for (let i = 0; i < 5000; i++) seen.note(8000)
  for (let i = 0; i < 5000; i++) seen.note(10)
  t.ok((seen.above(0.95) ?? 0) < 12)
  t.end()
})

test('values outside the range count as the nearest, and what is no number is ignored', (t) => {
  const seen = new Quantile(1, 3)
  for (let i = 0; i < 30; i++) seen.note(1_000_000)
  t.equal(seen.above(0.9), 8)
  const small = new Quantile(1, 3)
  for (let i = 0; i < 30; i++) small.note(0)
  t.equal(small.above(0.9), 1)
  const none = new Quantile(1, 3)
  for (let i = 0; i < 30; i++) none.note(Number.NaN)
  t.equal(none.above(0.9), null)
  t.end()
})
