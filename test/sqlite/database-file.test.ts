// The database file: made whole, refused by name when it is not what it must be, and never replaced by an empty one.
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { type Test, test } from 'tap'
import { GatewayError } from '../../src/errors.js'
import { openJobsFile } from '../../src/jobs/sqlite/file.js'
import { connectSqlite, startSqlite } from '../../src/jobs/sqlite/store.js'
import { type ErrorData } from '../../src/model/error.js'
import { closeDatabaseFile, codeOf } from '../../src/sqlite/database-file.js'
import { newJob } from '../helpers/new-job.js'

const PAGE_BYTES = 4096
const JOBS = 300
/** Every page takes too long. */
const STEP = 7

function newPath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-file-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'jobs.db')
}

const onTrouble = (message: string): never => {
  throw new Error(message)
}

/** A file with some hundred pages of jobs, closed. */
async function filledFile(t: Test): Promise<string> {
  const path = newPath(t)
  const thread = await startSqlite({ path, onTrouble })
  const store = connectSqlite(thread.connect())
  await Promise.all(
    Array.from({ length: JOBS }, (_, i) => store.accept(newJob(`job-${i}`, { request: 'x'.repeat(2000) }))),
  )
  await thread.close()
  return path
}

/** Opened in a thread that ends: only so does the file come free again. Null: it was taken, with all its jobs. */
async function refusalOf(path: string): Promise<ErrorData | null> {
  try {
    const thread = await startSqlite({ path, onTrouble })
    const counts = await connectSqlite(thread.connect()).counts()
    await thread.close()
    if (counts.jobs.pending !== JOBS) throw new Error(`${counts.jobs.pending} jobs left`)
    return null
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown.data
    throw thrown
  }
}

test('makes the file for its owner alone, with nothing left beside it, and every commit on the disk', async (t) => {
  const path = await filledFile(t)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(join(path, '..')), ['jobs.db'])
  const connection = openJobsFile(path)
  t.same(connection.pragma('synchronous'), [{ synchronous: 2 }], 'FULL')
  t.same(connection.pragma('journal_mode'), [{ journal_mode: 'wal' }])
  t.same(connection.pragma('locking_mode'), [{ locking_mode: 'exclusive' }])
  t.match(await refusalOf(path), {
    ...{
      code: 'misconfigured',
      message: `The job store ${path} is in use by another process. The file was left unchanged.`,
    },
  })
  closeDatabaseFile(connection)
  t.equal(statSync(`${path}-wal`).size, 0, 'all of it is in the one file')
})

test('refuses a file of a newer schema', async (t) => {
  const path = await filledFile(t)
  const connection = new Database(path)
  connection.exec('PRAGMA user_version = 999')
  connection.close()
  t.match(await refusalOf(path), {
    code: 'misconfigured',
    message: new RegExp(`${path} has schema version 999; .* supports up to 5`),
  })
})

