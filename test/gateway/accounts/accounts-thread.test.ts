// A gateway with an account database: it starts with it or not at all, and no request comes in without a key.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { connectAccounts, startAccounts } from '../../../src/accounts/client.js'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { newKey } from '../../helpers/accounts-rig.js'
import { type Running, startGateway } from '../../helpers/gateway.js'
import { startPostgres } from '../../helpers/postgres-server.js'
import { reload } from '../../helpers/reload.js'

const server = await startPostgres(tap)
const BY = { by: 'admin' }
const FILE_KEY = 'key-of-the-file-0123456789'
const FILE_HEADERS = { authorization: `Bearer ${FILE_KEY}` }

/** A database with one key, app1. */
async function filledFile(t: Test): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-accounts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'accounts.db')
  const onTrouble = (message: string): void => {
    t.fail(message)
  }
  const directory = createDirectoryMemory(10)
  const thread = await startAccounts({
    database: { store: 'sqlite', path },
    directory,
    fileKeys: [],
    clockOffset: null,
    onTrouble,
  })
  await connectAccounts(thread.connect()).createKey(newKey('app1'), { by: 'admin' })
  await thread.close()
  return path
}

async function statusOf({ origin }: Running, path: string, key: string | null): Promise<number> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
  return (await fetch(`${origin}${path}`, { headers })).status
}

test('an empty database opens the gateway to nobody, on any loop, and makes another host than loopback possible', async (t) => {
  const config = { server: { host: '0.0.0.0', threads: 2 }, accounts: { store: 'sqlite' }, providers: { sim: {} } }
  const gateway = await startGateway(t, { config })
  t.ok(existsSync(join(gateway.folder, 'data/accounts.db')))
  for (let i = 0; i < 8; i++) {
    t.equal(await statusOf(gateway, '/v1/models', null), 401)
    t.equal(await statusOf(gateway, '/v1/models', 'sk-sluice-guess'), 401)
  }
  t.equal(await statusOf(gateway, '/readyz', null), 200)
  const path = join(gateway.folder, 'data/accounts.db')
  await t.rejects(
    startGateway(t, { config: { accounts: { store: 'sqlite', path } } }),
    /The account database .*accounts\.db is in use by another process/,
  )
  t.equal(await gateway.stop('SIGINT'), 0)
  t.notOk(existsSync(`${path}-wal`), 'closed')
})

test('a name that file and database have is refused, at the start and by a reload', async (t) => {
  const accounts = { store: 'sqlite', path: await filledFile(t) }
  const keyed = (name: string) => ({ accounts, keys: [{ name, key: FILE_KEY }], providers: { sim: {} } })
  await t.rejects(
    startGateway(t, { config: keyed('app1') }),
    /keys: app1 is also the name of a key in the account database/,
  )
  const gateway = await startGateway(t, { config: keyed('app2') })
  t.equal(await statusOf(gateway, '/v1/models', FILE_KEY), 200)
  t.equal(await statusOf(gateway, '/v1/models', null), 401)
  const refused = await reload(gateway, keyed('app1'))
  t.match(refused, { msg: 'configuration reload rejected', reason: /^keys: app1 is also/ })
  t.match(await reload(gateway, keyed('app3')), { msg: 'configuration reloaded' })
  t.equal(await statusOf(gateway, '/v1/models', FILE_KEY), 200)
  t.match(await reload(gateway, { ...keyed('app3'), accounts: { store: 'off' }, keys: [] }), {
    msg: 'configuration reloaded',
  })
  t.equal(
    await statusOf(gateway, '/v1/models', null),
    401,
    'the database is not turned off by a reload, and keys are needed',
  )
  t.equal(await gateway.stop('SIGINT'), 0)
})

