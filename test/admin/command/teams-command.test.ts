// `sluice teams` against the admin API and a real database: each verb, for people and for programs, and what is wrong.
import { test } from 'tap'
import { adminShell } from '../../helpers/admin-shell.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('a team and its key are created with their budgets, listed, shown and deleted', async (t) => {
  const run = await adminShell(t)
  t.same(await run('teams list'), ['NAME  MODELS  BUDGETS  STATE  CREATED'])
  const line = 'teams create blue --models gpt*,o3 --budget 500/month --concurrency 9'
  t.same(await run(line), ['Team blue is there.'])
  t.same(await run(line), ['Team blue is there.'], 'again with the same contents')
  t.match(await rejectionOf(run('teams create blue')), { message: /the gateway answered 409/ })
  t.match(await run('keys create app --team blue --budget 50/month,1000000tokens/day'), ['Key app:', /^sk-sluice-/])
  t.match(JSON.parse((await run('teams show blue --json'))[0] ?? ''), {
    ...{ name: 'blue', models: ['gpt*', 'o3'], limits: { concurrency: 9 } },
    budgets: [{ usd: 500, per: 'month' }],
  })
  t.match((await run('teams show blue')).join('\n'), /"usd": 500/)
  t.match(await run('teams list'), [/^NAME/, /^blue {2}gpt\*,o3 {2}500\/month {2}active {2}20\d\d-/])
  t.match((await run('keys list'))[1], / 1000000tokens\/day,50\/month /)
  t.match(JSON.parse((await run('teams list --json'))[0] ?? ''), { data: [{ name: 'blue' }] })
  t.match(await rejectionOf(run('teams delete blue')), { message: /the gateway answered 409/ }, 'it has keys')
  await run('keys revoke app')
  t.same(await run('teams delete blue'), ['Team blue is deleted.'])
  t.same(JSON.parse((await run('teams create red --json'))[0] ?? '').name, 'red')
  t.match(await rejectionOf(run('teams show blue')), { message: /the gateway answered 404/ })
})

test('an update changes what is given and nothing else; none takes away', async (t) => {
  const run = await adminShell(t)
  await run('teams create blue --models gpt*,o3 --budget 500/month --concurrency 9')
  const shown = async () => JSON.parse((await run('teams show blue --json'))[0] ?? '')
  const before = await shown()
  t.same(await run('teams update blue --requests-per-minute 60'), ['Team blue is changed.'])
  t.same(await shown(), { ...before, limits: { ...before.limits, requestsPerMinute: 60 } })
  t.match(JSON.parse((await run('teams update blue --budget 9/day --disable --json'))[0] ?? ''), {
    ...{ models: ['gpt*', 'o3'], disabled: true, limits: { requestsPerMinute: 60, concurrency: 9 } },
    budgets: [{ usd: 9, per: 'day' }],
  })
  t.match((await run('teams list'))[1], / disabled /)
  await run('teams update blue --enable --concurrency none --budget none')
  t.match(await shown(), { disabled: false, budgets: [], limits: { requestsPerMinute: 60, concurrency: null } })
  t.match(await rejectionOf(run('teams update red --enable')), { message: /the gateway answered 404/ })
  t.match(await rejectionOf(run('teams update red --concurrency 1')), { message: /the gateway answered 404/ })
})
