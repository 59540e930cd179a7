// The sender of webhooks: at least once, one endpoint never at another's cost, and nothing lost by a stop.
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'tap'
import { type DeliveryResult } from '../../../src/jobs/store.js'
import { Courier } from '../../../src/jobs/webhook/courier.js'
import { type Teardown } from '../../helpers/gateway.js'
import { newJob } from '../../helpers/new-job.js'
import { createPlainStore, type PlainStore } from '../../helpers/plain-store.js'
import { startReceiver } from '../../helpers/webhook-receiver.js'

const WEBHOOK = {
  ...{ secret: null, previousSecret: null, allowInsecure: true, allowPrivateNetworks: true, timeoutMs: 5000 },
}

/** As many as are sent at once in all. */
const AT_ONCE = 64

async function endJob(store: PlainStore, id: string, webhookUrl: string, answer: string | null = '{"ok":1}') {
  await store.accept(newJob(id, { webhookUrl }))
  const [claimed] = await store.claim({ kind: 'chat', limit: 1, leaseMs: 1000, maxAttempts: 3 })
  if (claimed === undefined) throw new Error('nothing to claim')
  if (answer !== null) return await store.complete(claimed.lease, answer)
  const error = { code: 'upstream_timeout', message: 'too slow' } as never
  return await store.fail(claimed.lease, error)
}

function startCourier(t: Teardown, store: PlainStore) {
  const results: (readonly [string, DeliveryResult])[] = []
  const courier = new Courier({
    ...{ store, settings: () => ({ webhook: WEBHOOK, leaseMs: 15_000 }), random: () => 0 },
    onAttempt: ({ job }, result) => results.push([job.id, result]),
  })
  t.teardown(() => courier.stop(0))
  courier.start()
  return { courier, results }
}

/** Takes requests and never answers. */
async function startSilence(t: Teardown): Promise<{ url: string; count(): number }> {
  let count = 0
  const server = createServer(() => {
    count += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, count: () => count }
}

test('sends webhooks of jobs that ended before and after its start, and reports to the store', async (t) => {
  const store = createPlainStore(t, Date.now)
  const receiver = await startReceiver(t)
  await endJob(store, 'a', receiver.url)
  const { courier, results } = startCourier(t, store)
  await receiver.until(1, 'a')
  await endJob(store, 'b', receiver.url, null)
  const [told] = await receiver.until(1, 'b')
  t.strictSame(told?.body, {
    ...{ request_id: 'b', status: 'error' },
    error: { message: 'too slow', type: 'upstream_timeout', attempts: 1 },
  })
  t.equal(told?.headers['webhook-id'], 'b')
  await courier.stop(5000)
  t.match(await store.get('b'), { webhook: { state: 'delivered', attempts: 1 } })
  t.same(results.map(([id, { kind }]) => [id, kind]).sort(), [
    ['a', 'delivered'],
    ['b', 'delivered'],
  ])
})

test('a failure comes again later, a refusal does not', async (t) => {
  const store = createPlainStore(t, Date.now)
  const busy = await startReceiver(t, () => 503)
  const gone = await startReceiver(t, () => 410)
  await endJob(store, 'busy', busy.url)
  await endJob(store, 'gone', gone.url)
  const { courier, results } = startCourier(t, store)
  await Promise.all([busy.until(1), gone.until(1)])
  await courier.stop(5000)
  t.match(Object.fromEntries(results), { busy: { kind: 'retry', delayMs: 5000 }, gone: { kind: 'dead' } })
  t.match(await store.get('busy'), {
    webhook: { state: 'due', attempts: 1, lastError: 'The endpoint returned status 503.' },
  })
  t.match(await store.get('gone'), { webhook: { state: 'dead' } })
})

test('an endpoint that never answers holds up no other, and no stop', async (t) => {
  const store = createPlainStore(t, Date.now)
  const silence = await startSilence(t)
  const receiver = await startReceiver(t)
  for (let i = 0; i < AT_ONCE; i++) await endJob(store, `silent-${i}`, silence.url)
  const { courier } = startCourier(t, store)
  await endJob(store, 'good', receiver.url)
  await receiver.until(1, 'good')
  t.ok(silence.count() <= 4, `${silence.count()} at once`)
  const startedMs = performance.now()
  await courier.stop(50)
  t.ok(performance.now() - startedMs < 8000, 'not by the timeout of the webhook')
  t.match(await store.get('silent-0'), { webhook: { state: 'due' } }, 'to be sent again')
})
