// The caps on jobs that wait, for every kind of store.
import { test } from 'tap'
import { newJob } from './new-job.js'
import { type OpenStore } from './store-rig.js'

const CAPS = { perKey: 3, all: 5 }

/** Runs the tests over one kind of store. */
export function pendingSuite(kind: string, open: OpenStore): void {
  test(`${kind}: the waiting jobs are bounded per key and in total, and a rejected job is not stored`, async (t) => {
    const { store } = await open(t)
    const accept = (id: string, owner: string) => store.accept(newJob(id, { owner }), CAPS)
    for (const id of ['a1', 'a2', 'a3']) t.match(await accept(id, 'a'), { kind: 'accepted' })
    t.same(await accept('a4', 'a'), { kind: 'full', scope: 'key' })
    for (const id of ['b1', 'b2']) t.match(await accept(id, 'b'), { kind: 'accepted' })
    t.same(await accept('b3', 'b'), { kind: 'full', scope: 'all' })
    t.equal((await store.counts()).jobs.pending, 5)
    t.equal(await store.get('a4'), null)
    const [claimed] = await store.claim({ kind: 'chat', limit: 1, leaseMs: 60_000, maxAttempts: 3 })
    t.equal(claimed?.job.id, 'a1')
    t.match(await accept('a5', 'a'), { kind: 'accepted' }, 'what runs does not wait')
  })

  test(`${kind}: of a hundred at once no more than the cap are accepted`, async (t) => {
    const { store } = await open(t)
    const kinds = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => (await store.accept(newJob(`job-${i}`), CAPS)).kind),
    )
    t.equal(kinds.filter((each) => each === 'accepted').length, CAPS.perKey)
  })

  test(`${kind}: a repeated job is answered even when the queue is full; a rejected one leaves its key free`, async (t) => {
    const { store } = await open(t)
    const caps = { perKey: 1, all: 10 }
    const keyed = (id: string, key: string) => newJob(id, { idempotency: { key, digest: key } })
    t.match(await store.accept(keyed('first', 'one'), caps), { kind: 'accepted' })
    t.match(await store.accept(keyed('again', 'one'), caps), { kind: 'repeated', id: 'first' })
    t.match(await store.accept(keyed('other', 'two'), caps), { kind: 'full' })
    await store.claim({ kind: 'chat', limit: 1, leaseMs: 60_000, maxAttempts: 3 })
    t.match(await store.accept(keyed('later', 'two'), caps), { kind: 'accepted', job: { id: 'later' } })
  })
}
