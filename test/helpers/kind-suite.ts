// The kinds of jobs, each with a queue of its own, whatever keeps them.
import { test } from 'tap'
import { newJob } from './new-job.js'
import { acceptAll, CLAIM, claimIds, FAILURE, LEASE_MS, none, type OpenStore, until } from './store-rig.js'

const RESPONSE = { kind: 'response' } as const
const CLAIM_RESPONSE = { ...CLAIM, ...RESPONSE }

/** Runs the tests over one kind of store. */
export function kindSuite(store: string, open: OpenStore): void {
  test(`${store}: each kind has a queue, turns and caps of its own`, async (t) => {
    const { store } = await open(t)
    const caps = { perKey: 2, all: 3 }
    await acceptAll(store, [newJob('c1'), newJob('c2')])
    t.match(await store.accept(newJob('r1', RESPONSE), caps), {
      ...{ kind: 'accepted', queuePosition: 1, activeRequests: 0, job: { kind: 'response' } },
    })
    t.match(await store.accept(newJob('r2', RESPONSE), caps), { kind: 'accepted', queuePosition: 2 })
    t.same(await store.accept(newJob('r3', RESPONSE), caps), { kind: 'full', scope: 'key' })
    t.match(await store.accept(newJob('r4', { ...RESPONSE, owner: 'b' }), caps), { kind: 'accepted' })
    t.same(await store.accept(newJob('r5', { ...RESPONSE, owner: 'c' }), caps), { kind: 'full', scope: 'all' })
    t.same(await claimIds(store, 10), ['c1', 'c2'])
    const claimed = await store.claim({ ...CLAIM_RESPONSE, limit: 10 })
    const ids = claimed.map(({ job }) => job.id)
    t.same(ids.toSorted(), ['r1', 'r2', 'r4'])
    t.equal(ids.at(-1), 'r2', 'the keys take turns')
    t.match(await store.get('r1'), { kind: 'response', state: 'processing' })
    t.match((await store.counts()).jobs, { pending: 0, processing: 5 }, 'all are counted')
    const page = await store.list({ owner: 'team-a', state: null, limit: 10, after: null })
    t.same(
      page.map(({ id }) => id),
      ['c2', 'c1'],
      'only chats are listed',
    )
  })

  test(`${store}: a lease that is over is taken back by a claim of its kind`, async (t) => {
    const { store, advance } = await open(t)
    await acceptAll(store, [newJob('c1'), newJob('r1', RESPONSE)])
    await store.claim(CLAIM)
    await store.claim(CLAIM_RESPONSE)
    advance(LEASE_MS + 1)
    t.same(await claimIds(store, 10), ['c1'])
    t.match(await store.get('r1'), { state: 'processing', attempts: 1 })
    const [again] = await store.claim(CLAIM_RESPONSE)
    t.match(again?.job, { id: 'r1', attempts: 2 })
    t.equal(await store.retry(again?.lease ?? none(), { delayMs: 0, error: FAILURE, spentMs: 0 }), true)
    t.same(await claimIds(store, 10), [], 'a retry stays with its kind')
    const [third] = await store.claim(CLAIM_RESPONSE)
    t.equal(await store.release(third?.lease ?? none()), true)
    t.same(await claimIds(store, 10), [], 'and so does what was released')
    t.equal((await store.claim(CLAIM_RESPONSE)).length, 1)
  })

  test(`${store}: a job that is discarded leaves nothing, and only who holds it can`, async (t) => {
    const { store, advance } = await open(t)
    await store.accept(newJob('r1', RESPONSE))
    const [first] = await store.claim(CLAIM_RESPONSE)
    advance(LEASE_MS + 1)
    const [second] = await store.claim(CLAIM_RESPONSE)
    t.equal(await store.discard(first?.lease ?? none()), false)
    t.equal(await store.renew(second?.lease ?? none(), LEASE_MS), true)
    t.equal(await store.discard(second?.lease ?? none()), true)
    t.equal(await store.get('r1'), null)
    const { jobs, storedBytes } = await store.counts()
    t.match(jobs, { pending: 0, processing: 0, completed: 0, error: 0 })
    t.equal(storedBytes.jobs, 0)
    advance(LEASE_MS + 1)
    t.same(await store.claim(CLAIM_RESPONSE), [])
  })

  test(`${store}: what waits or runs is removed, and its run is told`, async (t) => {
    const { store } = await open(t)
    const told: string[] = []
    store.subscribe((event) => {
      if (event.type === 'cancelled') told.push(event.id)
    })
    await acceptAll(store, [newJob('r1', RESPONSE), newJob('r2', RESPONSE), newJob('c1')])
    const [running] = await store.claim(CLAIM_RESPONSE)
    t.equal(await store.remove('r1'), true)
    t.equal(await store.remove('r2'), true)
    t.equal(await store.remove('r2'), false)
    t.equal(await store.renew(running?.lease ?? none(), LEASE_MS), false)
    await until(() => told.length > 0)
    t.same(told, ['r1'])
    t.equal(await store.get('r1'), null)
    t.same(await store.claim(CLAIM_RESPONSE), [])
    t.match(await store.counts(), { jobs: { pending: 1, processing: 0 } })
    const [chat] = await store.claim(CLAIM)
    await store.complete(chat?.lease ?? none(), '{}')
    t.equal(await store.remove('c1'), false, 'what has ended stays')
  })
}
