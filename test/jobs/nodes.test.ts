// Two nodes on one Redis, one of them stopped (SIGSTOP) for longer than the lease, or killed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { openRedisStore } from '../../src/jobs/redis/store.js'
import { checkSaid, newDirectory, pause, startChild } from '../helpers/job-children.js'
import { newJob } from '../helpers/new-job.js'
import { startRedis } from '../helpers/redis-server.js'

/** More than the children's lease. */
const LEASE_AND_MORE_MS = 700
const LIFE_MS = 120

test('of two nodes on one Redis one is stopped for longer than the lease: the other takes over, the late one is refused', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.kill())
  const store = openRedisStore({ url: server.url })
  t.teardown(() => store.close())
  const file = join(newDirectory(t), 'said')
  const stopped = startChild(t, server.url, file, 'stopped', 'run')
  await until(
    async () => (await store.accept(newJob('long', { webhookUrl: 'https://h.example/' }))).kind !== 'mismatch',
  )
  await stopped.signs()
  stopped.process.kill('SIGSTOP')
  const other = startChild(t, server.url, file, 'other', 'run')
  await until(async () => (await store.get('long'))?.state === 'completed')
  stopped.process.kill('SIGCONT')
  await until(async () => readFileSync(file, 'utf8').includes('run void stopped'))
  t.match(await store.get('long'), { answer: '{"by":"other"}', attempts: 2 })
  const sending = { limit: 10, leaseMs: 60_000, exceptOrigins: [], perOrigin: 10 }
  t.match(await store.claimDeliveries(sending), [{ job: { id: 'long' } }], 'one webhook, with one id')
  for (const child of [stopped, other]) child.process.kill('SIGKILL')
  await Promise.all([stopped.ended, other.ended])
})

test('two nodes on one Redis, one stopped for longer than the lease, the other killed: no accepted job is lost', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.kill())
  const file = join(newDirectory(t), 'said')
  const [first, second] = [
    startChild(t, server.url, file, 'a', 'submit'),
    startChild(t, server.url, file, 'b', 'submit'),
  ]
  await Promise.all([first.signs(), second.signs()])
  first.process.kill('SIGSTOP')
  await pause(LEASE_AND_MORE_MS)
  second.process.kill('SIGKILL')
  first.process.kill('SIGCONT')
  await pause(LIFE_MS)
  first.process.kill('SIGKILL')
  await Promise.all([first.ended, second.ended])
  t.same(await startChild(t, server.url, file, 'last', 'finish').ended, [0, null])
  const { accepted } = checkSaid(t, file)
  t.ok(accepted.length > 50, `${accepted.length} accepted`)
})

/** Resolves when it is so; what fails meanwhile is not so yet. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000
  while (performance.now() < deadlineMs) {
    if (await isSo().catch(() => false)) return
    await pause(10)
  }
  throw new Error('never')
}
