// What every job store must hold, whatever keeps it: one suite, run over each of them.
import { type Test, test } from 'tap'
import { errorData } from '../../src/errors.js'
import {
  type ClaimedJob,
  type DirectRequest,
  type JobStore,
  type NewJob,
  type StoreEvent,
} from '../../src/jobs/store.js'
import { newJob } from './new-job.js'

export type StoreRig = {
  readonly store: JobStore
  /** Moves the store's clock, forward or back. */
  advance(ms: number): void
}

/** Opens an empty store; the test's end closes it. */
export type OpenStore = (t: Test) => Promise<StoreRig>

export const LEASE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const YEAR_MS = 365 * DAY_MS
const CLAIM = { limit: 1, leaseMs: LEASE_MS, maxAttempts: 3 }
const SENDING = { limit: 10, leaseMs: LEASE_MS, exceptOrigins: [], perOrigin: 10 }
const FAILURE = errorData('upstream_overloaded')

async function claimOne(store: JobStore): Promise<ClaimedJob> {
  const [claimed] = await store.claim(CLAIM)
  if (claimed === undefined) throw new Error('nothing to claim')
  return claimed
}

async function claimIds(store: JobStore, limit: number): Promise<string[]> {
  return (await store.claim({ ...CLAIM, limit })).map(({ job }) => job.id)
}

async function acceptAll(store: JobStore, jobs: readonly NewJob[]): Promise<void> {
  for (const job of jobs) await store.accept(job)
}

/** Runs the whole suite over one kind of store. */
export function storeSuite(kind: string, open: OpenStore): void {
  deskSuite(kind, open)
  queueSuite(kind, open)
  deliverySuite(kind, open)
  repeatSuite(kind, open)
  clockSuite(kind, open)
}

