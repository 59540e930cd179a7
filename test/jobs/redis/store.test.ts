// The store of many nodes on a real redis-server: the suite of all stores, and what is its own: Redis away, killed, full.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { openRedisStore, type RedisStoreOptions } from '../../../src/jobs/redis/store.js'
import { type JobStore } from '../../../src/jobs/store.js'
import { newJob } from '../../helpers/new-job.js'
import { AT_ONCE_TURNS, turnsUntil } from '../../helpers/own-time.js'
import { pendingSuite } from '../../helpers/pending-suite.js'
import { connectRedis } from '../../helpers/redis.js'
import { startRedis } from '../../helpers/redis-server.js'
import { type StoreRig } from '../../helpers/store-rig.js'
import { storeSuite } from '../../helpers/store-suite.js'
import { storedSuite } from '../../helpers/stored-suite.js'
import { rejectionOf } from '../../helpers/thrown.js'

const server = await startRedis()
let stores = 0

async function open(t: Test): Promise<StoreRig> {
  let clockOffsetMs = 0
  stores += 1
  const prefix = `{test-${stores}}:`
  const store = await openUp({ url: server.url, prefix, clockOffsetMs: () => clockOffsetMs })
  t.teardown(() => store.close())
  return {
    store,
    advance(ms) {
      clockOffsetMs += ms
    },
  }
}

/** A store that is connected and hears events. */
async function openUp(options: RedisStoreOptions): Promise<JobStore> {
  let onHeard = (): void => undefined
  const heard = new Promise<void>((resolve) => {
    onHeard = resolve
  })
  let onUp = (): void => undefined
  const up = new Promise<void>((resolve) => {
    onUp = resolve
  })
  const { onChange } = options
  const store = openRedisStore({
    ...options,
    onChange(isUp) {
      onUp()
      onChange?.(isUp)
    },
  })
  const stop = store.subscribe((event) => {
    if (event.type === 'delivery') onHeard()
  })
  await Promise.all([up, heard])
  stop()
  return store
}

storeSuite('redis', open)
pendingSuite('redis', open)
storedSuite('redis', open)

test('what is there under the name of a key goes to its owner, all of it; a later owner of that name gets nothing', async (t) => {
  const prefix = '{test-adopt}:'
  const earlier = await openUp({ url: server.url, prefix })
  const idempotency = { key: 'k:1', digest: 'd' }
  for (let i = 0; i < 1005; i++) await earlier.accept(newJob(`job-${i}`, i === 0 ? { idempotency } : {}))
  await earlier.claim({ kind: 'chat', limit: 1, leaseMs: 60_000, maxAttempts: 3 })
  const direct = { owner: 'team-a', idempotency: { key: 'direct', digest: 'd' } }
  const began = await earlier.begin(direct, 60_000)
  const lease = began.kind === 'new' ? began.lease : { id: '', fence: 0 }
  await earlier.storeAnswer(direct, lease, { status: 200, headers: [], body: 'kept' })
  const before = await earlier.counts()
  const owner = 'a'.repeat(64)
  const store = openRedisStore({ url: server.url, prefix, heirs: [{ name: 'team-a', owner }] })
  await store.connected
  const count = async (of: string): Promise<number> =>
    (await store.list({ owner: of, state: null, limit: 1000, after: null })).length
  t.equal(await count(owner), 1000)
  t.equal(await count('team-a'), 0)
  t.same({ ...(await store.counts()), queueAgeMs: 0 }, { ...before, queueAgeMs: 0 })
  t.match(await store.accept(newJob('again', { owner, idempotency })), { kind: 'repeated', id: 'job-0' })
  t.match(await store.begin({ ...direct, owner }, 60_000), { kind: 'answered', answer: { body: 'kept' } })
  const caps = { perKey: 1004, all: 5000 }
  t.same(await store.accept(newJob('more', { owner }), caps), { kind: 'full', scope: 'key' }, '1004 wait')
  const [claimed] = await store.claim({ kind: 'chat', limit: 1, leaseMs: 60_000, maxAttempts: 3 })
  t.match(claimed?.job, { id: 'job-1', owner })
  const raw = connectRedis(server.url)
  t.same(
    (await raw.keys(`${prefix}*`)).filter((key) => key.includes('team-a')),
    [],
    'nothing hangs on the name',
  )
  t.same(await raw.zrange(`${prefix}turns`, '0', '-1'), [owner])
  const bytes = await raw.hgetall(`${prefix}stored`)
  t.same([bytes['team-a:jobs'], bytes['team-a:answers']], ['0', '0'])
  const later = openRedisStore({ url: server.url, prefix, heirs: [{ name: 'team-a', owner: 'b'.repeat(64) }] })
  await earlier.accept(newJob('late'))
  await later.connected
  t.equal((await later.list({ owner: 'b'.repeat(64), state: null, limit: 10, after: null })).length, 0)
  raw.disconnect()
  for (const each of [earlier, store, later]) await each.close()
})

const CLAIM = { kind: 'chat' as const, limit: 10, leaseMs: 60_000, maxAttempts: 3 }

/** Resolves when it is so, within seconds. */
async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 8000
  while (!isSo() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 5))
  if (!isSo()) throw new Error('never')
}

