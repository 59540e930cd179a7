// When webhooks become due, and what becomes of them, whatever keeps the jobs.
import { test } from 'tap'
import { type StoreEvent } from '../../src/jobs/store.js'
import { newJob } from './new-job.js'
import { acceptAll, CLAIM, claimOne, FAILURE, LEASE_MS, none, type OpenStore, SENDING, until } from './store-rig.js'

export function deliverySuite(kind: string, open: OpenStore): void {
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