function deskSuite(kind: string, open: OpenStore): void {
  test(`${kind}: a job is kept as it came, and says how far it is`, async (t) => {
    const { store } = await open(t)
    t.equal(await store.get('job-none'), null)
    const text = JSON.stringify({ model: 'm', content: `é😀"\\u0000 \n${'x'.repeat(100_000)}` })
    const first = await store.accept(newJob('a', { request: text, webhookUrl: 'https://h.example/x' }))
    t.match(first, { kind: 'accepted', queuePosition: 1, activeRequests: 0 })
    const job = await store.get('a')
    t.match(job, {
      id: 'a',
      keyName: 'team-a',
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
    for (const [id, keyName] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['a3', 'a'],
      ['b1', 'b'],
      ['b2', 'b'],
    ] as const) {
      const acceptance = await store.accept(newJob(id, { keyName }))
      positions.push(acceptance.kind === 'accepted' && acceptance.queuePosition)
    }
    t.same(positions, [1, 2, 3, 2, 4], 'a3 would start after both of b, which were not there yet')
    await store.claim({ ...CLAIM, limit: 2 })
    t.match(await store.accept(newJob('n1', { keyName: null })), { queuePosition: 3, activeRequests: 2 })
    t.match(await store.get('n1'), { keyName: null })
  })

  test(`${kind}: lists a key's own jobs, newest first, in pages`, async (t) => {
    const { store } = await open(t)
    await acceptAll(store, [newJob('other', { keyName: 'b' }), ...['1', '2', '3', '4', '5'].map((id) => newJob(id))])
    const query = { keyName: 'team-a', state: null, limit: 2, after: null }
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
    t.same(await ids({ keyName: null }), [])
    t.notOk('request' in ((await store.list(query))[0] ?? {}), 'without the big texts')
  })

  test(`${kind}: cancels what waits and what runs, and nothing that has ended`, async (t) => {
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

function queueSuite(kind: string, open: OpenStore): void {
  test(`${kind}: the keys take turns: one with many jobs does not starve one with few`, async (t) => {
    const { store } = await open(t)
    const many = Array.from({ length: 40 }, (_, i) => newJob(`many-${i}`, { keyName: 'many' }))
    await Promise.all(many.map((job) => store.accept(job)))
    t.same((await claimIds(store, 2)).length, 2)
    await acceptAll(
      store,
      ['1', '2', '3'].map((id) => newJob(`few-${id}`, { keyName: 'few' })),
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

  test(`${kind}: who finishes late finishes all the same while nobody has taken over`, async (t) => {
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

  test(`${kind}: a retry that was no attempt is not counted`, async (t) => {
    const { store, advance } = await open(t)
    await acceptAll(store, [newJob('a')])
    const { lease } = await claimOne(store)
    t.equal(await store.retry(lease, { delayMs: 1000, error: FAILURE, spentMs: 1, isUncounted: true }), true)
    t.match(await store.get('a'), { state: 'pending', attempts: 0 })
    advance(1001)
    t.match(await claimOne(store), { job: { attempts: 1 } })
  })

  test(`${kind}: a job that is given back goes first, as if it had not been begun`, async (t) => {
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

function deliverySuite(kind: string, open: OpenStore): void {
  test(`${kind}: a webhook becomes due with the end of its job, once`, async (t) => {
    const { store, advance } = await open(t)
    await acceptAll(
      store,
      ['a', 'b'].map((id) => newJob(id, { webhookUrl: `https://h.example/${id}` })),
    )
    t.same(await store.claimDeliveries(SENDING), [])
    const events: StoreEvent[] = []
    store.subscribe((event) => events.push(event))
    const { lease } = await claimOne(store)
    await store.complete(lease, '{"a":1}')
    await until(() => events.some(({ type }) => type === 'delivery'))
    const [first, ...rest] = await store.claimDeliveries(SENDING)
    t.match(first, { url: 'https://h.example/a', attempts: 1, job: { id: 'a', state: 'completed', answer: '{"a":1}' } })
    t.same(rest, [])
    t.same(await store.claimDeliveries(SENDING), [], 'it is held')
    advance(LEASE_MS + 1)
    const [second] = await store.claimDeliveries(SENDING)
    t.match(second, { attempts: 2, endedAtMs: first?.endedAtMs })
    t.equal(
      await store.settleDelivery(first?.lease ?? none(), { kind: 'dead', error: 'x' }),
      false,
      'the late one is refused',
    )
    t.equal(await store.settleDelivery(second?.lease ?? none(), { kind: 'delivered' }), true)
    t.equal(await store.settleDelivery(second?.lease ?? none(), { kind: 'dead', error: 'x' }), false)
    advance(LEASE_MS + 1)
    t.same(await store.claimDeliveries(SENDING), [])
    t.match(await store.get('a'), { webhook: { state: 'delivered', attempts: 2, lastError: null } })
  })

  test(`${kind}: a delivery is tried again at its time, and given up for all to see`, async (t) => {
    const { store, advance } = await open(t)
    await store.accept(newJob('a', { webhookUrl: 'http://h.example:8080/hook' }))
    await store.fail((await claimOne(store)).lease, FAILURE)
    const [first] = await store.claimDeliveries(SENDING)
    await store.settleDelivery(first?.lease ?? none(), { kind: 'retry', delayMs: 5000, error: '503' })
    t.match(await store.get('a'), { webhook: { state: 'due', attempts: 1, lastError: '503' } })
    t.same(await store.claimDeliveries(SENDING), [])
    advance(5001)
    const [second] = await store.claimDeliveries(SENDING)
    t.match(second, { attempts: 2, job: { state: 'error', error: { code: 'upstream_overloaded' } } })
    await store.settleDelivery(second?.lease ?? none(), { kind: 'dead', error: '410 Gone' })
    t.match(await store.get('a'), { webhook: { state: 'dead', attempts: 2, lastError: '410 Gone' } })
    t.same((await store.counts()).deliveries, { due: 0, dead: 1 })
  })

  test(`${kind}: one origin's deliveries hold up no other's`, async (t) => {
    const { store } = await open(t)
    const urls = [
      ...Array.from({ length: 30 }, () => 'https://bad.example/x'),
      'https://good.example/',
      'https://fine.example/',
    ]
    await Promise.all(urls.map((webhookUrl, i) => store.accept(newJob(`${i}`, { webhookUrl }))))
    for (const { lease } of await store.claim({ ...CLAIM, limit: 100 })) await store.complete(lease, '{}')
    const hosts = async (over: object) =>
      (await store.claimDeliveries({ ...SENDING, ...over })).map(({ url }) => new URL(url).hostname).sort()
    t.same(await hosts({ perOrigin: 2, exceptOrigins: ['https://fine.example'] }), [
      'bad.example',
      'bad.example',
      'good.example',
    ])
    t.same(await hosts({ perOrigin: 2, exceptOrigins: ['https://bad.example'] }), ['fine.example'])
    t.equal((await hosts({ limit: 100, perOrigin: 100 })).length, 28)
    t.same(await hosts({ limit: 100, perOrigin: 100 }), [])
  })
}

function repeatSuite(kind: string, open: OpenStore): void {
  const idempotency = { key: 'key-1', digest: 'digest-1' }

  test(`${kind}: an idempotency key gives the same job, per gateway key, for a day`, async (t) => {
    const { store, advance } = await open(t)
    t.match(await store.accept(newJob('a', { idempotency })), { kind: 'accepted' })
    t.match(await store.accept(newJob('b', { idempotency })), {
      ...{ kind: 'repeated', id: 'a', queuePosition: 1, activeRequests: 0, job: { id: 'a', state: 'pending' } },
    })
    t.same(await store.accept(newJob('c', { idempotency: { key: 'key-1', digest: 'other' } })), { kind: 'mismatch' })
    t.match(await store.accept(newJob('d', { idempotency, keyName: 'team-b' })), { kind: 'accepted' })
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

  test(`${kind}: a direct request runs once; who repeats it gets its answer`, async (t) => {
    const { store, advance } = await open(t)
    const request: DirectRequest = { keyName: 'team-a', idempotency }
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
    t.match(await store.begin({ ...request, keyName: null }, LEASE_MS), { kind: 'new' })
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
    const request: DirectRequest = { keyName: null, idempotency }
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

function clockSuite(kind: string, open: OpenStore): void {
  for (const [name, jumpMs] of [
    ['+1 h', HOUR_MS],
    ['-1 h', -HOUR_MS],
    ['+1 y', YEAR_MS],
  ] as const) {
    test(`${kind}: a clock set ${name} leaves no job stuck`, async (t) => {
      const { store, advance } = await open(t)
      const webhookUrl = 'https://h.example/'
      await acceptAll(
        store,
        ['runs', 'waits', 'told', 'new'].map((id) => newJob(id, { webhookUrl })),
      )
      const leases = new Map((await store.claim({ ...CLAIM, limit: 3 })).map(({ job, lease }) => [job.id, lease]))
      await store.retry(leases.get('waits') ?? none(), { delayMs: 30_000, error: FAILURE, spentMs: 0 })
      await store.complete(leases.get('told') ?? none(), '{}')
      const [sent] = await store.claimDeliveries(SENDING)
      await store.settleDelivery(sent?.lease ?? none(), { kind: 'retry', delayMs: 30_000, error: '503' })
      advance(jumpMs)
      await store.counts()
      advance(LEASE_MS + 1000)
      t.same((await claimIds(store, 10)).sort(), ['new', 'runs', 'waits'])
      t.match(await store.claimDeliveries(SENDING), [{ job: { id: 'told' }, attempts: 2 }])
      t.ok((await store.counts()).queueAgeMs >= 0)
      t.match(await store.accept(newJob('last')), { kind: 'accepted' })
      t.same(await claimIds(store, 1), ['last'])
    })
  }
}

const PATIENCE_MS = 5000

/** Lets what other threads and sockets have to say come in, until it has. */
async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!isSo() && performance.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 1))
}

function none(): never {
  throw new Error('not claimed')
}
