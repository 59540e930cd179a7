// The commands of a shell that are calls of the admin API: each reaches its own.
import { test } from 'tap'
import { FakeLoop } from '../../helpers/admin.js'
import { adminShell } from '../../helpers/admin-shell.js'

test('each command prints its own table', async (t) => {
  const run = await adminShell(t, [new FakeLoop({ streams: () => [], providers: () => [] })])
  for (const [line, head] of [
    ['keys list', /^NAME +SOURCE/],
    ['teams list', /^NAME +MODELS/],
    ['budgets list', /^NAME +SCOPE/],
    ['streams list', /^ID +KEY/],
    ['providers list', /^NAME +PROTOCOL/],
    ['spend --by key', /^KEY +REQUESTS/],
  ] as const) {
    t.match((await run(line))[0], head, line)
  }
})
