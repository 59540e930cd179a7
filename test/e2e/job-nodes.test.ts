// Two gateways on one Redis, each a process of its own: one is stopped (SIGSTOP) for longer than its lease and goes on as if
// nothing had been, or is killed. The other takes its jobs over, the late finisher is refused, and no accepted job is lost.
import tap, { test } from 'tap'
import { simulatedProviders, startGateway, startSimulator } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'
import { JobLedger, pause } from '../helpers/job-ledger.js'
import { RedisServer } from '../helpers/redis.js'
import { startReceiver } from '../helpers/webhook-receiver.js'

const ROUNDS = Number(process.env.SOAK_ROUNDS ?? 2)
/** Long enough that a gateway on a busy machine keeps its own. */
const LEASE_MS = 3000
const SHORT_LEASE_MS = 1000
const LEASE_AND_MORE_MS = SHORT_LEASE_MS + 700
const LONGEST_LIFE_MS = 250
/** For the file as well: a busy machine takes seconds for a start. */
const PATIENCE_MS = 240_000 + ROUNDS * 20_000

tap.setTimeout(PATIENCE_MS)

function configOf(redis: RedisServer, providers: object, jobs: object) {
  const webhook = { allowInsecure: true, allowPrivateNetworks: true, timeoutMs: 1000 }
  return { providers, redis: { url: redis.url }, jobs: { store: 'redis', attempts: 100, webhook, ...jobs } }
}

test('stopped for longer than its lease: the other takes over, and the late answer is refused', async (t) => {
  const redis = await RedisServer.start(t)
  const upstream = await startHeldUpstream(t)
  const receiver = await startReceiver(t)
  const providers = { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } }
  const config = configOf(redis, providers, { leaseMs: LEASE_MS })
  const stopped = await startGateway(t, { config })
  const messages = [{ role: 'user', content: 'x' }]
  const id = await new JobClient(stopped).submit({ model: 'up/m', webhookUrl: receiver.url, messages })
  const first = await upstream.next()
  stopped.child.kill('SIGSTOP')
  const other = await startGateway(t, { config })
  const taken = await upstream.next()
  // It finds this beside its lost lease when it goes on.
  first.say('late')
  taken.say('by the other')
  const client = new JobClient(other)
  const status = await client.until(id)
  t.match(status, { status: 'completed', response: { choices: [{ message: { content: 'by the other' } }] } })
  await receiver.until(1)
  stopped.child.kill('SIGCONT')
  await stopped.logLine(({ job, result }) => job === id && result === 'void')
  t.same((await client.status(id)).response, status.response, 'the late answer changed nothing')
  t.match((await client.list()).body, { data: [{ request_id: id, status: 'completed', attempts: 2 }] })
  t.same(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])), new Set([id]))
  t.match(await new JobClient(stopped).post({ model: 'up/m', messages }, { prefer: 'respond-async' }), { status: 202 })
})

test(`two gateways, one stopped and one killed, ${ROUNDS} times over: no accepted job is lost`, {
  timeout: PATIENCE_MS,
}, async (t) => {
  const redis = await RedisServer.start(t)
  const simulator = await startSimulator(t, ['--tokens-per-second', '200'])
  const receiver = await startReceiver(t)
  const jobs = { concurrency: 16, leaseMs: SHORT_LEASE_MS }
  const config = configOf(redis, simulatedProviders(simulator.origin), jobs)
  const ledger = new JobLedger({ model: 'openai/lorem-20', receiver })
  const begin = async () => {
    const gateway = await startGateway(t, { config })
    return { gateway, ...ledger.submit(gateway) }
  }
  let [paused, killed] = [await begin(), await begin()]
  for (let round = 1; round <= ROUNDS; round++) {
    await Promise.all([paused.begun, killed.begun])
    await pause(Math.random() * LONGEST_LIFE_MS)
    paused.gateway.child.kill('SIGSTOP')
    await pause(LEASE_AND_MORE_MS)
    // With what the other has left behind: the one that was stopped is alone with both their jobs.
    await killed.gateway.stop('SIGKILL')
    paused.gateway.child.kill('SIGCONT')
    await killed.done
    t.comment(`round ${round}: ${ledger.count} accepted, ${receiver.received.length} webhooks`)
    ;[paused, killed] = [await begin(), paused]
  }
  ledger.stop()
  await Promise.all([paused.done, killed.done])
  const attempts = await ledger.check(t, new JobClient(killed.gateway))
  t.ok(
    attempts.some((each) => each > 1),
    'what was broken off ran again, and its attempts tell',
  )
})
