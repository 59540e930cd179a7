// Turns, claims, leases, retries and clean-up, whatever keeps the jobs.
import { test } from 'tap'
import { newJob } from './new-job.js'
import {
  acceptAll,
  CLAIM,
  claimIds,
  claimOne,
  DAY_MS,
  FAILURE,
  HOUR_MS,
  LEASE_MS,
  none,
  type OpenStore,
  SENDING,
  until,
} from './store-rig.js'

export function queueSuite(kind: string, open: OpenStore): void {
  test(`${kind}: the keys take turns: one with many jobs does not starve one with few`, async (t) => {
    const { store } = await open(t)
    const many = Array.from({ length: 40 }, (_, i) => newJob(`many-${i}`, { owner: 'many' }))
    await Promise.all(many.map((job) => store.accept(job)))
    t.same((await claimIds(store, 2)).length, 2)
    await acceptAll(
      store,
      ['1', '2', '3'].map((id) => newJob(`few-${id}`, { owner: 'few' })),
    )
    const ids = await claimIds(store, 6)
    t.same(
      ids.filter((id) => id.startsWith('few')),
      ['few-1', 'few-2', 'few-3'],
      'in their order',
    )
    t.equal((await claimIds(store, 100)).length, 35)
    t.same(await claimIds(store, 1), [])
  })

  test(`${kind}: one of many claimers gets a job`, async (t) => {
    const { store } = await open(t)
    await acceptAll(
      store,
      Array.from({ length: 20 }, (_, i) => newJob(`${i}`)),
    )
    const claims = await Promise.all(Array.from({ length: 15 }, () => claimIds(store, 2)))
    t.equal(new Set(claims.flat()).size, 20)
    t.equal(claims.flat().length, 20)
  })

  test(`${kind}: a lease that is over is taken by another, and the late finisher is refused`, async (t) => {
    const { store, advance } = await open(t)
    await store.accept(newJob('a'))
    const late = (await claimOne(store)).lease
    t.same(await claimIds(store, 1), [])
    advance(LEASE_MS - 5000)
    t.equal(await store.renew(late, LEASE_MS), true)
    advance(LEASE_MS - 5000)
    t.same(await claimIds(store, 1), [], 'it was renewed')
    advance(5001)
    const { lease, job } = await claimOne(store)
    t.match(job, { id: 'a', attempts: 2 })
    t.equal(await store.renew(late, LEASE_MS), false)
    t.equal(await store.complete(late, '{"late":1}'), false)
    t.equal(await store.fail(late, FAILURE), false)
    t.equal(await store.retry(late, { delayMs: 0, error: FAILURE, spentMs: 0 }), false)
    t.equal(await store.release(late), false)
    t.match(await store.get('a'), { state: 'processing', answer: null })
    t.equal(await store.complete(lease, '{"own":1}'), true)
    t.equal(await store.complete(lease, '{"twice":1}'), false)
    t.match(await store.get('a'), { state: 'completed', answer: '{"own":1}', attempts: 2 })
  })

  test(`${kind}: a run that finishes after its lease still counts if no other has taken over`, async (t) => {
    const { store, advance } = await open(t)
    await store.accept(newJob('a'))
    const { lease } = await claimOne(store)
    advance(DAY_MS)
    t.equal(await store.complete(lease, '{}'), true)
    t.same(await claimIds(store, 1), [])
  })

  test(`${kind}: a job whose runs were all lost ends as error instead of running for ever`, async (t) => {
    const { store, advance } = await open(t)
    await store.accept(newJob('a', { webhookUrl: 'https://h.example/' }))
    for (let attempt = 1; attempt <= CLAIM.maxAttempts; attempt++) {
      t.equal((await claimOne(store)).job.attempts, attempt)
      advance(LEASE_MS + 1)
    }
    t.same(await claimIds(store, 1), [])
    t.match(await store.get('a'), { state: 'error', attempts: 3, error: { code: 'internal' } })
    t.equal((await store.claimDeliveries(SENDING)).length, 1, 'and its webhook tells')
  })

  test(`${kind}: a retry waits for its time and keeps error, attempts and running time`, async (t) => {
    const { store, advance } = await open(t)
    await acceptAll(store, [newJob('a'), newJob('b')])
    const { lease } = await claimOne(store)
    t.equal(await store.retry(lease, { delayMs: 10_000, error: FAILURE, spentMs: 1234 }), true)
    t.match(await store.get('a'), { state: 'pending', attempts: 1, error: { code: 'upstream_overloaded' } })
    t.same(await claimIds(store, 5), ['b'], 'it holds up nobody')
    advance(9000)
    t.same(await claimIds(store, 5), [])
    advance(1001)
    const again = await claimOne(store)
    t.match(again, { job: { id: 'a', attempts: 2 }, spentMs: 1234 })
    t.equal(await store.complete(again.lease, '{}'), true)
    t.match(await store.get('a'), { state: 'completed', error: null })
  })

  test(`${kind}: what its runs have cost adds up, however they end; a run that is void adds nothing`, async (t) => {
    const { store, advance } = await open(t)
    const costOf = async (id: string) => (await store.get(id))?.costNano
    await acceptAll(
      store,
      ['a', 'b', 'c'].map((id) => newJob(id)),
    )
    t.equal(await costOf('a'), null)
    const [one, two, three] = await store.claim({ ...CLAIM, limit: 3 })
    if (one === undefined || two === undefined || three === undefined) throw new Error('not claimed')
    await store.retry(one.lease, { delayMs: 0, error: FAILURE, spentMs: 0, costNano: 1_500_000_000_000 })
    t.equal(await costOf('a'), 1_500_000_000_000)
    await store.release(two.lease, 7)
    await store.fail(three.lease, FAILURE)
    t.equal(await costOf('c'), null, 'no price is known')
    const again = await store.claim({ ...CLAIM, limit: 3 })
    t.equal(again.length, 2)
    for (const { lease, job } of again) t.equal(await store.complete(lease, '{}', job.id === 'a' ? 2 : null), true)
    t.equal(await costOf('a'), 1_500_000_000_002)
    t.equal(await costOf('b'), 7)
    t.equal(await store.complete(one.lease, '{}', 99), false)
    t.equal(await costOf('a'), 1_500_000_000_002)
    t.match(await store.list({ owner: newJob('a').owner, state: null, limit: 10, after: null }), [
      ...[
        { id: 'c', costNano: null },
        { id: 'b', costNano: 7 },
        { id: 'a', costNano: 1_500_000_000_002 },
      ],
    ])
    advance(1)
  })

  test(`${kind}: a retry that was no attempt is not counted`, async (t) => {
    const { store, advance } = await open(t)
    await acceptAll(store, [newJob('a')])
    const { lease } = await claimOne(store)
    t.equal(await store.retry(lease, { delayMs: 1000, error: FAILURE, spentMs: 1, isUncounted: true }), true)
    t.match(await store.get('a'), { state: 'pending', attempts: 0 })
    advance(1001)
    t.match(await claimOne(store), { job: { attempts: 1 } })
  })

  test(`${kind}: a released job goes to the front of the queue, as if it had not started`, async (t) => {
    const { store, advance } = await open(t)
    await acceptAll(store, [newJob('a'), newJob('b')])
    advance(1000)
    const { lease, job } = await claimOne(store)
    t.equal(job.id, 'a')
    t.equal(await store.release(lease), true)
    t.match(await store.get('a'), { state: 'pending', attempts: 0 })
    const again = await claimOne(store)
    t.match(again.job, { id: 'a', attempts: 1 })
    t.equal(await store.complete(lease, '{}'), false, 'the first lease stays void')
    t.equal(await store.complete(again.lease, '{}'), true)
  })

  test(`${kind}: says that there is work`, async (t) => {
    const { store } = await open(t)
    const seen = { work: 0, later: 0 }
    const stop = store.subscribe((event) => {
      if (event.type === 'work') seen.work += 1
    })
    await store.accept(newJob('a'))
    await until(() => seen.work > 0)
    stop()
    await store.release((await claimOne(store)).lease)
    store.subscribe((event) => {
      if (event.type === 'work') seen.later += 1
    })
    await store.accept(newJob('b'))
    await until(() => seen.later > 0)
    t.equal(seen.work, 1, 'not to who has left')
  })

  test(`${kind}: what ended is removed after its time, what has not never`, async (t) => {
    const { store, advance } = await open(t)
    const webhookUrl = 'https://h.example/'
    await acceptAll(store, [newJob('done'), newJob('told', { webhookUrl }), newJob('held'), newJob('waits')])
    const leases = new Map((await store.claim({ ...CLAIM, limit: 3 })).map(({ job, lease }) => [job.id, lease]))
    await store.complete(leases.get('done') ?? none(), '{}')
    await store.fail(leases.get('told') ?? none(), FAILURE)
    advance(HOUR_MS - 5000)
    t.equal(await store.cleanUp(HOUR_MS), 0)
    advance(6000)
    t.equal(await store.cleanUp(HOUR_MS), 1)
    t.equal(await store.get('done'), null)
    t.match(await store.get('told'), { state: 'error' }, 'its webhook is not sent yet')
    const [delivery] = await store.claimDeliveries(SENDING)
    await store.settleDelivery(delivery?.lease ?? none(), { kind: 'dead', error: '410' })
    t.equal(await store.cleanUp(HOUR_MS), 0, 'a dead letter can be seen for as long')
    advance(HOUR_MS + 1)
    t.equal(await store.cleanUp(HOUR_MS), 1)
    t.match((await store.counts()).jobs, { pending: 1, processing: 1, completed: 0, error: 0 })
  })
}