test('refuses what is not its own, what was emptied and what cannot be read', async (t) => {
  const other = newPath(t)
  const connection = new Database(other)
  connection.exec('CREATE TABLE own (a)')
  connection.close()
  t.match((await refusalOf(other))?.message, `The job store ${other} is not a Sluice job store.`)
  const text = newPath(t)
  writeFileSync(text, 'jobs: none\n'.repeat(1000))
  t.match((await refusalOf(text))?.message, `The job store ${text} is damaged or not a database.`)
  t.equal(readFileSync(text, 'utf8').length, 11_000, 'left as it is')
  const emptied = await filledFile(t)
  truncateSync(emptied, 0)
  t.match((await refusalOf(emptied))?.message, `The job store ${emptied} is empty and has lost its contents.`)
  t.equal(statSync(emptied).size, 0)
  const parent = newPath(t)
  writeFileSync(parent, '')
  t.match((await refusalOf(join(parent, 'jobs.db')))?.message, /cannot be opened \(.*ENOTDIR|EEXIST/)
})

test('refuses a file that was cut off at any page', async (t) => {
  const path = await filledFile(t)
  const whole = readFileSync(path)
  for (const share of [0.1, 0.3, 0.5, 0.7, 0.9, 0.99]) {
    const bytes = Math.floor((whole.length * share) / PAGE_BYTES) * PAGE_BYTES
    writeFileSync(path, whole)
    truncateSync(path, bytes)
    t.match(
      await refusalOf(path),
      { code: 'misconfigured', message: `The job store ${path} is damaged` },
      `${bytes} bytes`,
    )
    t.equal(statSync(path).size, bytes, 'left as it is')
  }
})

test('a flipped bit in the structure of any page is a refusal, elsewhere no job is gone', async (t) => {
  const path = await filledFile(t)
  const whole = readFileSync(path)
  let refused = 0
  for (let page = 0; page * PAGE_BYTES < whole.length; page += STEP) {
    // The head of the page: its kind, number of cells, their places (https://sqlite.org/fileformat2.html, 1.6).
    const at = page * PAGE_BYTES + (page === 0 ? 100 : 0) + (page % 8)
    writeFileSync(path, whole)
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.from([(whole[at] ?? 0) ^ 0x10]), 0, 1, at)
    closeSync(file)
    const error = await refusalOf(path)
    if (error === null) continue
    refused += 1
    t.match(error, { code: 'misconfigured', message: `The job store ${path} is damaged` }, `byte ${at}`)
  }
  t.ok(refused > 15, `${refused} refused`)
})

test('says why it may not', { skip: process.getuid?.() === 0 ? 'root may all' : false }, async (t) => {
  const path = await filledFile(t)
  chmodSync(path, 0)
  t.match((await refusalOf(path))?.message, `The job store ${path} cannot be opened`)
})

test('the code of an error is its own', (t) => {
  t.equal(codeOf(Object.assign(new Error('x'), { code: 'SQLITE_FULL' })), 'SQLITE_FULL')
  t.equal(codeOf(Object.assign(new Error('x'), { code: 5 })), '')
  t.equal(codeOf('SQLITE_FULL'), '')
  t.end()
})

/** Before jobs had kinds. */
const WITHOUT_KINDS = `
  DROP INDEX jobs_by_turn; DROP INDEX jobs_by_owner; DROP INDEX jobs_by_lease;
  DROP TRIGGER tally_new; DROP TRIGGER tally_change; DROP TRIGGER tally_gone;
  ALTER TABLE jobs DROP COLUMN kind;
  ALTER TABLE jobs DROP COLUMN cost_nano;
  CREATE INDEX jobs_by_turn ON jobs (owner, state, due_at, seq);
  CREATE INDEX jobs_by_owner ON jobs (owner, seq);
  CREATE INDEX jobs_by_lease ON jobs (due_at) WHERE state = 'processing';
  CREATE TABLE was AS SELECT owner, served FROM turns; DROP TABLE turns; ALTER TABLE was RENAME TO turns;
  CREATE TABLE was AS SELECT owner, state, n FROM tallies; DROP TABLE tallies; ALTER TABLE was RENAME TO tallies;
  CREATE TRIGGER tally_new AFTER INSERT ON jobs BEGIN SELECT 1; END;
  CREATE TRIGGER tally_change AFTER UPDATE ON jobs BEGIN SELECT 1; END;
  CREATE TRIGGER tally_gone AFTER DELETE ON jobs BEGIN SELECT 1; END;`

/** As in the schemas in which rows belonged to the name of a key. */
function nameOwners(older: InstanceType<typeof Database>): void {
  older.exec(WITHOUT_KINDS)
  for (const table of ['jobs', 'turns', 'tallies', 'stored', 'repeats']) {
    older.exec(`ALTER TABLE ${table} RENAME COLUMN owner TO key_name`)
  }
}

