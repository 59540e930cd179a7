// A clock that is set, whatever keeps the jobs.
import { test } from 'tap'
import { newJob } from './new-job.js'
import {
  acceptAll,
  CLAIM,
  claimIds,
  FAILURE,
  HOUR_MS,
  LEASE_MS,
  none,
  type OpenStore,
  SENDING,
  YEAR_MS,
} from './store-rig.js'

export function clockSuite(kind: string, open: OpenStore): void {
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
