// Group commit on a real file: one commit for all that waits, a full disk that refuses what grows and goes on once there is
// room, and calls that fail alone.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { openJobsFile } from '../../src/jobs/sqlite/file.js'
import { SqliteJobs } from '../../src/jobs/sqlite/jobs.js'
import { sourceOf } from '../../src/jobs/sqlite/thread.js'
import { type StoreEvent } from '../../src/jobs/store.js'
import { type Connection } from '../../src/sqlite/database-file.js'
import { GroupCommit } from '../../src/sqlite/group-commit.js'
import { type CallMessage, type CallReply } from '../../src/sqlite/messages.js'
import { newJob } from '../helpers/new-job.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../helpers/small-disk.js'

function newDirectory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-commit-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function open(t: Test, directory: string) {
  const connection = openJobsFile(join(directory, 'jobs.db'))
  t.teardown(() => connection.close())
  let commits = 0
  const counted = new Proxy(connection, {
    get(target, name) {
      if (name !== 'exec') return Reflect.get(target, name)
      return (sql: string) => {
        if (sql === 'COMMIT') commits += 1
        return target.exec(sql)
      }
    },
  }) as Connection
  const jobs = new SqliteJobs(connection, () => Date.now())
  const events: StoreEvent[] = []
  const troubles: string[] = []
  const group = new GroupCommit<StoreEvent>({
    ...{ connection: counted, noun: 'job store', source: sourceOf(jobs) },
    onEvents: (more) => events.push(...more),
    onTrouble: (message) => troubles.push(message),
  })
  let n = 0
  const ask = (name: CallMessage['name'], ...args: unknown[]): Promise<CallReply> =>
    new Promise((resolve) => {
      n += 1
      group.push({ reply: ([reply]) => resolve(reply ?? { n: -1, value: null }) }, { n, name, args })
    })
  return { group, ask, jobs, events, troubles, commits: () => commits }
}

test('all that waits goes into one commit, and each caller gets its own answers after it', async (t) => {
  const { group, ask, events, commits } = open(t, newDirectory(t))
  const replies: CallReply[] = []
  const caller = { reply: (more: readonly CallReply[]) => replies.push(...more) }
  for (let i = 0; i < 100; i++) group.push(caller, { n: i, name: 'accept', args: [newJob(`job-${i}`)] })
  const other = ask('counts')
  t.same(replies, [], 'nothing is told before the commit')
  t.match(await other, { value: { jobs: { pending: 100 } } })
  t.equal(commits(), 1)
  t.same(
    replies.map(({ n }) => n),
    Array.from({ length: 100 }, (_, i) => i),
  )
  t.equal(events.length, 100)
})

test('a burst is cut into commits, so that its first need not wait for its last', async (t) => {
  const { ask, commits } = open(t, newDirectory(t))
  await Promise.all(Array.from({ length: 1100 }, (_, i) => ask('accept', newJob(`job-${i}`))))
  t.equal(commits(), 3)
})

test('a call that fails fails alone', async (t) => {
  const { ask, events, troubles } = open(t, newDirectory(t))
  const twin = newJob('twin')
  const [first, second, third] = await Promise.all([
    ask('accept', twin),
    ask('accept', twin),
    ask('accept', newJob('b')),
  ])
  t.match([first, third], [{ value: { kind: 'accepted' } }, { value: { kind: 'accepted' } }])
  t.match(second, { error: { code: 'overloaded' } })
  t.match(await ask('counts'), { value: { jobs: { pending: 2 } } })
  t.same(troubles.length, 1)
  t.equal(events.length, 2, 'what was rolled back is not told')
  t.match(await ask('accept', null), { error: { code: 'internal', message: 'Internal error.' } })
})

test('lasting trouble with the store file is distinguished from load and from faults of ours', async (t) => {
  const { ask, jobs, troubles } = open(t, newDirectory(t))
  for (const [code, expected] of [
    ['SQLITE_READONLY_DBMOVED', 'storage_unavailable'],
    ['SQLITE_CORRUPT', 'storage_unavailable'],
    ['SQLITE_NOTADB', 'storage_unavailable'],
    ['SQLITE_CANTOPEN', 'storage_unavailable'],
    ['SQLITE_FULL', 'storage_full'],
    ['SQLITE_BUSY', 'overloaded'],
    ['SQLITE_IOERR_READ', 'overloaded'],
    ['ERR_OTHER', 'internal'],
  ] as const) {
    jobs.counts = () => {
      throw Object.assign(new Error('no'), { code })
    }
    t.match(await ask('counts'), { error: { code: expected } }, code)
    t.equal(troubles.at(-1), `counts: ${code} no`)
  }
})

test('flush answers what waits', (t) => {
  const { group, jobs } = open(t, newDirectory(t))
  const replies: CallReply[] = []
  for (let i = 0; i < 700; i++) {
    group.push({ reply: (more) => replies.push(...more) }, { n: i, name: 'accept', args: [newJob(`job-${i}`)] })
  }
  group.flush()
  t.equal(replies.length, 700)
  t.equal(jobs.counts().jobs.pending, 700)
  t.end()
})

const SMALL_DISK = mountSmallDisk(2)
const WITHOUT_DISK = { skip: SMALL_DISK === null ? NO_SMALL_DISK : false }

test(
  'a full disk: 507 and nothing accepted; reads go on, and all of it once there is room',
  WITHOUT_DISK,
  async (t) => {
    const directory = SMALL_DISK ?? ''
    const { ask, jobs, troubles } = open(t, directory)
    const request = 'x'.repeat(20_000)
    const ballast = join(directory, 'ballast')
    writeFileSync(ballast, Buffer.alloc(1_000_000))
    const replies: CallReply[] = []
    for (let i = 0; i < 200; i += 10) {
      const burst = Array.from({ length: 10 }, (_, k) => ask('accept', newJob(`job-${i + k}`, { request })))
      replies.push(...(await Promise.all(burst)))
    }
    const accepted = replies.filter((reply) => 'value' in reply).length
    const refused = replies.flatMap((reply) => ('error' in reply ? [reply.error] : []))
    t.ok(accepted > 5 && refused.length > 5, `${accepted} accepted, ${refused.length} refused`)
    t.same([...new Set(refused.map(({ code, status }) => `${code} ${status}`))], ['storage_full 507'])
    t.match(troubles[0], /^accept: SQLITE_FULL/)
    t.equal(jobs.counts().jobs.pending, accepted, 'nothing that was refused is there')
    t.match(await ask('get', 'job-0'), { value: { id: 'job-0', request } })
    rmSync(ballast)
    t.match(await ask('accept', newJob('after', { request })), { value: { kind: 'accepted' } })
    t.equal(jobs.counts().jobs.pending, accepted + 1)
  },
)
