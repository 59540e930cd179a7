// `sluice teams` against the admin API and a real database: each verb, for people and for programs, and what is wrong.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { runKeys } from '../../../src/admin/command/keys-command.js'
import { runTeams } from '../../../src/admin/command/teams-command.js'
import { parseCommandLine } from '../../../src/config/command-line.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, startAdmin, WRITE_KEY } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

/** Runs commands as a shell does. */
async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  const before = process.env.ADMIN_KEY
  process.env.ADMIN_KEY = WRITE_KEY
  t.teardown(() => {
    if (before === undefined) delete process.env.ADMIN_KEY
    else process.env.ADMIN_KEY = before
    rmSync(folder, { recursive: true, force: true })
  })
  const database = { store: 'sqlite', path: join(folder, 'accounts.db') } as const
  const node = await openNode(t, { database, directory: createDirectoryMemory(50), fileKeys: [], clockOffset: null })
  const { url } = await startAdmin(t, adminContext([], { accounts: () => node.store }).context)
  return async (line: string): Promise<string[]> => {
    const lines: string[] = []
    const print = (printed: string): void => void lines.push(printed)
    const command = parseCommandLine([...line.split(' '), '--url', url])
    if (command.kind === 'teams') await runTeams(command.options, print)
    else if (command.kind === 'keys') await runKeys(command.options, print)
    else throw new Error('another command')
    return lines
  }
}

test('a team and its key are created with their budgets, listed, shown and deleted', async (t) => {
  const run = await setUp(t)
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
