// Accepting, asking after, listing, cancelling and counting jobs, whatever keeps them.
import { test } from 'tap'
import { errorData } from '../../src/errors.js'
import { type StoreEvent } from '../../src/jobs/store.js'
import { newJob } from './new-job.js'
import {
  acceptAll,
  CLAIM,
  claimOne,
  FAILURE,
  HOUR_MS,
  LEASE_MS,
  none,
  type OpenStore,
  SENDING,
  until,
} from './store-rig.js'

export function deskSuite(kind: string, open: OpenStore): void {
  test(`${kind}: a job is stored as it came and reports its progress`, async (t) => {
    const { store } = await open(t)
    t.equal(await store.get('job-none'), null)
    const text = JSON.stringify({ model: 'm', content: `é😀"\\u0000 \n${'x'.repeat(100_000)}` })
    const first = await store.accept(newJob('a', { request: text, webhookUrl: 'https://h.example/x' }))
    t.match(first, { kind: 'accepted', queuePosition: 1, activeRequests: 0 })
    const job = await store.get('a')
    t.match(job, {
      id: 'a',
      owner: 'team-a',
      state: 'pending',
      request: text,
      answer: null,
      attempts: 0,
      error: null,
    })
    t.match(job, {
      context: { requestId: 'r-a' },
      webhook: { url: 'https://h.example/x', state: 'waiting', attempts: 0 },
    })
    const { lease } = await claimOne(store)
    t.match(await store.get('a'), { state: 'processing', attempts: 1 })
    t.equal(await store.complete(lease, text), true)
    t.match(await store.get('a'), { state: 'completed', answer: text, request: text, attempts: 1 })
  })

  test(`${kind}: a place in the queue counts the other keys' turns`, async (t) => {
    const { store } = await open(t)
    const positions: unknown[] = []
    for (const [id, owner] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['a3', 'a'],
      ['b1', 'b'],
      ['b2', 'b'],
    ] as const) {
      const acceptance = await store.accept(newJob(id, { owner }))
      positions.push(acceptance.kind === 'accepted' && acceptance.queuePosition)
    }
    t.same(positions, [1, 2, 3, 2, 4], 'a3 would start after both of b, which were not there yet')
    await store.claim({ ...CLAIM, limit: 2 })
    t.match(await store.accept(newJob('n1', { owner: '' })), { queuePosition: 3, activeRequests: 2 })
    t.match(await store.get('n1'), { owner: '' })
  })

  test(`${kind}: lists a key's own jobs, newest first, in pages`, async (t) => {
    const { store } = await open(t)
    await acceptAll(store, [newJob('other', { owner: 'b' }), ...['1', '2', '3', '4', '5'].map((id) => newJob(id))])
    const query = { owner: 'team-a', state: null, limit: 2, after: null }
    const ids = async (over: object) => (await store.list({ ...query, ...over })).map(({ id }) => id)
    t.same(await ids({}), ['5', '4'])
    t.same(await ids({ after: '4' }), ['3', '2'])
    t.same(await ids({ after: '2' }), ['1'])
    t.same(await ids({ after: '1' }), [])
    t.same(await ids({ after: 'unknown' }), [])
    t.same(await ids({ after: 'other' }), [], "another key's job is unknown")
    await store.complete(
      (await store.claim({ ...CLAIM, limit: 2 })).find(({ job }) => job.id === '1')?.lease ?? none(),
      '{}',
    )
    t.same(await ids({ state: 'completed' }), ['1'])
    t.same(await ids({ state: 'pending', limit: 100 }), ['5', '4', '3', '2'])
    t.same(await ids({ owner: '' }), [])
    t.notOk('request' in ((await store.list(query))[0] ?? {}), 'without the big texts')
  })

  test(`${kind}: cancels waiting and running jobs, but none that has ended`, async (t) => {
    const { store } = await open(t)
    const events: StoreEvent[] = []
    store.subscribe((event) => events.push(event))
    const idempotency = { key: 'k', digest: 'd' }
    await acceptAll(store, [newJob('a', { webhookUrl: 'https://h.example/' }), newJob('b', { idempotency })])
    const { lease } = await claimOne(store)
    const error = errorData('client_gone', { message: 'Cancelled.' })
    t.equal(await store.cancel('b', error), 'removed')
    t.equal(await store.get('b'), null)
    t.match(await store.accept(newJob('c', { idempotency })), { kind: 'accepted' }, 'its idempotency key is free')
    t.equal(await store.cancel('a', error), 'ended')
    t.match(await store.get('a'), { state: 'error', error: { code: 'client_gone', message: 'Cancelled.' } })
    t.equal(await store.renew(lease, LEASE_MS), false, 'its runner learns it')
    t.equal(await store.complete(lease, '{}'), false)
    t.equal(await store.cancel('a', error), null)
    t.equal(await store.cancel('none', error), null)
    t.same(await store.claimDeliveries(SENDING), [], 'who cancels waits for no webhook')
    await until(() => events.some(({ type }) => type === 'cancelled'))
    t.match(
      events.find(({ type }) => type === 'cancelled'),
      { id: 'a' },
    )
  })

  test(`${kind}: counts jobs by state, the age of the queue, and deliveries`, async (t) => {
    const { store, advance } = await open(t)
    t.match(await store.counts(), { jobs: { pending: 0, processing: 0, completed: 0, error: 0 }, queueAgeMs: 0 })
    await acceptAll(
      store,
      ['1', '2', '3', '4', '5', '6'].map((id) => newJob(id, { webhookUrl: 'https://h.example/' })),
    )
    const claimed = await store.claim({ ...CLAIM, limit: 4 })
    await store.complete(claimed[0]?.lease ?? none(), '{}')
    await store.fail(claimed[1]?.lease ?? none(), FAILURE)
    await store.retry(claimed[2]?.lease ?? none(), { delayMs: HOUR_MS, error: FAILURE, spentMs: 1 })
    await store.cancel('6', FAILURE)
    advance(5000)
    const counts = await store.counts()
    t.same(counts.jobs, { pending: 2, processing: 1, completed: 1, error: 1 })
    t.ok(counts.queueAgeMs >= 5000 && counts.queueAgeMs < 60_000, 'of the one that may start')
    t.same(counts.deliveries, { due: 2, dead: 0 })
    await store.claim({ ...CLAIM, limit: 4 })
    t.equal((await store.counts()).queueAgeMs, 0)
  })
}
