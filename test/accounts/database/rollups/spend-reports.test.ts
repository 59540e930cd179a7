// How much reports read in a file of SQLite: judged by plans, not by the clock. The sums themselves are test/helpers/rollup-suite.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { reportSpend } from '../../../../src/accounts/database/rollups/spend-reports.js'
import { openAccountsFile } from '../../../../src/accounts/database/sqlite.js'
import { type SpendQuery } from '../../../../src/accounts/rollups/reports.js'
import { DAY_MS, HOUR_MS } from '../../../../src/accounts/rollups/types.js'
import { sqlitePlans } from '../../../helpers/query-plans.js'
import { fillMonth } from '../../../helpers/rollup-suite.js'

const FROM = Date.UTC(2026, 10, 1)
const NOVEMBER = { fromMs: FROM, toMs: FROM + 30 * DAY_MS }

async function plansOf(t: Test, query: Pick<SpendQuery, 'by'> & Partial<SpendQuery>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-reports-'))
  const { db, close } = openAccountsFile(join(folder, 'a.db'))
  t.teardown(async () => {
    await close()
    rmSync(folder, { recursive: true, force: true })
  })
  await fillMonth(db)
  return sqlitePlans(db, (recorded) => reportSpend(recorded, { ...NOVEMBER, after: null, limit: 5, ...query }))
}

test('a page of end users of a month is a range of an index that is in its order', async (t) => {
  for (const by of [['user'], ['user', 'key'], ['key', 'user']] as const) {
    const plans = await plansOf(t, { by })
    const page = plans.find((plan) => plan.includes('rollup_user_months')) ?? ''
    t.match(page, /SEARCH rollup_user_months USING .*INDEX .*\(month=\? AND (?:user|key)_name>\?\)/, by.join())
    t.notMatch(page, 'TEMP B-TREE', 'is read in order, and no further than the page')
    t.notOk(
      plans.some((plan) => /SCAN rollup_users|rollup_users .*\(day>\? AND day<\?\)/.test(plan)),
      'no days',
    )
  }
})

test('a page of end users by day looks up a day, some users or a key', async (t) => {
  const daysOf = (plans: readonly string[]) => plans.filter((plan) => /rollup_users\b/.test(plan))
  for (const plan of daysOf(await plansOf(t, { by: ['user', 'day'] }))) {
    t.match(plan, /INDEX rollup_users_by_user \(user_name=\? AND day>\? AND day<\?\)|\(day>\?\)/)
  }
  for (const plan of daysOf(await plansOf(t, { by: ['day', 'user'] }))) t.match(plan, /\(day=\?\)|\(day>\?\)/)
})

test('a month that begins in the middle of a day is read by hours at its ends alone', async (t) => {
  const range = { fromMs: FROM + HOUR_MS, toMs: FROM + 30 * DAY_MS - HOUR_MS }
  const [page = '', ...others] = await plansOf(t, { by: ['team'], ...range })
  t.equal(page.match(/SEARCH rollups USING INDEX \S+ \(span_hours=\? AND slot>\? AND slot<\?\)/g)?.length, 3)
  t.same(others, [], 'a page that has all rows is its total')
})

test('the total of several pages is added up for the first one, and carried by the others', async (t) => {
  const first = await plansOf(t, { by: ['model'], limit: 1 })
  t.equal(first.length, 2)
  const total = {
    ...{ requests: 1, attempts: 1, errors: 0, inputTokens: 0, outputTokens: 0 },
    cachedTokens: 0,
    costNano: 7,
    unpriced: 0,
  }
  t.equal((await plansOf(t, { by: ['model'], limit: 1, after: { at: ['m0'], total } })).length, 1)
})
