// What was spent, as bars.
import { test } from 'tap'
import { barsOf, dayText, nameOf, type SpendRow } from '../../../src/console/spend/spend-report.js'

const ZERO = { requests: 1, errors: 0, inputTokens: 1, outputTokens: 1, cachedTokens: 0, usd: 0, unpriced: 0 }
const row = (members: Partial<SpendRow>): SpendRow => ({ ...ZERO, ...members })

test('days are in their order, everything else the dearest first', async (t) => {
  const days = [row({ day: '2026-11-02', usd: 1 }), row({ day: '2026-11-01', usd: 4 })]
  t.same(barsOf(days, 'day'), [
    { name: '2026-11-01', usd: 4, height: 1 },
    { name: '2026-11-02', usd: 1, height: 0.25 },
  ])
  const keys = [row({ key: 'a', usd: 1 }), row({ key: 'b', usd: 2 })]
  t.same(
    barsOf(keys, 'key').map(({ name }) => name),
    ['b', 'a'],
  )
  t.same(barsOf([row({ team: null })], 'team'), [{ name: '(none)', usd: 0, height: 0 }])
  t.same(barsOf([], 'day'), [])
})

test('no more bars than one can see: the latest days, the dearest of everything else', async (t) => {
  const many = Array.from({ length: 90 }, (_, index) => row({ day: dayText(0, index), model: `m${index}`, usd: index }))
  t.same([barsOf(many, 'day').at(-1)?.name, barsOf(many, 'day').length], ['1970-03-31', 60])
  t.equal(barsOf(many, 'model')[0]?.name, 'm89')
})

test('names and days are texts', async (t) => {
  t.equal(nameOf(row({ tag: null }), 'tag'), '(none)')
  t.equal(dayText(Date.UTC(2026, 11, 31), 1), '2027-01-01')
})
