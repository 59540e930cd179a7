// Windows of budgets: their numbers, beginnings and ends in UTC.
import fc from 'fast-check'
import { test } from 'tap'
import { windowAt, windowEndMs, windowStartMs } from '../../../src/accounts/budgets/windows.js'
import { BUDGET_PERIODS } from '../../../src/accounts/types.js'

const at = (text: string): number => Date.parse(text)

test('windows begin at the hour, at midnight, on Monday and on the first of the month, in UTC', async (t) => {
  const now = at('2026-11-29T16:20:30.500Z')
  const begin = (per: (typeof BUDGET_PERIODS)[number]) => new Date(windowStartMs(per, windowAt(per, now))).toISOString()
  t.equal(begin('hour'), '2026-11-29T16:00:00.000Z')
  t.equal(begin('day'), '2026-11-29T00:00:00.000Z')
  t.equal(begin('week'), '2026-11-23T00:00:00.000Z', 'a Monday; the 29th is a Sunday')
  t.equal(begin('month'), '2026-11-01T00:00:00.000Z')
  t.equal(windowAt('total', now), 0)
})

test('a window ends where the next one begins, and a total never', async (t) => {
  t.equal(windowEndMs('month', windowAt('month', at('2026-12-31T23:59:59.999Z'))), at('2027-01-01T00:00:00Z'))
  t.equal(windowEndMs('month', windowAt('month', at('2028-02-29T12:00:00Z'))), at('2028-03-01T00:00:00Z'))
  t.equal(windowEndMs('week', windowAt('week', at('2026-11-29T23:59:59.999Z'))), at('2026-11-30T00:00:00Z'))
  t.equal(windowAt('week', at('2026-11-30T00:00:00Z')), windowAt('week', at('2026-11-29T23:59:59.999Z')) + 1)
  t.equal(windowEndMs('total', 0), null)
})

test('every time lies in exactly one window of each length', async (t) => {
  const times = fc.integer({ min: 0, max: at('2200-01-01T00:00:00Z') })
  fc.assert(
    fc.property(times, fc.constantFrom(...BUDGET_PERIODS), (ms, per) => {
      const window = windowAt(per, ms)
      if (windowStartMs(per, window) > ms) return false
      const end = windowEndMs(per, window)
      return end === null || (ms < end && windowAt(per, end) === window + 1)
    }),
  )
  t.pass('for all of them')
})