test('keys in PostgreSQL open it as well; without the database it does not start, and names no password', async (t) => {
  const url = await server.createDatabase()
  const config = { accounts: { store: 'postgres', url }, providers: { sim: {} }, server: { threads: 2 } }
  const directory = createDirectoryMemory(10)
  const thread = await startAccounts({
    ...{ database: { store: 'postgres', url }, directory, fileKeys: [], clockOffset: null },
    onTrouble: () => undefined,
  })
  const store = connectAccounts(thread.connect())
  const gateway = await startGateway(t, { config })
  t.equal(await statusOf(gateway, '/v1/models', null), 401)
  const { secret } = await store.createKey(newKey('app1'), { by: 'admin' })
  const deadlineMs = performance.now() + 30_000
  while ((await statusOf(gateway, '/v1/models', secret)) !== 200 && performance.now() < deadlineMs);
  t.equal(await statusOf(gateway, '/v1/models', secret), 200, 'made on another node')
  await thread.close()
  await server.kill()
  t.equal(await statusOf(gateway, '/v1/models', secret), 200, 'the database is away')
  t.equal(await statusOf(gateway, '/readyz', null), 200)
  const refused = await startGateway(t, { config }).then(
    () => '',
    (thrown: unknown) => String(thrown),
  )
  t.match(refused, /The account database at 127\.0\.0\.1:\d+ cannot be used/)
  t.notMatch(refused + gateway.errorOutput + gateway.output.join('\n'), 'canary-password')
})

test('without its PostgreSQL a gateway starts with the keys of its snapshot, says so, and refuses them when they are too old', async (t) => {
  await server.start()
  const url = await server.createDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-accounts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const accounts = { store: 'postgres', url, singleNode: true, snapshot: join(folder, 'snapshot') }
  const keys = [{ name: 'file', key: FILE_KEY }]
  const config = { accounts, keys, providers: { sim: {} } }
  const thread = await startAccounts({
    ...{ database: { store: 'postgres', url }, directory: createDirectoryMemory(10), fileKeys: [], clockOffset: null },
    ...{ isSingleNode: true, onTrouble: () => undefined },
  })
  const store = connectAccounts(thread.connect())
  const [{ secret }, { secret: limited }] = await Promise.all([
    store.createKey(newKey('app1'), BY),
    store.createKey(newKey('app2', { budgets: [{ unit: 'tokens', limit: 1000, per: 'total' }] }), BY),
  ])
  await thread.close()
  const first = await startGateway(t, { config })
  t.equal(await statusOf(first, '/v1/models', secret), 200)
  t.equal(await first.stop('SIGINT'), 0)
  const short = await startGateway(t, {
    config: { ...config, accounts: { ...accounts, snapshot: join(folder, 'other'), maxStaleMs: 1000 } },
  })
  await server.kill()
  const gateway = await startGateway(t, { config })
  t.match(gateway.errorOutput, /cannot be used .*Only keys known before are accepted/)
  const ready = await fetch(`${gateway.origin}/readyz`)
  t.same([ready.status, await ready.json()], [200, { status: 'degraded', reason: 'account database away' }])
  t.match(await gateway.metricsWith([/^sluice_accounts_up 0$/m], FILE_HEADERS), /^sluice_accounts_up 0$/m)
  t.equal(await chatStatus(gateway, secret), 200)
  t.equal(await chatStatus(gateway, limited), 503, 'it is not known what is left of its budget')
  t.equal(await statusOf(gateway, '/v1/models', 'sk-sluice-guess'), 401)

  while ((await statusOf(short, '/v1/models', secret)) === 200) await new Promise((resolve) => setTimeout(resolve, 50))
  const headers = { 'content-type': 'application/json', 'x-api-key': secret ?? '', 'anthropic-version': '2023-06-01' }
  const body = JSON.stringify({ model: 'sim/lorem-max', max_tokens: 8, messages: [{ role: 'user', content: 'hi' }] })
  const refused = await fetch(`${short.origin}/v1/messages`, { method: 'POST', headers, body })
  t.equal(refused.status, 503)
  t.ok(refused.headers.get('retry-after'))
  t.match(await refused.json(), { type: 'error', error: { type: 'overloaded_error', message: /cannot be checked/ } })
  t.equal(await statusOf(short, '/readyz', null), 200)
  t.equal(await chatStatus(short, FILE_KEY), 200)

  await server.start()
  while ((await statusOf(short, '/v1/models', secret)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
  while ((await chatStatus(gateway, limited)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
  t.same(await (await fetch(`${gateway.origin}/readyz`)).json(), { status: 'ok' })
  for (const file of readdirSync(folder)) t.notMatch(readFileSync(join(folder, file), 'utf8'), secret ?? '')
})

async function chatStatus({ origin }: Running, key: string | null): Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const body = JSON.stringify({ model: 'sim/lorem-max', max_tokens: 8, messages: [{ role: 'user', content: 'hi' }] })
  const answer = await fetch(`${origin}/v1/chat/completions`, { method: 'POST', headers, body })
  await answer.text()
  return answer.status
}
