// The store of keys and teams over its thread and SQLite: the suite of all stores, and what is its own.
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { type Test, test } from 'tap'
import { type AccountsThread, connectAccounts, startAccounts } from '../../src/accounts/client.js'
import { createDirectoryMemory } from '../../src/accounts/directory/memory.js'
import { type AccountsStart } from '../../src/accounts/messages.js'
import { digestOf } from '../../src/accounts/secret.js'
import { type GatewayError } from '../../src/errors.js'
import { type AccountsRig, newKey, newTeam, openNode, type RigOptions } from '../helpers/accounts-rig.js'
import { accountsSuite } from '../helpers/accounts-suite.js'
import { rejectionOf } from '../helpers/thrown.js'

const BY = { by: 'admin' }
const ANY = { by: 'admin', ifVersion: null }

function newPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-accounts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'deep', 'accounts.db')
}

async function open(t: Test, { maxKeys = 1000, fileKeys = [] }: RigOptions = {}): Promise<AccountsRig> {
  const clockOffset = new SharedArrayBuffer(8)
  const shift = new Float64Array(clockOffset)
  const path = newPath(t)
  const start = { directory: createDirectoryMemory(maxKeys), fileKeys, clockOffset }
  const node = await openNode(t, { ...start, database: { store: 'sqlite', path } })
  return {
    node,
    advance(ms) {
      shift[0] = (shift[0] ?? 0) + ms
    },
    async reopen() {
      await node.close()
      // libsql holds the lock of a file until its thread ends.
      const copy = `${path}.copy`
      copyFileSync(path, copy)
      return openNode(t, { ...start, database: { store: 'sqlite', path: copy } })
    },
  }
}

accountsSuite('sqlite', open)

const START = { directory: createDirectoryMemory(1000), fileKeys: [], clockOffset: null }

function start({ path, ...options }: Partial<AccountsStart> & { readonly path: string; readonly workerUrl?: URL }) {
  const troubles: string[] = []
  let tell = (): void => undefined
  const told = new Promise<void>((resolve) => {
    tell = resolve
  })
  const onTrouble = (message: string): void => {
    troubles.push(message)
    tell()
  }
  return {
    thread: startAccounts({ ...START, database: { store: 'sqlite', path }, ...options, onTrouble }),
    troubles,
    told,
  }
}

/** A file with a team and two keys. */
async function filledFile(t: Test): Promise<string> {
  const path = newPath(t)
  const thread = await start({ path }).thread
  const store = connectAccounts(thread.connect())
  await store.createTeam(newTeam('blue'), BY)
  await Promise.all(Array.from({ length: 100 }, (_, i) => store.createKey(newKey(`app${i}`, { team: 'blue' }), BY)))
  await thread.close()
  return path
}

/** More than the memory of a small directory has for all keys of a team. */
const LONG_LIST = Array.from({ length: 100 }, (_, i) => `${i}-${'m'.repeat(250)}`)

test('a team whose keys would not fit is not changed, and the file can be opened again', async (t) => {
  const path = await filledFile(t)
  const directory = createDirectoryMemory(100)
  const thread = await start({ path, directory }).thread
  const store = connectAccounts(thread.connect())
  t.match(await rejectionOf(store.updateTeam('blue', { models: LONG_LIST }, ANY)), { code: 'storage_full' })
  t.same((await store.getTeam('blue'))?.models, ['*'])
  t.match(await store.updateTeam('blue', { models: ['gpt-*'] }, ANY), { models: ['gpt-*'] }, 'others can be made')
  await thread.close()
  t.equal(await refusalOf(path, { directory: createDirectoryMemory(100) }), null)
})

test('of many keys that are created at once, those that fit are; the file can be opened again', async (t) => {
  const path = newPath(t)
  const thread = await start({ path, directory: createDirectoryMemory(100) }).thread
  const store = connectAccounts(thread.connect())
  const made = await Promise.allSettled(
    Array.from({ length: 100 }, (_, i) => store.createKey(newKey(`app${i}`, { models: LONG_LIST }), BY)),
  )
  const refused = made.flatMap((each) => (each.status === 'rejected' ? [each.reason as GatewayError] : []))
  t.ok(refused.length > 60 && refused.length < 80, `${refused.length} refused`)
  for (const error of refused) t.equal(error.data.code, 'storage_full')
  const { keys } = await store.listKeys({ after: null, limit: 1000 })
  t.equal(keys.length, 100 - refused.length)
  await store.updateKey(keys[0]?.name ?? '', { disabled: true }, ANY)
  await store.rotateKey(keys[0]?.name ?? '', { overlapMs: 0 }, ANY)
  await thread.close()
  t.equal(await refusalOf(path, { directory: createDirectoryMemory(100) }), null)
})

/** Why it is refused; null where it is opened. Closed again either way. */
async function refusalOf(path: string, options: Partial<AccountsStart> = {}): Promise<string | null> {
  let thread: AccountsThread
  try {
    thread = await start({ path, ...options }).thread
  } catch (thrown) {
    return (await rejectionOf(Promise.reject(thrown))).message
  }
  await thread.close()
  return null
}