test('while Redis is down requests are 503 at once; when it is back nothing is lost and jobs continue', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => {
    warnings.push(warning)
  }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const dir = mkdtempSync(join(tmpdir(), 'sluice-redis-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const args = ['--dir', dir, '--appendonly', 'yes', '--appendfsync', 'always']
  const first = await startRedis({ args })
  const changes: boolean[] = []
  const store = await openUp({ url: first.url, onChange: (isUp) => changes.push(isUp) })
  let works = 0
  store.subscribe((event) => {
    if (event.type === 'work') works += 1
  })
  await store.accept(newJob('a'))
  const [claimed] = await store.claim({ ...CLAIM, limit: 1 })
  await store.accept(newJob('b', { idempotency: { key: 'k', digest: 'd' } }))
  await until(() => works >= 2)
  await first.kill()
  await until(() => changes.at(-1) === false)
  const refusing = Promise.all(Array.from({ length: 50 }, (_, i) => rejectionOf(store.accept(newJob(`x${i}`)))))
  t.ok((await turnsUntil(refusing)) < AT_ONCE_TURNS, 'at once')
  const refusals = await refusing
  t.same([...new Set(refusals.map(({ code, status }) => `${code} ${status}`))], ['overloaded 503'])
  t.ok(refusals.every(({ retryAfterMs }) => retryAfterMs !== null))
  const second = await startRedis({ port: first.port, args })
  t.teardown(() => second.kill())
  // Subscriber and caller have a connection each; either may be back first.
  await until(() => works >= 3 && changes.length === 3)
  t.same(changes, [true, false, true])
  t.match(await store.accept(newJob('c', { idempotency: { key: 'k', digest: 'd' } })), { kind: 'repeated', id: 'b' })
  t.equal(await store.complete(claimed?.lease ?? { id: '', fence: 0 }, '{}'), true)
  t.same(
    (await store.claim(CLAIM)).map(({ job }) => job.id),
    ['b'],
  )
  t.match((await store.counts()).jobs, { pending: 0, processing: 1, completed: 1 })
  await store.close()
  t.match(await rejectionOf(store.counts()), { code: 'overloaded' })
  t.same(warnings, [])
})

test('Redis down at the start: the store opens, refuses, and works once it is there', async (t) => {
  const probe = await startRedis()
  await probe.kill()
  const changes: boolean[] = []
  const store = openRedisStore({ url: probe.url, onChange: (isUp) => changes.push(isUp) })
  t.teardown(() => store.close())
  t.match(await rejectionOf(store.accept(newJob('a'))), {
    code: 'overloaded',
    message: 'The job store is unreachable.',
  })
  t.same(changes, [])
  const late = await startRedis({ port: probe.port })
  t.teardown(() => late.kill())
  await until(() => changes.length > 0)
  t.match(await store.accept(newJob('a')), { kind: 'accepted' })
})

test('a hanging Redis is 503 within seconds, and later calls do not wait for it again', async (t) => {
  const hanging = await startRedis()
  const store = await openUp({ url: hanging.url })
  process.kill(hanging.pid, 'SIGSTOP')
  const askedMs = performance.now()
  t.match(await rejectionOf(store.counts()), { code: 'overloaded' })
  t.ok(performance.now() - askedMs < 30_000, 'by the 3 s of a call')
  process.kill(hanging.pid, 'SIGCONT')
  let isBack = false
  for (let i = 0; i < 100 && !isBack; i++) {
    isBack = await store.counts().then(
      () => true,
      () => false,
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.ok(isBack)
  await store.close()
  await hanging.kill()
})

test('a full Redis is 507 and accepts nothing; everything else continues', async (t) => {
  const small = await startRedis({ args: ['--maxmemory', '3mb'] })
  t.teardown(() => small.kill())
  const store = await openUp({ url: small.url })
  t.teardown(() => store.close())
  const request = 'x'.repeat(100_000)
  const outcomes: string[] = []
  for (let i = 0; i < 60; i++) {
    const accepting = store.accept(newJob(`job-${i}`, { request }))
    outcomes.push(
      await accepting.then(
        ({ kind }) => kind,
        (error) => `${error.data.code} ${error.data.status}`,
      ),
    )
  }
  t.same([...new Set(outcomes)].sort(), ['accepted', 'storage_full 507'])
  t.match(await rejectionOf(store.accept(newJob('more', { request }))), { code: 'storage_full' })
  const accepted = outcomes.filter((outcome) => outcome === 'accepted').length
  t.equal((await store.counts()).jobs.pending, accepted, 'nothing that was refused is there')
  t.match(await store.get('job-0'), { request })
  for (const { lease } of await store.claim(CLAIM)) t.equal(await store.complete(lease, '{}'), true)
  await new Promise((resolve) => setTimeout(resolve, 2))
  t.equal(await store.cleanUp(1), Math.min(10, accepted))
  t.match(await store.accept(newJob('after', { request })), { kind: 'accepted' }, 'once there is room')
})

test('foreign keys under the prefix and missing rights are no load: 503 without a time to come back, until they are gone', async (t) => {
  const own = await startRedis()
  t.teardown(() => own.kill())
  const store = await openUp({ url: own.url })
  t.teardown(() => store.close())
  const admin = connectRedis(own.url)
  t.teardown(() => admin.disconnect())
  const told = async () => {
    const error = await rejectionOf(store.accept(newJob('a')))
    return `${error.code} ${error.status} ${error.retryAfterMs} ${/\(([\w' ]+)\)/.exec(error.message)?.[1]}`
  }
  await admin.set('{sluice}:jobs:tally', 'somebody else')
  t.equal(await told(), 'storage_unavailable 503 null WRONGTYPE')
  await admin.del('{sluice}:jobs:tally')
  await admin.call('ACL', 'SETUSER', 'default', '-hset')
  // Redis 7.0 and its successors word it differently.
  t.match(await told(), /^storage_unavailable 503 null (?:ACL failure|NOPERM|can't run this command)$/)
  await admin.call('ACL', 'SETUSER', 'default', '+@all')
  t.match(await store.accept(newJob('a')), { kind: 'accepted' })
})

test('the server ends', async () => server.kill())
