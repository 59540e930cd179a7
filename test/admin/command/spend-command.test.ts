// `sluice spend` against the admin API and a real database: for people and for programs, over all pages.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { noCounts, type RollupCounts, type RollupRow } from '../../../src/accounts/rollups/types.js'
import { type AccountCalls } from '../../../src/accounts/store.js'
import { runSpend } from '../../../src/admin/command/spend-command.js'
import { parseCommandLine } from '../../../src/config/command-line.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, READ_KEY, startAdmin } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

const HOUR = Date.UTC(2026, 10, 3, 7) / 3_600_000
const NOVEMBER = ['--from', '2026-11-01', '--to', '2026-12-01']

/** Runs a command as a shell does. */
async function run(url: string, args: readonly string[], key: string | null = READ_KEY): Promise<string[]> {
  const command = parseCommandLine(['spend', ...args, '--url', url])
  if (command.kind !== 'spend') throw new Error('another command')
  const lines: string[] = []
  const before = process.env.ADMIN_KEY
  if (key === null) delete process.env.ADMIN_KEY
  else process.env.ADMIN_KEY = key
  try {
    await runSpend(command.options, (printed) => lines.push(printed))
  } finally {
    if (before === undefined) delete process.env.ADMIN_KEY
    else process.env.ADMIN_KEY = before
  }
  return lines
}

function row(model: string, team: string, counts: Partial<RollupCounts> = {}): RollupRow {
  const source = { owner: 'key_a', keyName: 'app', team, provider: 'north', tags: [], model }
  const one = { requests: 1, attempts: 1, inputTokens: 1200, outputTokens: 30, costNano: 1_500_000_000 }
  return { hour: HOUR, source, counts: { ...noCounts(), ...one, ...counts } }
}

async function setUp(t: Test, rows: readonly RollupRow[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-spend-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const node = await openNode(t, {
    database: { store: 'sqlite', path: join(folder, 'accounts.db') },
    ...{ directory: createDirectoryMemory(10), fileKeys: [], clockOffset: null },
  })
  await node.store.addRollups({ writer: 'w', sequence: 1, rows, users: [] })
  return (await startAdmin(t, adminContext([], { accounts: () => node.store }).context)).url
}

test('people get a table with a total', async (t) => {
  const url = await setUp(t, [
    row('fast', 'blue'),
    row('slow\u001b[2J', ''),
    row('fast', 'red', { errors: 1, costNano: 1 }),
  ])
  t.strictSame(await run(url, ['--by', 'team,model', ...NOVEMBER]), [
    'TEAM   MODEL     REQUESTS  ERRORS  INPUT  OUTPUT  CACHED       USD',
    '-      slow?[2J         1       0   1200      30       0  1.500000',
    'blue   fast             1       0   1200      30       0  1.500000',
    'red    fast             1       1   1200      30       0  0.000000',
    'TOTAL                   3       1   3600      90       0  3.000000',
  ])
  t.match(await run(url, NOVEMBER), [/^DAY +REQUESTS/, /^2026-11-03 +3 /, /^TOTAL +3 /], 'by day')
})

test('attempts without a known price are named below the table', async (t) => {
  const url = await setUp(t, [row('fast', 'blue', { costNano: 0, unpriced: 1 })])
  t.equal((await run(url, NOVEMBER)).at(-1), '1 of 1 attempts have no known price.')
})

test('programs get JSON or CSV', async (t) => {
  const url = await setUp(t, [row('fast', 'blue'), row('=1+1\n2', 'blue')])
  const [json = '', ...more] = await run(url, ['--by', 'model', '--json', ...NOVEMBER])
  t.same(more, [])
  t.match(JSON.parse(json), {
    ...{ from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z', by: ['model'] },
    ...{ data: [{ model: '=1+1\n2', usd: 1.5 }, { model: 'fast' }], total: { requests: 2, usd: 3 } },
  })
  const csv = (await run(url, ['--by', 'model', '--csv', ...NOVEMBER])).join('\n')
  t.equal(
    csv,
    [
      'model,requests,attempts,errors,inputTokens,outputTokens,cachedTokens,usd,unpriced',
      `"'=1+1\n2",1,1,0,1200,30,0,1.5,0`,
      'fast,1,1,0,1200,30,0,1.5,0',
    ].join('\r\n'),
  )
})

/** Two pages, whatever the limit. */
const PAGES = {
  async reportSpend({ after }: Parameters<AccountCalls['reportSpend']>[0]) {
    const sum = { ...noCounts(), requests: 1 }
    const total = { ...noCounts(), requests: 2 }
    return after === null
      ? { rows: [{ ...sum, team: 'a' }], next: { at: ['a'], total }, total }
      : { rows: [{ ...sum, team: 'b' }], next: null, total }
  },
} as unknown as AccountCalls

test('all pages are one report', async (t) => {
  const { url } = await startAdmin(t, adminContext([], { accounts: () => PAGES }).context)
  t.match(await run(url, ['--by', 'team']), [/^TEAM/, /^a /, /^b /, /^TOTAL +2 /])
  const report = JSON.parse((await run(url, ['--by', 'team', '--json']))[0] ?? '')
  t.match(report.data, [{ team: 'a' }, { team: 'b' }])
  t.notOk('next' in report)
  const csv = (await run(url, ['--by', 'team', '--csv'])).join('\r\n').split('\r\n')
  t.match(csv, [/^team,requests/, /^a,1/, /^b,1/])
  t.equal(csv.length, 3)
})

test('what is missing or refused is said', async (t) => {
  const { url } = await startAdmin(t, adminContext([], { accounts: () => PAGES }).context)
  t.match(await rejectionOf(run(url, [], null)), { message: /^no admin key given: set ADMIN_KEY/ })
  t.match(await rejectionOf(run(url, ['--by', 'planet'])), {
    message: /^the gateway answered 400: by: must be some of/,
  })
})
