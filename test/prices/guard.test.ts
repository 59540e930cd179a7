import { test } from 'tap'
import { refusalOf } from '../../src/prices/guard.js'
import { readPrices } from '../../src/prices/read-prices.js'
import { type PriceTable } from '../../src/prices/types.js'

const NOW_MS = Date.UTC(2026, 10, 29)

function table(prices: Readonly<Record<string, readonly [input: number, output: number]>>): PriceTable {
  const models = Object.entries(prices).map(([id, [input_mtok, output_mtok]]) => ({
    id,
    match: { equals: id },
    prices: { input_mtok, output_mtok },
  }))
  return readPrices([{ id: 'v', models }], 'x')
}

const TEN = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`m${n}`, [1, 2] as const]))

test('a list that grew, or lost a few rows, replaces the old one', (t) => {
  const { m0: _, m1: __, ...rest } = TEN
  t.equal(refusalOf(table({ ...TEN, new: [5, 5] }), table(TEN), NOW_MS), null)
  t.equal(refusalOf(table(rest), table(TEN), NOW_MS), null)
  t.end()
})

test('a list that lost more than a fifth is refused, and so is one without the vendor', (t) => {
  const { m0: _, m1: __, m2: ___, ...rest } = TEN
  t.match(refusalOf(table(rest), table(TEN), NOW_MS), /^3 of 10 prices are missing$/)
  const other = readPrices([{ id: 'w', models: [{ id: 'a', match: { equals: 'a' }, prices: { input_mtok: 1 } }] }], 'x')
  t.match(refusalOf(other, table(TEN), NOW_MS), /^10 of 10/)
  t.end()
})

test('a price that moved more than tenfold refuses the list, up or down, input or output', (t) => {
  for (const moved of [
    [10.1, 2],
    [0.09, 2],
    [1, 21],
    [1, 0.1],
  ] as const) {
    t.match(refusalOf(table({ ...TEN, m5: moved }), table(TEN), NOW_MS), /v\/m5 has changed more than 10-fold/)
  }
  for (const fine of [
    [10, 2],
    [0.1, 2],
    [1, 20],
  ] as const)
    t.equal(refusalOf(table({ ...TEN, m5: fine }), table(TEN), NOW_MS), null)
  t.end()
})

test('what was free may cost something, and a price that is not valid yet does not count', (t) => {
  t.equal(refusalOf(table({ m: [1, 1] }), table({ m: [0, 0] }), NOW_MS), null)
  const later = [{ constraint: { start_date: '2030-01-01' }, prices: { input_mtok: 1 } }]
  const future = readPrices([{ id: 'v', models: [{ id: 'm', match: { equals: 'm' }, prices: later }] }], 'x')
  t.equal(refusalOf(table({ n: [1, 1] }), future, NOW_MS), null)
  t.end()
})
