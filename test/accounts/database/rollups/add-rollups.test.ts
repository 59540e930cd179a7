// Rollups in a file of SQLite: the suite of all databases, and how long rows are kept.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { addRollups, forgetRollups } from '../../../../src/accounts/database/rollups/add-rollups.js'
import { monthOf } from '../../../../src/accounts/database/rollups/report-parts.js'
import { UserNames } from '../../../../src/accounts/database/rollups/user-names.js'
import { openAccountsFile } from '../../../../src/accounts/database/sqlite.js'
import { createDirectoryMemory } from '../../../../src/accounts/directory/memory.js'
import { noCounts } from '../../../../src/accounts/rollups/types.js'
import { type AccountsRig, openNode } from '../../../helpers/accounts-rig.js'
import { rollupSuite } from '../../../helpers/rollup-suite.js'

function newPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-rollups-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'a.db')
}

async function open(t: Test): Promise<AccountsRig> {
  const path = newPath(t)
  const start = { directory: createDirectoryMemory(10), fileKeys: [], clockOffset: null }
  const node = await openNode(t, { ...start, database: { store: 'sqlite', path } })
  return {
    node,
    advance: () => undefined,
    async reopen() {
      await node.close()
      // libsql holds the lock of a file until its thread ends.
      copyFileSync(path, `${path}.copy`)
      return openNode(t, { ...start, database: { store: 'sqlite', path: `${path}.copy` } })
    },
  }
}

rollupSuite('sqlite', open)

test('rows are forgotten by their age: hours before days, sources with their last day', async (t) => {
  const { db, close } = openAccountsFile(newPath(t))
  t.teardown(close)
  const today = 20_000
  const source = { owner: 'key_a', keyName: 'app', team: '', provider: 'north', tags: ['x'] }
  const counts = { ...noCounts(), requests: 1 }
  const days = [today, today - 10, today - 11, today - 100, today - 101]
  const rows = days.map((day) => ({ hour: day * 24, source: { ...source, model: `${today - day}` }, counts }))
  const users = days.map((day) => ({ day, owner: 'key_a', keyName: 'app', user: 'u', counts }))
  await addRollups(db, { writer: 'w', sequence: 1, rows, users }, new UserNames(), 1000)
  await forgetRollups(db, { hourlyDays: 10, dailyDays: 100 }, today, 1000)
  const agesOf = async (span: number) =>
    (
      await db.selectFrom('rollups').select('slot').where('span_hours', '=', span).orderBy('slot', 'desc').execute()
    ).map(({ slot }) => today - (slot * span) / 24)
  t.same(await agesOf(1), [0, 10])
  t.same(await agesOf(24), [0, 10, 11, 100])
  t.same((await db.selectFrom('rollup_users').select('day').execute()).length, 4)
  const monthsOf = async () => {
    const months = await db.selectFrom('rollup_user_months').select('month').orderBy('month', 'desc').execute()
    return months.map(({ month }) => month)
  }
  t.same(await monthsOf(), [today, today - 10, today - 100].map(monthOf), 'the whole month of the first day')
  t.same((await db.selectFrom('rollup_sources').select('model').execute()).length, 4)
  t.same((await db.selectFrom('rollup_tags').select('tag').execute()).length, 4)
  t.same((await db.selectFrom('rollup_writers').select('id').execute()).length, 1)
  await forgetRollups(db, { hourlyDays: 10, dailyDays: 100 }, today, 1001 + 7 * 86_400_000)
  t.same(await db.selectFrom('rollup_writers').select('id').execute(), [], 'a process that is gone')
  await forgetRollups(db, { hourlyDays: 10, dailyDays: 32 }, today, 1000)
  t.same(await monthsOf(), [today, today - 10].map(monthOf))
})