test('gives what a file has under the names of keys to their owners, once: a later key of a name inherits nothing', async (t) => {
  const path = newPath(t)
  const first = await startSqlite({ path, onTrouble })
  const store = connectSqlite(first.connect())
  const idempotency = { key: 'k', digest: 'd' }
  const waiting = newJob('waiting', { owner: "o'neill", idempotency, request: 'x' })
  await store.accept(waiting)
  for (const owner of ['gone', '']) await store.accept(newJob(`of-${owner}`, { owner }))
  await first.close()
  const older = new Database(path)
  nameOwners(older)
  older.exec('PRAGMA user_version = 2')
  older.close()
  const owner = 'a'.repeat(64)
  const second = await startSqlite({ path, heirs: [{ name: "o'neill", owner }], onTrouble })
  const again = connectSqlite(second.connect())
  const listed = async (of: string, from = again) =>
    (await from.list({ owner: of, state: null, limit: 10, after: null })).map(({ id }) => id)
  t.same(await listed(owner), ['waiting'])
  t.same(await listed("o'neill"), [])
  t.same(await listed(''), ['of-'], 'those of a gateway without keys stay')
  t.match(await again.accept({ ...waiting, owner }), { kind: 'repeated', id: 'waiting' })
  const caps = { perKey: 1, all: 10 }
  t.same(await again.accept(newJob('more', { owner }), caps), { kind: 'full', scope: 'key' }, 'its place is counted')
  const claimed = await again.claim({ kind: 'chat', limit: 10, leaseMs: 1000, maxAttempts: 3 })
  t.same(new Set(claimed.map(({ job }) => job.owner)), new Set([owner, '', 'name:gone']))
  await second.close()
  const third = await startSqlite({ path, heirs: [{ name: 'gone', owner: 'b'.repeat(64) }], onTrouble })
  t.same(await listed('b'.repeat(64), connectSqlite(third.connect())), [])
  await third.close()
})

test('takes a file of the first schema, knows how many bytes of whom it holds, and that its jobs are chats', async (t) => {
  const path = newPath(t)
  const first = await startSqlite({ path, onTrouble })
  const store = connectSqlite(first.connect())
  await store.accept(newJob('a', { request: 'é'.repeat(50), context: {} }))
  await store.accept(newJob('b', { request: 'x'.repeat(50), context: {}, owner: 'team-b' }))
  const [claimed] = await store.claim({ kind: 'chat', limit: 1, leaseMs: 1000, maxAttempts: 3 })
  await store.complete(claimed?.lease ?? { id: '', fence: 0 }, 'ü'.repeat(10))
  const request = { owner: 'team-a', idempotency: { key: 'k', digest: 'd' } }
  const began = await store.begin(request, 1000)
  const lease = began.kind === 'new' ? began.lease : { id: '', fence: 0 }
  t.equal(await store.storeAnswer(request, lease, { status: 200, headers: [], body: 'y' }), true)
  const counted = (await store.counts()).storedBytes
  t.equal(counted.jobs, 100 + 2 + 20 + 50 + 2)
  t.ok(counted.answers > 0)
  await first.close()
  const older = new Database(path)
  for (const name of ['job_stored', 'job_grown', 'job_freed', 'answer_stored', 'answer_freed']) {
    older.exec(`DROP TRIGGER ${name}`)
  }
  nameOwners(older)
  older.exec('DROP TABLE stored; ALTER TABLE jobs DROP COLUMN bytes; ALTER TABLE repeats DROP COLUMN bytes')
  older.exec('PRAGMA user_version = 1')
  older.close()
  const heirs = ['team-a', 'team-b'].map((name) => ({ name, owner: name }))
  const second = await startSqlite({ path, heirs, onTrouble })
  const again = connectSqlite(second.connect())
  t.same((await again.counts()).storedBytes, counted)
  const caps = { perKey: 10, all: 10, stored: { perKey: 150, all: 10_000 } }
  const next = (owner: string) =>
    again.accept(newJob(`next-${owner}`, { request: 'z'.repeat(50), context: {}, owner }), caps)
  t.same(await next('team-a'), { kind: 'no-room', scope: 'key' })
  t.match(await next('team-b'), { kind: 'accepted', queuePosition: 2 })
  t.match((await again.counts()).jobs, { pending: 2, completed: 1 })
  const rest = await again.claim({ kind: 'chat', limit: 9, leaseMs: 1000, maxAttempts: 3 })
  t.same(
    rest.map(({ job }) => [job.id, job.kind]),
    [
      ['b', 'chat'],
      ['next-team-b', 'chat'],
    ],
  )
  await second.close()
})
