// Figures with their units.
import { test } from 'tap'
import { clockTime, count, duration, money, orNone, percent, tokensPerSec } from '../../src/console/format.js'

test('durations are as exact as one can use them', async (t) => {
  const cases: [number | null, string][] = [
    [null, '–'],
    [0, '0 ms'],
    [999.4, '999 ms'],
    [1000, '1.0 s'],
    [9949, '9.9 s'],
    [12_900, '12 s'],
    [59_999, '59 s'],
    [185_000, '3 min 05 s'],
    [7_500_000, '2 h 05 min'],
    [273_600_000, '3 d 4 h'],
  ]
  for (const [ms, text] of cases) t.equal(duration(ms), text)
})

test('numbers, rates and shares have their units, and what is missing is a dash', async (t) => {
  t.same([count(12_345), count(null)], ['12,345', '–'])
  t.same([tokensPerSec(15.06), tokensPerSec(null)], ['15.1 tok/s', '–'])
  t.same([money(0), money(0.0000125), money(1234.5), money(null)], ['$0.00', '$0.000013', '$1,234.50', '–'])
  t.same([percent(0.025), percent(null)], ['2.5 %', '–'])
  t.same([orNone('a'), orNone(''), orNone(null), orNone(undefined)], ['a', '–', '–', '–'])
})

test('a time of another day has its date', async (t) => {
  const now = new Date(2026, 10, 29, 16, 0, 0)
  t.equal(clockTime(new Date(2026, 10, 29, 4, 3, 7).toISOString(), now), '04:03:07')
  t.equal(clockTime(new Date(2026, 10, 28, 14, 3, 7).toISOString(), now), '2026-11-28 14:03:07')
  t.equal(clockTime(null, now), '–')
})
