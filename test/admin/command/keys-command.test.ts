// `sluice keys` against the admin API and a real database: each verb, for people and for programs, and what is wrong.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { type AccountCalls } from '../../../src/accounts/store.js'
import { runKeys } from '../../../src/admin/command/keys-command.js'
import { parseCommandLine } from '../../../src/config/command-line.js'
import { openNode } from '../../helpers/accounts-rig.js'
import { adminContext, READ_KEY, startAdmin, WRITE_KEY } from '../../helpers/admin.js'
import { rejectionOf } from '../../helpers/thrown.js'

/** Runs a command as a shell does. */
async function run(url: string, line: string, key: string | null = WRITE_KEY): Promise<string[]> {
  const command = parseCommandLine(['keys', ...line.split(' '), '--url', url])
  if (command.kind !== 'keys') throw new Error('another command')
  const lines: string[] = []
  const before = process.env.ADMIN_KEY
  if (key === null) delete process.env.ADMIN_KEY
  else process.env.ADMIN_KEY = key
  try {
    await runKeys(command.options, (printed) => lines.push(printed))
  } finally {
    if (before === undefined) delete process.env.ADMIN_KEY
    else process.env.ADMIN_KEY = before
  }
  return lines
}

async function setUp(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-admin-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const start = {
    database: { store: 'sqlite', path: join(folder, 'accounts.db') } as const,
    directory: createDirectoryMemory(50),
    fileKeys: [],
    clockOffset: null,
  }
  const node = await openNode(t, start)
  const { url } = await startAdmin(t, adminContext([], { accounts: () => node.store }).context)
  return { url, node }
}

test('a key is created, shown, rotated and revoked', async (t) => {
  const { url, node } = await setUp(t)
  await node.store.createTeam(
    { name: 'blue', models: ['*'], limits: NONE, metadata: {}, disabled: false },
    { by: 'admin' },
  )
  const created = await run(url, 'create app1 --team blue --models gpt*,o3 --tags a,b --concurrency 3')
  t.match(created, ['Key app1:', /^sk-sluice-/, /shown this once/])
  t.match(await run(url, 'create app1 --team blue --models gpt*,o3 --tags a,b --concurrency 3'), [/was there already/])
  t.match((await run(url, 'show app1')).join(), /"concurrency": 3/)
  t.match(JSON.parse((await run(url, 'show app1 --json'))[0] ?? ''), {
    team: 'blue',
    models: ['gpt*', 'o3'],
    tags: ['a', 'b'],
  })
  const rotated = JSON.parse((await run(url, 'rotate app1 --overlap-ms 0 --json'))[0] ?? '')
  t.match(rotated, { name: 'app1', secret: /^sk-sluice-/, secrets: [{ validUntil: null }] })
  t.match(await run(url, 'revoke app1'), [/app1 is revoked/])
  t.match(await rejectionOf(run(url, 'show app1')), { message: 'the gateway answered 404: No such key.' })
})

const NONE = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** Two pages of keys, whatever the limit. */
const PAGES = {
  async listKeys({ after, team }: Parameters<AccountCalls['listKeys']>[0]) {
    const base = { id: 'key_1', team: null, models: ['*'], limits: NONE, tags: [], metadata: {}, trustUser: false }
    const rest = { createdAtMs: 0, rotatedAtMs: null, lastUsedAtMs: null, secrets: [], budgets: [], version: 1 }
    if (team !== undefined) return { keys: [], next: null }
    if (after === null) {
      return { keys: [{ ...base, ...rest, name: 'k0', disabled: true, expiresAtMs: null }], next: 'k0' }
    }
    return { keys: [{ ...base, ...rest, name: 'k1', disabled: false, expiresAtMs: 0 }], next: null }
  },
} as unknown as AccountCalls

test('all pages of a list are one table, or one document', async (t) => {
  const { url } = await startAdmin(t, adminContext([], { accounts: () => PAGES }).context)
  const lines = await run(url, 'list')
  t.equal(lines.length, 3)
  t.match(lines[0], /^NAME +SOURCE +TEAM +MODELS +BUDGETS +STATE +EXPIRES +LAST USED$/)
  t.match(lines[1], /^k0 +database +- +\* +- +disabled +- +-$/)
  t.match(lines[2], /^k1 +database +- +\* +- +active +1970-01-01T00:00:00\.000Z +-$/)
  t.equal(JSON.parse((await run(url, 'list --json'))[0] ?? '').data.length, 2)
  t.equal(JSON.parse((await run(url, 'list --json --team nobody'))[0] ?? '').data.length, 0)
})

test('what is missing or refused is said, without the key', async (t) => {
  const { url } = await setUp(t)
  t.match(await rejectionOf(run(url, 'list', null)), { message: /^no admin key given: set ADMIN_KEY/ })
  t.match(await rejectionOf(run(url, 'list', 'wrong-key-0123456789')), { message: /^the gateway answered 401: / })
  t.match(await rejectionOf(run(url, 'create a', READ_KEY)), { message: /^the gateway answered 403: .*role write/ })
  t.match(await rejectionOf(run(url, 'create a --models ,')), { message: /^the gateway answered 400: models\.0/ })
  const nowhere = await rejectionOf(run('http://127.0.0.1:1', 'list'))
  t.match(nowhere.message, /^the admin API at http:\/\/127\.0\.0\.1:1 cannot be reached \([\w ]+\)/)
})

test('an update changes what is given and nothing else; none takes away', async (t) => {
  const { url, node } = await setUp(t)
  await run(url, 'create app1 --tags a,b --budget 5/day --expires-at 2030-01-01T00:00:00Z --tokens-per-minute 7')
  t.same(await run(url, 'update app1 --concurrency 3 --models o3'), ['Key app1 is changed.'])
  t.match(await node.store.getKey('app1'), {
    ...{ models: ['o3'], tags: ['a', 'b'], budgets: [{ per: 'day' }], expiresAtMs: 1_893_456_000_000, disabled: false },
    limits: { requestsPerMinute: null, tokensPerMinute: 7, concurrency: 3 },
  })
  await run(url, 'update app1 --tags none --budget none --expires-at none --team none --disable')
  t.match(await node.store.getKey('app1'), {
    ...{ tags: [], budgets: [], expiresAtMs: null, team: null, disabled: true },
    limits: { tokensPerMinute: 7, concurrency: 3 },
  })
})