test('the file is for its owner alone, and has a single owner', async (t) => {
  const path = newPath(t)
  const thread = await start({ path }).thread
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(
    await refusalOf(path),
    `The account database ${path} is in use by another process. The file was left unchanged.`,
  )
  await thread.close()
  t.same(readdirSync(join(path, '..')), ['accounts.db'], 'nothing is left beside it')
  t.equal(await refusalOf(path), null)
})

test('a file that is damaged, foreign, newer or lost its contents is refused, and left as it is', async (t) => {
  const path = await filledFile(t)
  const whole = readFileSync(path)
  truncateSync(path, Math.floor(whole.length / 2 / 4096) * 4096)
  t.match(await refusalOf(path), `The account database ${path} is damaged`)
  truncateSync(path, 0)
  t.match(await refusalOf(path), 'is empty and has lost its contents')
  t.equal(statSync(path).size, 0)
  for (const [pragma, words] of [
    ['user_version = 999', 'has schema version 999; this version of Sluice supports up to'],
    ['application_id = 7', 'is not a Sluice account database'],
  ] as const) {
    const other = newPath(t)
    await (await start({ path: other }).thread).close()
    const db = new Database(other)
    db.exec(`PRAGMA ${pragma}`)
    db.close()
    t.match(await refusalOf(other), words)
  }
})

test('a name that the configuration file and the database have is refused at the start', async (t) => {
  const path = await filledFile(t)
  t.match(
    await refusalOf(path, { fileKeys: ['team-a', 'app7'] }),
    /^keys: app7 is also the name of a key in the account/,
  )
  t.equal(await refusalOf(path, { fileKeys: ['team-a', 'blue'] }), null, 'teams have names of their own')
})

test('no secret is written, neither to the file nor to the log of its changes', async (t) => {
  const path = newPath(t)
  const { thread, troubles } = start({ path })
  const store = connectAccounts((await thread).connect())
  const { secret } = await store.createKey(newKey('app1'), BY)
  const rotated = await store.rotateKey('app1', { overlapMs: 1000 }, ANY)
  const pageOf = async () =>
    JSON.stringify([await store.listKeys({ after: null, limit: 9 }), await store.listAudit({ after: null, limit: 9 })])
  const told = await pageOf()
  const bytes = readdirSync(join(path, '..')).map((name) => readFileSync(join(path, '..', name), 'latin1'))
  t.ok(bytes.join('').includes(digestOf(rotated.secret)), 'its SHA-256 is')
  await (await thread).close()
  for (const canary of [secret ?? '', rotated.secret]) {
    const body = canary.slice('sk-sluice-'.length)
    t.notOk([...bytes, readFileSync(path, 'latin1'), told, ...troubles].some((text) => text.includes(body.slice(0, 8))))
  }
})

test('when the thread dies its calls and later ones fail with 503, and one line is told', async (t) => {
  const workerUrl = new URL('../helpers/dying-store.js', import.meta.url)
  const { thread, troubles, told } = start({ path: newPath(t), workerUrl })
  const store = connectAccounts((await thread).connect())
  const calls = [rejectionOf(store.getKey('a')), rejectionOf(store.getKey('b'))]
  for (const refused of await Promise.all(calls)) {
    t.match(refused, { code: 'storage_unavailable', status: 503, message: /^The account database has stopped/ })
  }
  t.match(await rejectionOf(store.getKey('a')), { code: 'storage_unavailable' })
  store.noteUsed([{ id: 'a', atMs: 1 }])
  await told
  await (await thread).close()
  t.same(troubles, ['the thread of the account database is gone: the disk fell out'])
})

test('a thread that cannot even begin is a start that fails', async (t) => {
  const workerUrl = new URL('data:text/javascript,throw new Error("no entry")')
  t.match(await rejectionOf(start({ path: '/tmp/x.db', workerUrl }).thread), {
    ...{ code: 'internal', message: 'the thread of the account database is gone: no entry' },
  })
})

test('who leaves leaves the others alone, and after the end all calls fail', async (t) => {
  const thread = await start({ path: newPath(t) }).thread
  const [first, second] = [connectAccounts(thread.connect()), connectAccounts(thread.connect())]
  first.close()
  t.match(await rejectionOf(first.getKey('a')), { code: 'storage_unavailable' })
  t.equal(await second.getKey('a'), null)
  await thread.reserve(['team-a'])
  await thread.close()
  t.match(await rejectionOf(second.getKey('a')), { code: 'storage_unavailable' })
})

test('more calls than it can answer soon are refused', async (t) => {
  const thread = await start({ path: newPath(t) }).thread
  const store = connectAccounts(thread.connect())
  const calls = Array.from({ length: 1001 }, () => store.getKey('a'))
  t.match(await rejectionOf(calls.at(-1)), { code: 'overloaded', retryAfterMs: 1000 })
  t.same(await Promise.all(calls.slice(0, 1000)), new Array(1000).fill(null))
  await thread.close()
})
