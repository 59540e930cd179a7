// Idempotency keys, of jobs and of direct requests, whatever keeps them.
import { test } from 'tap'
import { type DirectRequest } from '../../src/jobs/store.js'
import { newJob } from './new-job.js'
import { CLAIM, DAY_MS, HOUR_MS, LEASE_MS, type OpenStore } from './store-rig.js'

export function repeatSuite(kind: string, open: OpenStore): void {
  const idempotency = { key: 'key-1', digest: 'digest-1' }

  test(`${kind}: an idempotency key gives the same job, per gateway key, for a day`, async (t) => {
    const { store, advance } = await open(t)
    t.match(await store.accept(newJob('a', { idempotency })), { kind: 'accepted' })
    t.match(await store.accept(newJob('b', { idempotency })), {
      ...{ kind: 'repeated', id: 'a', queuePosition: 1, activeRequests: 0, job: { id: 'a', state: 'pending' } },
    })
    t.same(await store.accept(newJob('c', { idempotency: { key: 'key-1', digest: 'other' } })), { kind: 'mismatch' })
    t.match(await store.accept(newJob('d', { idempotency, owner: 'team-b' })), { kind: 'accepted' })
    t.equal(await store.get('b'), null)
    for (const { lease } of await store.claim({ ...CLAIM, limit: 5 })) await store.complete(lease, '{}')
    t.match(await store.accept(newJob('e', { idempotency })), {
      kind: 'repeated',
      queuePosition: 0,
      job: { state: 'completed' },
    })
    advance(2 * HOUR_MS)
    await store.cleanUp(HOUR_MS)
    t.same(await store.accept(newJob('f', { idempotency })), {
      ...{ kind: 'repeated', id: 'a', job: null, queuePosition: 0, activeRequests: 0 },
    })
    advance(DAY_MS - 2 * HOUR_MS + 1000)
    t.match(await store.accept(newJob('g', { idempotency })), { kind: 'accepted', job: { id: 'g' } })
  })

  test(`${kind}: of a hundred at once with one key one is accepted`, async (t) => {
    const { store } = await open(t)
    const kinds = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => (await store.accept(newJob(`${i}`, { idempotency }))).kind),
    )
    t.equal(kinds.filter((each) => each === 'accepted').length, 1)
    t.equal(kinds.filter((each) => each === 'repeated').length, 99)
    t.equal((await store.counts()).jobs.pending, 1)
  })

  test(`${kind}: a direct request runs once; a repetition gets its answer`, async (t) => {
    const { store, advance } = await open(t)
    const request: DirectRequest = { owner: 'team-a', idempotency }
    const began = await store.begin(request, LEASE_MS)
    if (began.kind !== 'new') throw new Error(began.kind)
    t.same(await store.begin(request, LEASE_MS), { kind: 'running' })
    t.same(await store.begin({ ...request, idempotency: { key: 'key-1', digest: 'x' } }, LEASE_MS), {
      kind: 'mismatch',
    })
    t.same(await store.accept(newJob('j', { idempotency })), { kind: 'mismatch' }, 'a job is another request')
    const answer = { status: 200, headers: [['x-request-id', 'r']] as const, body: '{"ok":"é"}' }
    t.equal(await store.storeAnswer(request, began.lease, answer), true)
    t.same(await store.begin(request, LEASE_MS), { kind: 'answered', answer })
    t.equal(await store.forget(request, began.lease), false, 'an answer stays')
    t.match(await store.begin({ ...request, owner: '' }, LEASE_MS), { kind: 'new' })
    advance(DAY_MS + 1)
    await store.cleanUp(HOUR_MS)
    t.match(await store.begin(request, LEASE_MS), { kind: 'new' })
    await store.accept(newJob('k', { idempotency: { key: 'key-2', digest: 'd' } }))
    t.same(await store.begin({ ...request, idempotency: { key: 'key-2', digest: 'd' } }, LEASE_MS), {
      kind: 'mismatch',
    })
  })

  test(`${kind}: a direct request that came to nothing frees its key, one that got lost after its lease`, async (t) => {
    const { store, advance } = await open(t)
    const request: DirectRequest = { owner: '', idempotency }
    const first = await store.begin(request, LEASE_MS)
    if (first.kind !== 'new') throw new Error(first.kind)
    t.equal(await store.forget(request, first.lease), true)
    const second = await store.begin(request, LEASE_MS)
    if (second.kind !== 'new') throw new Error(second.kind)
    const answer = { status: 200, headers: [], body: '{}' }
    t.equal(await store.storeAnswer(request, first.lease, answer), false)
    advance(LEASE_MS + 1)
    const third = await store.begin(request, LEASE_MS)
    t.equal(third.kind, 'new')
    t.equal(await store.storeAnswer(request, second.lease, answer), false)
    if (third.kind === 'new') t.equal(await store.storeAnswer(request, third.lease, answer), true)
  })
}
