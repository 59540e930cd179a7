// The embedded store over its thread: the suite of all stores, and what is its own: several event loops, a full disk, a
// thread that dies.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { connectSqlite, type SqliteOptions, startSqlite } from '../../../src/jobs/sqlite/store.js'
import { type JobStore } from '../../../src/jobs/store.js'
import { newJob } from '../../helpers/new-job.js'
import { pendingSuite } from '../../helpers/pending-suite.js'
import { type StoreRig } from '../../helpers/store-rig.js'
import { storeSuite } from '../../helpers/store-suite.js'
import { storedSuite } from '../../helpers/stored-suite.js'
import { rejectionOf } from '../../helpers/thrown.js'

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-jobs-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function open(t: Test): Promise<StoreRig> {
  const clockOffset = new SharedArrayBuffer(8)
  const shift = new Float64Array(clockOffset)
  const path = join(directory(t), 'deep', 'jobs.db')
  const thread = await startSqlite({ path, clockOffset, onTrouble: (message) => t.fail(message) })
  const store = connectSqlite(thread.connect())
  t.teardown(async () => {
    await store.close()
    await thread.close()
  })
  return {
    store,
    advance(ms) {
      shift[0] = (shift[0] ?? 0) + ms
    },
  }
}

storeSuite('sqlite', open)
pendingSuite('sqlite', open)
storedSuite('sqlite', open)

const COUNT = 4000
/** Of processor time, of all threads; how many share a commit is the matter of group-commit.test.ts. */
const WANTED_PER_CPU_SEC = 2000

async function acceptedPerCpuSecond(store: JobStore, name: string): Promise<number> {
  const body = JSON.stringify({ model: 'm', content: 'x'.repeat(1000) })
  const before = process.cpuUsage()
  let next = 0
  const submit = async (): Promise<void> => {
    while (next < COUNT) await store.accept(newJob(`job-${name}-${next++}`, { request: body }))
  }
  await Promise.all(Array.from({ length: 64 }, submit))
  const { user, system } = process.cpuUsage(before)
  return COUNT / ((user + system) / 1e6)
}

test('group commit: at least 2,000 jobs a second of processor time, each on the disk before it is acknowledged', async (t) => {
  const { store } = await open(t)
  // What is loaded and compiled at the first ones is not theirs.
  await acceptedPerCpuSecond(store, 'first')
  const accepted = await acceptedPerCpuSecond(store, 'second')
  t.ok(accepted >= WANTED_PER_CPU_SEC, `${Math.round(accepted)} accepted a second of processor time`)
})

/** A store on a file of its own or on the one named. */
async function openFile(
  t: Test,
  options: Partial<SqliteOptions>,
): Promise<{ store: JobStore; close: () => Promise<void> }> {
  const path = options.path ?? join(directory(t), 'jobs.db')
  const thread = await startSqlite({ onTrouble: (message) => t.fail(message), ...options, path })
  const store = connectSqlite(thread.connect())
  const close = async (): Promise<void> => {
    await store.close()
    await thread.close()
  }
  return { store, close }
}

const CLAIM = { kind: 'chat' as const, limit: 10, leaseMs: 60_000, maxAttempts: 3 }

test('accepted jobs survive a restart; running ones run again and count another attempt', async (t) => {
  const path = join(directory(t), 'jobs.db')
  const first = await openFile(t, { path })
  const idempotency = { key: 'k', digest: 'd' }
  await first.store.accept(newJob('a', { webhookUrl: 'https://h.example/' }))
  await first.store.accept(newJob('b', { idempotency }))
  await first.store.accept(newJob('c'))
  await first.store.begin({ owner: '', idempotency }, 60_000)
  const [a] = await first.store.claim({ ...CLAIM, limit: 1 })
  if (a === undefined) throw new Error('nothing claimed')
  await first.store.complete(a.lease, '{"a":1}')
  await first.store.claim({ ...CLAIM, limit: 1 })
  await first.store.claimDeliveries({ limit: 1, leaseMs: 60_000, exceptOrigins: [], perOrigin: 1 })
  await first.close()

  const { store, close } = await openFile(t, { path })
  t.match(await store.get('a'), { state: 'completed', answer: '{"a":1}' })
  t.match(await store.accept(newJob('d', { idempotency })), { kind: 'repeated', id: 'b' })
  t.match(await store.begin({ owner: '', idempotency }, 60_000), { kind: 'new' }, 'its request died with the process')
  const again = await store.claim(CLAIM)
  t.same(
    again.map(({ job }) => [job.id, job.attempts]),
    [
      ['b', 2],
      ['c', 1],
    ],
  )
  const sending = await store.claimDeliveries({ limit: 1, leaseMs: 60_000, exceptOrigins: [], perOrigin: 1 })
  t.match(sending, [{ attempts: 2, job: { id: 'a' } }])
  await close()
})

test('several event loops share the one thread, and all hear of work', async (t) => {
  const path = join(directory(t), 'jobs.db')
  const thread = await startSqlite({ path, onTrouble: (message) => t.fail(message) })
  const loops = [connectSqlite(thread.connect()), connectSqlite(thread.connect()), connectSqlite(thread.connect())]
  const heard = loops.map((store) => new Promise<void>((resolve) => store.subscribe(() => resolve())))
  await Promise.all(loops.map((store, i) => store.accept(newJob(`${i}`))))
  await Promise.all(heard)
  for (const store of loops) t.equal((await store.counts()).jobs.pending, 3)
  await loops[0]?.close()
  t.match(await rejectionOf(loops[0]?.counts()), { code: 'storage_unavailable' })
  t.equal((await loops[1]?.counts())?.jobs.pending, 3, 'who leaves leaves the others alone')
  await thread.close()
  t.match(await rejectionOf(loops[1]?.counts()), { code: 'storage_unavailable', status: 503 })
})

test('when the thread dies its calls and later ones fail with 503, and one line is logged', async (t) => {
  const lines: string[] = []
  let tell = (): void => undefined
  const told = new Promise<void>((resolve) => {
    tell = resolve
  })
  const onTrouble = (message: string): void => {
    lines.push(message)
    tell()
  }
  const workerUrl = new URL('../../helpers/dying-store.js', import.meta.url)
  const { store, close } = await openFile(t, { workerUrl, onTrouble })
  const [first, second] = [rejectionOf(store.accept(newJob('a'))), rejectionOf(store.counts())]
  t.match(await first, { code: 'storage_unavailable', status: 503, message: /^The job store has stopped/ })
  t.match(await second, { code: 'storage_unavailable' })
  t.match(await rejectionOf(store.counts()), { code: 'storage_unavailable', retryAfterMs: null })
  await told
  await close()
  t.equal(lines.length, 1)
  t.match(lines[0], /^the thread of job store \S+jobs\.db is gone: the disk fell out$/)
})

test('a thread that cannot even begin is a start that fails', async (t) => {
  const onTrouble = (message: string): void => {
    t.fail(message)
  }
  const workerUrl = new URL('data:text/javascript,throw new Error("no entry")')
  t.match(await rejectionOf(startSqlite({ path: '/tmp/x.db', workerUrl, onTrouble })), {
    code: 'internal',
    message: /no entry/,
  })
  const path = join(directory(t), 'jobs.db')
  const { close } = await openFile(t, { path })
  t.match(await rejectionOf(startSqlite({ path, onTrouble })), {
    ...{
      code: 'misconfigured',
      message: `The job store ${path} is in use by another process. The file was left unchanged.`,
    },
  })
  await close()
})
