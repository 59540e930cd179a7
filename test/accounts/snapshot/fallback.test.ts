// A node whose PostgreSQL is away: while it runs, and when it starts.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import tap, { type Test, test } from 'tap'
import { BudgetIndex } from '../../../src/accounts/budgets/budget-index.js'
import { createDirectoryMemory } from '../../../src/accounts/directory/memory.js'
import { Standing } from '../../../src/accounts/directory/standing.js'
import { type AccountsStart } from '../../../src/accounts/messages.js'
import { digestOf } from '../../../src/accounts/secret.js'
import { newKey, openNode } from '../../helpers/accounts-rig.js'
import { startPostgres } from '../../helpers/postgres-server.js'
import { rejectionOf } from '../../helpers/thrown.js'

const server = await startPostgres(tap)
const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A node with a snapshot, which may be opened again. */
function keeping(t: Test, url: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-fallback-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const snapshot = { path: join(folder, 'accounts.snapshot'), maxStaleMs: 3_600_000 }
  const clockOffset = new SharedArrayBuffer(8)
  const start = {
    database: { store: 'postgres', url } as const,
    snapshot,
    isSingleNode: true,
    fileKeys: [],
    clockOffset,
  }
  return {
    snapshot,
    clock: new Float64Array(clockOffset),
    async open(members: Partial<AccountsStart> = {}) {
      const directory = createDirectoryMemory(1000)
      const node = await openNode(t, { ...start, directory, ...members })
      return {
        ...node,
        standing: new Standing(directory.standing),
        budgets: new BudgetIndex(directory.budgets, () => true),
      }
    },
  }
}

test('a node that starts without the database uses the keys it knew, and those of the database once it is back', async (t) => {
  const url = await server.createDatabase()
  const { snapshot, open } = keeping(t, url)
  const first = await open()
  const budgets = [{ unit: 'usd', limit: 1000, per: 'total' }] as const
  const { key, secret } = await first.store.createKey(newKey('app1', { budgets }), BY)
  const other = await first.store.createKey(newKey('app2', { disabled: true }), BY)
  const gone = await first.store.createKey(newKey('app3'), BY)
  await first.store.adjustBudget('key:app1:total', { amount: 70, unit: 'usd', reason: 'test' }, BY)
  await first.close()
  const text = readFileSync(snapshot.path, 'utf8')
  for (const each of [secret, other.secret, 'canary-password']) t.notMatch(text, each ?? '')
  t.match(text, digestOf(secret ?? ''))
  t.equal(statSync(snapshot.path).mode & 0o777, 0o600)
  await server.kill()
  t.match(await rejectionOf(open({ fileKeys: ['app2'] })), { message: /app2 is also the name of a key/ })
  const node = await open()
  t.match(node.troubles, [/cannot be used .*Only keys known before are accepted/])
  t.match(node.directory.find(digestOf(secret ?? '')), { account: { id: key.id } })
  t.equal(node.directory.named('app2')?.disabled, true)
  t.same([node.standing.isAway, node.standing.isStale, node.standing.isWithoutSpend], [true, false, true])
  t.equal(node.budgets.ofKey(key.id).length, 1, 'whose requests wait for what is spent')
  const calls = [node.store.getKey('app1'), node.store.deleteKey('app1', ANY), node.store.addSpend([], [])]
  for (const call of calls) t.match(await rejectionOf(call), { code: 'overloaded', message: /cannot be reached/ })
  t.match(await rejectionOf(node.reserve(['new'])), { code: 'overloaded' })
  await server.start()
  await server.run(url, `delete from sluice.secrets where key_id = '${gone.key.id}'`)
  await server.run(url, `delete from sluice.keys where id = '${gone.key.id}'`)
  while (!node.troubles.some((text) => text.includes('available again'))) await pause(20)
  t.equal(node.standing.isAway, false)
  t.equal(node.directory.find(digestOf(gone.secret ?? '')), null, 'deleted in the meantime')
  t.match(await node.store.getBudget('key:app1:total'), { spent: 70, limit: 1000 })
  t.ok((await node.store.createKey(newKey('app4'), BY)).secret)
})

test('keys that the database has not confirmed for too long are for nobody, while it runs and at a start', async (t) => {
  const url = await server.createDatabase()
  const { clock, open } = keeping(t, url)
  const node = await open()
  await node.store.createKey(newKey('app1'), BY)
  await server.kill()
  while (!node.standing.isAway) await pause(20)
  t.equal(node.standing.isStale, false)
  clock[0] = 3_600_000
  while (!node.troubles.some((text) => text.includes('longer than accounts.maxStaleMs'))) await pause(20)
  t.equal(node.standing.isStale, true)
  t.match(await rejectionOf(open()), { message: /^The account database at .* cannot be used/ }, 'it is too old')
  await server.start()
  while (node.standing.isAway) await pause(20)
  t.equal(node.standing.isStale, false)
})

test('a snapshot of another database is refused where it is needed, and a file of another kind is never replaced', async (t) => {
  const { snapshot, open } = keeping(t, await server.createDatabase())
  await (await open()).close()
  const before = readFileSync(snapshot.path, 'utf8')
  const elsewhere = { store: 'postgres', url: 'postgres://nobody:secret@127.0.0.1:1/other' } as const
  t.match(await rejectionOf(open({ database: elsewhere })), { message: /is of another database/ })
  t.equal(readFileSync(snapshot.path, 'utf8'), before)
  writeFileSync(snapshot.path, 'a diary')
  t.match(await rejectionOf(open()), { message: /is not a snapshot of accounts/ })
  t.equal(readFileSync(snapshot.path, 'utf8'), 'a diary')
})

test('a database that is lost while a node starts stops no node that knows its keys', async (t) => {
  const url = await server.createDatabase()
  const { open } = keeping(t, url)
  const first = await open()
  const { key, secret } = await first.store.createKey(newKey('app1'), BY)
  const gone = await first.store.createKey(newKey('app2'), BY)
  await first.close()
  await server.run(url, `delete from sluice.secrets where key_id = '${gone.key.id}'`)
  await server.run(url, `delete from sluice.keys where id = '${gone.key.id}'`)
  // After the keys are read, and before that.
  for (const table of ['signing_secrets', 'keys']) {
    const locker = new pg.Client({ connectionString: url })
    locker.on('error', () => undefined)
    await locker.connect()
    await locker.query(`begin; lock table sluice.${table} in access exclusive mode`)
    const opening = open()
    const isWaiting = async () => (await server.run(url, 'select pid from pg_locks where not granted')).length > 0
    while (!(await isWaiting())) await pause(20)
    await server.kill()
    const node = await opening
    t.match(node.troubles.at(-1), /cannot be reached.* Only keys known before are accepted/, table)
    t.match(node.directory.find(digestOf(secret ?? '')), { account: { id: key.id } })
    t.equal(node.directory.find(digestOf(gone.secret ?? '')), null, 'what was read is newer than the snapshot')
    t.same([node.standing.isAway, node.standing.isWithoutSpend], [true, true])
    t.match(await rejectionOf(node.store.getKey('app1')), { code: 'overloaded' })
    await server.start()
    while (!node.troubles.includes('is available again')) await pause(20)
    t.match(await node.store.getKey('app1'), { id: key.id })
    t.equal(node.standing.isAway, false)
    await node.close()
  }
})
