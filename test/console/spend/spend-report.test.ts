// What was spent, as bars.
import { test } from 'tap'
import { chartOf, dayText, nameOf, type SpendRow, sorted, ticksOf } from '../../../src/console/spend/spend-report.js'

const ZERO = { requests: 1, errors: 0, inputTokens: 1, outputTokens: 1, cachedTokens: 0, usd: 0, unpriced: 0 }
const row = (members: Partial<SpendRow>): SpendRow => ({ ...ZERO, ...members })

const report = (data: readonly SpendRow[], from = '2026-11-01T00:00:00.000Z', to = '2026-11-04T00:00:00.000Z') => ({
  ...{ data, from, to },
})

test('every day is there in its order, everything else the dearest first', async (t) => {
  const days = [row({ day: '2026-11-03', usd: 1 }), row({ day: '2026-11-01', usd: 4 })]
  t.same(chartOf(report(days), 'day'), {
    bars: [
      { name: '2026-11-01', usd: 4, height: 1 },
      { name: '2026-11-02', usd: 0, height: 0 },
      { name: '2026-11-03', usd: 1, height: 0.25 },
    ],
    ticks: [0, 1, 2, 3, 4],
  })
  const keys = [row({ key: 'a', usd: 1 }), row({ key: 'b', usd: 2 })]
  t.same(
    chartOf(report(keys), 'key').bars.map(({ name }) => name),
    ['b', 'a'],
  )
  t.same(chartOf(report([row({ team: null })]), 'team').bars, [{ name: '(none)', usd: 0, height: 0 }])
  t.same(chartOf(report([]), 'key'), { bars: [], ticks: [] })
  t.same(
    chartOf(report(keys), 'key').bars.map(({ height }) => height),
    [1, 0.5],
    'each has its amount, so there is no axis',
  )
  t.same(
    sorted(keys, 'key').map(({ key }) => key),
    ['b', 'a'],
  )
  t.same(
    sorted(days, 'day').map(({ day }) => day),
    ['2026-11-01', '2026-11-03'],
  )
})

test('no more bars than one can see: the latest days, the dearest of everything else', async (t) => {
  const many = Array.from({ length: 90 }, (_, index) => row({ day: dayText(0, index), model: `m${index}`, usd: index }))
  const { bars } = chartOf(report(many, dayText(0), dayText(0, 90)), 'day')
  t.same([bars.at(-1)?.name, bars.length], ['1970-03-31', 62])
  const models = chartOf(report(many), 'model').bars
  t.same([models[0]?.name, models.length], ['m89', 15])
})

test('an axis has a few round amounts, and the highest bar is within it', async (t) => {
  t.same(ticksOf(0), [0])
  t.same(ticksOf(0.0003), [0, 0.0001, 0.0002, 0.0003])
  t.same(ticksOf(7), [0, 2, 4, 6, 8])
  t.same(ticksOf(9.99), [0, 2.5, 5, 7.5, 10])
  t.same(ticksOf(1234), [0, 500, 1000, 1500])
  for (let usd = 1e-6; usd < 1e6; usd *= 1.07) {
    const ticks = ticksOf(usd)
    const top = ticks.at(-1) ?? 0
    t.ok(ticks.length <= 5 && top >= usd * 0.999999 && top <= usd * 2, `${usd}: ${ticks}`)
  }
})

test('names and days are texts', async (t) => {
  t.equal(nameOf(row({ tag: null }), 'tag'), '(none)')
  t.equal(dayText(Date.UTC(2026, 11, 31), 1), '2027-01-01')
})
