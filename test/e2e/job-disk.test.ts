// The disk of the embedded store is full: the gateway takes no further job and says so, whatever is live goes on, and what it
// had accepted is there and ends once there is room.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'
import { mountSmallDisk, NO_SMALL_DISK } from '../helpers/small-disk.js'

const DISK = mountSmallDisk(2)
const BALLAST_BYTES = 1_000_000
const TEXT_BYTES = 20_000
/** Far more than the disk takes. */
const MOST_JOBS = 300

test('on a full disk jobs are 507 and live chats continue; all accepted jobs end once there is room', {
  skip: DISK === null ? NO_SMALL_DISK : false,
}, async (t) => {
  const folder = DISK ?? ''
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES))
  const [slow, quick] = [await startHeldUpstream(t), await startHeldUpstream(t)]
  const provider = (origin: string) => ({ protocol: 'openai-chat', baseUrl: `${origin}/v1` })
  const providers = { slow: provider(slow.origin), quick: provider(quick.origin) }
  const gateway = await startGateway(t, { config: { providers, jobs: { path: join(folder, 'jobs.db') } } })
  const client = new JobClient(gateway)
  const job = { model: 'slow/m', messages: [{ role: 'user', content: 'x'.repeat(TEXT_BYTES) }] }
  const accepted: string[] = []
  let refused = await client.post(job, { prefer: 'respond-async' })
  while (refused.status === 202 && accepted.length < MOST_JOBS) {
    accepted.push(String(refused.body.request_id))
    refused = await client.post(job, { prefer: 'respond-async' })
  }
  t.equal(refused.status, 507)
  t.match(refused.body, { error: { code: 'storage_full' } })
  t.ok(accepted.length > 5, `${accepted.length} accepted`)
  t.equal((await client.post(job, { prefer: 'respond-async' })).status, 507, 'and again')
  const live = client.post({ model: 'quick/m', messages: job.messages })
  ;(await quick.next()).say('live')
  t.equal((await live).status, 200, 'live traffic is untouched')
  const page = (await client.list('?limit=100')).body.data as { request_id: string }[]
  t.same(page.map(({ request_id }) => request_id).sort(), [...accepted].sort(), 'nothing that was refused is there')
  rmSync(ballast)
  const late = await client.submit(job)
  for (const _ of [...accepted, late]) (await slow.next()).say('done')
  for (const id of [...accepted, late]) t.match(await client.until(id), { status: 'completed', request: job })
  t.equal(await gateway.stop('SIGINT'), 0)
})
