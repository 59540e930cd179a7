// The caps on the bytes that a store keeps, for every kind of store: counted in the step that accepts, freed with what goes.
import { test } from 'tap'
import { type Acceptance, IDEMPOTENCY_MS, type JobCaps, type JobStore } from '../../src/jobs/store.js'
import { newJob } from './new-job.js'
import { type OpenStore } from './store-rig.js'

const CLAIM = { kind: 'chat' as const, limit: 1, leaseMs: 60_000, maxAttempts: 3 }
const RETENTION_MS = 60_000
/** Only the bytes bind here. */
const MANY = { perKey: 1_000_000, all: 1_000_000 }

function capsOf(perKey: number, all: number): JobCaps {
  return { ...MANY, stored: { perKey, all } }
}

/** A job whose texts take so many bytes, some of them in two bytes each. */
function jobOf(id: string, owner: string, bytes: number) {
  const context = { r: 'x' }
  const rest = bytes - Buffer.byteLength(JSON.stringify(context))
  return newJob(id, { owner, context, request: `é${'x'.repeat(rest - 2)}` })
}

async function storedBytes(store: JobStore): Promise<{ jobs: number; answers: number }> {
  return (await store.counts()).storedBytes
}

/** Keeps an answer of so many bytes under an idempotency key; whether it was kept. */
async function keepAnswer(store: JobStore, key: string, body: string, caps?: { perKey: number; all: number }) {
  const request = { owner: 'a', idempotency: { key, digest: key } }
  const began = await store.begin(request, 60_000)
  if (began.kind !== 'new') throw new Error(began.kind)
  return store.storeAnswer(request, began.lease, { status: 200, headers: [], body }, caps)
}

/** Runs the tests over one kind of store. */
export function storedSuite(kind: string, open: OpenStore): void {
  test(`${kind}: so many bytes of a key are kept, so many in all, and a refused job takes none`, async (t) => {
    const { store } = await open(t)
    const caps = capsOf(300, 400)
    const accept = (id: string, owner: string, bytes: number) => store.accept(jobOf(id, owner, bytes), caps)
    t.match(await accept('a1', 'a', 100), { kind: 'accepted' })
    t.match(await accept('a2', 'a', 200), { kind: 'accepted' }, 'up to the last byte')
    t.same(await accept('a3', 'a', 20), { kind: 'no-room', scope: 'key' })
    t.same(await accept('b1', 'b', 101), { kind: 'no-room', scope: 'all' })
    t.match(await accept('b2', 'b', 100), { kind: 'accepted' })
    t.same(await storedBytes(store), { jobs: 400, answers: 0 })
    t.equal(await store.get('a3'), null)
    t.equal((await store.counts()).jobs.pending, 3)
  })

  test(`${kind}: removed and expired jobs free their space`, async (t) => {
    const { store, advance } = await open(t)
    const caps = capsOf(300, 1000)
    await store.accept(jobOf('a1', 'a', 100), caps)
    await store.accept(jobOf('a2', 'a', 100), caps)
    const [claimed] = await store.claim(CLAIM)
    await store.complete(claimed?.lease ?? { id: '', fence: 0 }, 'ü'.repeat(50))
    t.same(await storedBytes(store), { jobs: 300, answers: 0 }, 'an answer counts with its job')
    t.same(await store.accept(jobOf('a3', 'a', 50), caps), { kind: 'no-room', scope: 'key' })
    await store.cancel('a2', { code: 'client_gone' } as never)
    t.equal((await storedBytes(store)).jobs, 200)
    t.match(await store.accept(jobOf('a4', 'a', 100), caps), { kind: 'accepted' })
    advance(RETENTION_MS + 1)
    await store.cleanUp(RETENTION_MS)
    t.equal((await storedBytes(store)).jobs, 100, 'what has ended is gone, what waits is not')
    await store.cancel('a4', { code: 'client_gone' } as never)
    t.same(await storedBytes(store), { jobs: 0, answers: 0 })
  })

  test(`${kind}: retries, releases and lost leases do not change the stored bytes`, async (t) => {
    const { store, advance } = await open(t)
    await store.accept(jobOf('a1', 'a', 100))
    const [first] = await store.claim(CLAIM)
    const error = { code: 'overloaded' } as never
    await store.retry(first?.lease ?? { id: '', fence: 0 }, { delayMs: 0, error, spentMs: 1 })
    const [second] = await store.claim(CLAIM)
    await store.release(second?.lease ?? { id: '', fence: 0 })
    await store.claim(CLAIM)
    advance(CLAIM.leaseMs + 1)
    const [last] = await store.claim(CLAIM)
    t.equal(await store.complete(second?.lease ?? { id: '', fence: 0 }, 'late'), false)
    t.equal((await storedBytes(store)).jobs, 100)
    await store.fail(last?.lease ?? { id: '', fence: 0 }, error)
    advance(RETENTION_MS + 1)
    await store.cleanUp(RETENTION_MS)
    t.equal((await storedBytes(store)).jobs, 0)
  })

  test(`${kind}: of a hundred at once no more are accepted than fit`, async (t) => {
    const { store } = await open(t)
    const caps = capsOf(1050, 10_000)
    const accepted = await Promise.all(
      Array.from({ length: 100 }, (_, i) => store.accept(jobOf(`job-${i}`, 'a', 100), caps)),
    )
    const count = (kind: Acceptance['kind']) => accepted.filter((each) => each.kind === kind).length
    t.same([count('accepted'), count('no-room')], [10, 90])
    t.equal((await storedBytes(store)).jobs, 1000)
  })

  test(`${kind}: a repeated job is answered even when the store is full; a job that is rejected for space leaves its key free`, async (t) => {
    const { store } = await open(t)
    const keyed = (id: string, key: string) => ({ ...jobOf(id, 'a', 100), idempotency: { key, digest: key } })
    t.match(await store.accept(keyed('first', 'one'), capsOf(100, 100)), { kind: 'accepted' })
    t.match(await store.accept(keyed('again', 'one'), capsOf(100, 100)), { kind: 'repeated', id: 'first' })
    t.match(await store.accept(keyed('other', 'two'), capsOf(100, 100)), { kind: 'no-room' })
    t.match(await store.accept(keyed('later', 'two'), capsOf(200, 200)), { kind: 'accepted', job: { id: 'later' } })
  })

  test(`${kind}: kept answers count with the jobs of their key, for their day; without room the key is free`, async (t) => {
    const { store, advance } = await open(t)
    const caps = { perKey: 1000, all: 1000 }
    t.equal(await keepAnswer(store, 'one', 'x'.repeat(500), caps), true)
    const { answers } = await storedBytes(store)
    t.ok(answers >= 500 && answers < 600, 'with their status and headers')
    t.equal(await keepAnswer(store, 'two', 'x'.repeat(500), caps), false)
    t.equal(await keepAnswer(store, 'two', 'x'.repeat(100), caps), true, 'the key was free')
    t.same(await store.accept(jobOf('a1', 'a', 400), capsOf(1000, 1000)), { kind: 'no-room', scope: 'key' })
    t.match(await store.accept(jobOf('b1', 'b', 400), capsOf(1000, 2000)), { kind: 'accepted' }, 'another key')
    advance(IDEMPOTENCY_MS + 1)
    t.equal(await keepAnswer(store, 'one', 'y', caps), true, 'used anew')
    await store.cleanUp(RETENTION_MS)
    const { answers: left } = await storedBytes(store)
    t.ok(left > 0 && left < 100, `${left}`)
  })
}
