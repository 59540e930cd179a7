// `sluice streams` against the admin API: the open requests of all event loops, and the cancel of one.
import { test } from 'tap'
import { FakeLoop, streamEntry } from '../../helpers/admin.js'
import { adminShell } from '../../helpers/admin-shell.js'
import { rejectionOf } from '../../helpers/thrown.js'

test('open requests are listed, and one is cancelled', async (t) => {
  const entry = streamEntry({ model: 'fast\u001b[2J', ageMs: 1234 })
  const other = streamEntry({ id: 'other', key: null, model: 'slow', target: null })
  const loop = new FakeLoop({ streams: () => [entry, other], cancel: () => entry })
  const run = await adminShell(t, [loop])
  t.match(await run('streams list'), [
    /^ID +KEY +MODEL +TARGET +TRANSPORT +STATE +SECONDS +OUTPUT$/,
    / team-a +fast\?\[2J +north\/m +sse +streaming +1\.2 +7$/,
    /^other +- +slow +- /,
  ])
  t.match(await run('streams list --model slow'), [/^ID/, /^other /])
  t.match(JSON.parse((await run('streams list --key team-a --json'))[0] ?? ''), { data: [{ key: 'team-a' }], total: 1 })
  t.same(await run(`streams cancel ${entry.id}`), [`Request ${entry.id} is cancelled.`])
  t.match(loop.calls.at(-1), { name: 'cancel', args: [entry.id, 'oncall'] })
  t.match(await rejectionOf(run('streams cancel nothing')), { message: /the gateway answered 404/ })
})

test('what does not fit into one answer is said', async (t) => {
  const run = await adminShell(t, [
    new FakeLoop({ streams: () => Array.from({ length: 10_001 }, () => streamEntry()) }),
  ])
  t.equal((await run('streams list')).at(-1), '10000 of 10001 requests are shown.')
})
