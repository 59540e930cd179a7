// `sluice providers` against the admin API: how they do, and pauses.
import { test } from 'tap'
import { FakeLoop } from '../../helpers/admin.js'
import { adminShell } from '../../helpers/admin-shell.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('providers are listed, paused and resumed', async (t) => {
  const window = { provider: 'north', attempts: 10, failed: 2, rateLimited: 1, firstTokenMs: [] }
  const loop = new FakeLoop({ providers: () => [window], pause: () => null })
  const facts = { protocol: 'openai-chat', baseUrl: 'http://127.0.0.1/v1', breaker: 'closed' } as const
  const run = await adminShell(t, [loop], { providers: () => [{ ...facts, name: 'north' }] })
  t.same(await run('providers list'), [
    'NAME   PROTOCOL     STATE   BREAKER  ATTEMPTS  FAILED  LIMITED',
    'north  openai-chat  active  closed         10       2        1',
  ])
  t.same(await run('providers pause north'), ['Provider north is paused.'])
  t.match((await run('providers list'))[1], / paused /)
  t.match(JSON.parse((await run('providers list --json'))[0] ?? ''), { data: [{ paused: true }], silent: [] })
  t.match(JSON.parse((await run('providers resume north --json'))[0] ?? ''), { name: 'north', paused: false })
  t.match(await rejectionOf(run('providers pause south')), { message: /the gateway answered 404/ })
})
