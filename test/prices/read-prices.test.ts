import { test } from 'tap'
import { type JsonValue } from '../../src/model/json.js'
import { countRows, ratesOf, readPrices, readRates } from '../../src/prices/read-prices.js'

const FLAT = { input_mtok: 1, output_mtok: 2 }

function rowsOf(...models: readonly JsonValue[]) {
  const good = { id: 'known', match: { equals: 'known' }, prices: FLAT }
  return readPrices([{ id: 'v', models: [good, ...models] }], '1').lists.v?.rows.slice(1)
}

test('a list is read with its tiers, its dates and its times of day', (t) => {
  const tiered = {
    input_mtok: {
      base: 3,
      tiers: [
        { start: 200, price: 9 },
        { start: 100, price: 6 },
      ],
    },
    output_mtok: 15,
  }
  const prices = [
    { prices: tiered },
    { constraint: { type: 'start_date', start_date: '2026-08-17' }, prices: FLAT },
    { constraint: { type: 'time_of_date', start_time: '22:30:00Z', end_time: '04:00:01Z' }, prices: FLAT },
  ]
  const [row] =
    rowsOf({
      id: 'm',
      match: { or: [{ starts_with: 'm' }, { and: [{ contains: 'x' }, { ends_with: 'y' }] }] },
      prices,
    }) ?? []
  t.match(row?.periods[0]?.rates.input, {
    base: 3_000_000,
    tiers: [
      { above: 100, rate: 6_000_000 },
      { above: 200, rate: 9_000_000 },
    ],
  })
  t.equal(row?.periods[1]?.fromMs, Date.UTC(2026, 7, 17))
  t.same(row?.periods[2]?.hours, { startMs: 81_000_000, endMs: 14_401_000 })
  t.end()
})

test('a price that is not zero does not become zero, and decimal prices are exact', (t) => {
  t.equal(ratesOf({ input: 0.003625, output: 0 }).input.base, 3625)
  t.equal(ratesOf({ input: 0.1, output: 0 }).input.base, 100_000)
  t.equal(ratesOf({ input: 1e-9, output: 0 }).input.base, 1)
  t.equal(ratesOf({ input: 0, output: 0 }).input.base, 0)
  t.match(ratesOf({ input: 1, output: 2, cacheRead: 0.5, cacheWrite: 3, reasoning: 4, request: 7 }), {
    ...{
      cacheRead: { base: 500_000 },
      cacheWrite: { base: 3_000_000 },
      reasoning: { base: 4_000_000 },
      request: 7_000_000_000,
    },
  })
  t.end()
})

test('what has no price for input or requests has none: it is not free', (t) => {
  t.equal(readRates({ input_audio_mtok: 3 }), null)
  t.equal(readRates({}), null)
  t.match(readRates({ requests_kcount: 2 }), { request: 2_000_000_000, input: { base: 0 } })
  t.end()
})

test('a row that cannot be read whole is left out', (t) => {
  const bad: JsonValue[] = [
    7,
    { id: '', match: { equals: 'a' }, prices: FLAT },
    { id: 'no match', prices: FLAT },
    { id: 'no rule', match: { sounds_like: 'a' }, prices: FLAT },
    { id: 'half a rule', match: { or: [{ equals: 'a' }, 7] }, prices: FLAT },
    { id: 'the other half', match: { and: [{ equals: 'a' }, { regex: '(' }] }, prices: FLAT },
    { id: 'slow', match: { regex: '^(a+)+$' }, prices: FLAT },
    { id: 'no prices', match: { equals: 'a' } },
    { id: 'negative', match: { equals: 'a' }, prices: { input_mtok: -1 } },
    { id: 'absurd', match: { equals: 'a' }, prices: { input_mtok: 1e9 } },
    { id: 'half tiers', match: { equals: 'a' }, prices: { input_mtok: { base: 1, tiers: [{ start: 1 }] } } },
    { id: 'odd tiers', match: { equals: 'a' }, prices: { input_mtok: { base: 1, tiers: [7] } } },
    { id: 'odd date', match: { equals: 'a' }, prices: [{ constraint: { start_date: 'soon' }, prices: FLAT }] },
    { id: 'odd time', match: { equals: 'a' }, prices: [{ constraint: { start_time: '25:00:00Z' }, prices: FLAT }] },
    { id: 'odd period', match: { equals: 'a' }, prices: [7] },
  ]
  t.same(rowsOf(...bad), [])
  t.end()
})

test('what is no list, or has no price, is refused', (t) => {
  for (const list of [null, 7, {}, [], [7], [{ id: 'v', models: [] }]] as JsonValue[])
    t.throws(() => readPrices(list, '1'), TypeError)
  const read = readPrices(
    {
      providers: [
        { id: 'v', fallback_model_providers: ['w', 7], models: [{ id: 'a', match: { equals: 'a' }, prices: FLAT }] },
      ],
    },
    '2',
  )
  t.equal(countRows(read.lists), 1)
  t.same(read.lists.v?.fallbacks, ['w'])
  t.equal(read.version, '2')
  t.end()
})
