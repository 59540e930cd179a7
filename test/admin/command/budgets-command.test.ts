// `sluice budgets` against the admin API and a real database: each verb, for people and for programs, and what is wrong.
import { test } from 'tap'
import { adminShell } from '../../helpers/admin-shell.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('a budget is created, listed, shown, changed, adjusted and deleted', async (t) => {
  const run = await adminShell(t)
  t.match(await run('budgets list'), [/^NAME {2}SCOPE {2}PER {2}UNIT {2}RESETS {2}LIMIT {2}SPENT {2}RESERVED {2}LEFT$/])
  t.match(await run('budgets create night --scope tag:night --per total --usd 20.5'), [
    /^NAME/,
    /^night {2}tag:night {2}total {2}usd +- +20\.5 +0 +0 +20\.5$/,
  ])
  await run('keys create app --budget 1000tokens/day')
  t.match(await run('budgets list'), [/^NAME/, /^key:app:day:tokens +key:app +day +tokens +20.* 1000 /, /^night /])
  t.match(await run('budgets adjust night --usd 3 --reason moved'), [/^NAME/, / 20\.5 +3 +0 +17\.5$/])
  t.match(await run('budgets adjust night --usd=-1 --reason refund'), [/^NAME/, / 20\.5 +2 +0 +18\.5$/])
  t.match(await rejectionOf(run('budgets adjust night --usd=-9 --reason refund')), {
    message: /answered 400: .*refund/,
  })
  t.match(await rejectionOf(run('budgets adjust night --usd 1')), { message: /answered 400: .*reason/ })
  t.match(JSON.parse((await run('budgets update night --usd 30 --json'))[0] ?? ''), { usd: 30, spent: 2, left: 28 })
  t.match(JSON.parse((await run('budgets list --json'))[0] ?? ''), { data: [{ tokens: 1000 }, { name: 'night' }] })
  t.same(await run('budgets delete night'), ['Budget night is deleted.'])
  t.match(await rejectionOf(run('budgets show night')), { message: /the gateway answered 404/ })
})

test('of a budget of end users one of them is shown and adjusted', async (t) => {
  const run = await adminShell(t)
  await run('budgets create each --scope user --per day --tokens 100')
  t.match(await run('budgets adjust each --tokens 5 --reason moved --user anna'), [/^NAME/, / 100 +5 +0 +95$/])
  t.match(await run('budgets show each --user anna'), [/^NAME/, / 100 +5 +0 +95$/])
  t.match(await run('budgets show each --user ben'), [/^NAME/, / 100 +0 +0 +100$/])
  t.match(await run('budgets show each'), [/^NAME/, / 100 +5 +0 +-$/], 'what is left is of each')
})
