// Two gateways and one Redis: one queue between them; and what becomes of it when Redis dies and comes back, or a gateway does.
import { test } from 'tap'
import { startGateway, type Teardown } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { JobClient } from '../helpers/job-client.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'
import { startReceiver } from '../helpers/webhook-receiver.js'

async function setUp(t: Teardown, redis: RedisServer, threads = 1) {
  const upstream = await startHeldUpstream(t)
  const config = {
    server: { drainMs: 500, drainGraceMs: 0, threads },
    providers: { up: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1` } },
    redis: { url: redis.url },
    jobs: { store: 'redis', concurrency: 2, webhook: { allowInsecure: true, allowPrivateNetworks: true } },
  }
  const start = () => startGateway(t, { config })
  return { upstream, start }
}

const CHAT = { model: 'up/m', messages: [{ role: 'user', content: 'x' }] }

test('either node runs and reports the jobs of both; webhooks are sent once', async (t) => {
  const redis = await RedisServer.start(t)
  const { upstream, start } = await setUp(t, redis, 2)
  const gateways = [await start(), await start()]
  const [one, two] = gateways.map((gateway) => new JobClient(gateway)) as [JobClient, JobClient]
  const receiver = await startReceiver(t)
  const ids: string[] = []
  // Over connections of their own, which the kernel spreads over the event loops.
  const webhookUrl = receiver.url
  for (let i = 0; i < 4; i++) ids.push(await one.submit({ ...CHAT, webhookUrl }, { connection: 'close' }))
  const held = [await upstream.next(), await upstream.next(), await upstream.next(), await upstream.next()]
  t.equal(upstream.count, 4, 'two at once on each')
  for (const each of held) each.say('done')
  for (const id of ids) t.match(await two.until(id), { status: 'completed' })
  await receiver.until(4)
  t.same(receiver.received.map(({ headers }) => headers['webhook-id']).sort(), [...ids].sort())
  for (const gateway of gateways) await gateway.logLine(({ result }) => result === 'completed')
})

test('while Redis is down jobs are 503 and live chats continue; afterwards work resumes', async (t) => {
  const redis = await RedisServer.start(t, ['--appendonly', 'yes', '--appendfsync', 'always'])
  const { upstream, start } = await setUp(t, redis)
  const gateway = await start()
  const client = new JobClient(gateway)
  const id = await client.submit(CHAT)
  const waiting = [await client.submit(CHAT), await client.submit(CHAT)]
  const running = await upstream.next()
  const second = await upstream.next()
  await redis.kill()
  await gateway.logLine(({ msg }) => msg === 'redis unavailable (jobs)')
  const refused = await client.post(CHAT, { prefer: 'respond-async' })
  t.equal(refused.status, 503)
  t.ok(refused.headers['retry-after'])
  const live = client.post(CHAT)
  ;(await upstream.next()).say('live')
  t.equal((await live).status, 200, 'live traffic is untouched')
  running.say('while it was away')
  await redis.startAgain()
  await gateway.logLine(({ msg, time }) => msg === 'redis available (jobs)' && time !== undefined)
  t.match(await client.until(id), { status: 'completed' }, 'told as soon as it is back')
  second.say('b')
  ;(await upstream.next()).say('c')
  for (const each of waiting) t.match(await client.until(each), { status: 'completed' })
  const page = await (await fetch(`${gateway.origin}/metrics`)).text()
  t.match(page, /sluice_redis_up\{use="jobs"\} 1/)
  t.match(page, /sluice_redis_seconds_count\{use="jobs"\} \d/)
})

test('a gateway that stops releases its jobs, and the other runs them', async (t) => {
  const redis = await RedisServer.start(t)
  const { upstream, start } = await setUp(t, redis)
  const first = await start()
  const id = await new JobClient(first).submit(CHAT)
  const held = await upstream.next()
  const second = await start()
  const stopping = first.stop()
  await held.gone
  ;(await upstream.next()).say('by the other')
  t.match(await new JobClient(second).until(id), { status: 'completed' })
  t.equal(await stopping, 0)
  const run = await second.logLine(({ job }) => job === id)
  t.match(run, { result: 'completed', attempts: 1 }, 'the run that was broken off is not counted')
})

test('a full store is 507 and accepts nothing; live chats continue, and jobs resume once there is room', async (t) => {
  const redis = await RedisServer.start(t, ['--maxmemory-policy', 'noeviction'])
  const { upstream, start } = await setUp(t, redis)
  const client = new JobClient(await start())
  const admin = connectRedis(redis.url)
  t.teardown(() => admin.disconnect())
  await admin.config('SET', 'maxmemory', '1')
  const refused = await client.post(CHAT, { prefer: 'respond-async' })
  t.equal(refused.status, 507)
  t.match(refused.body, { error: { code: 'storage_full' } })
  const live = client.post(CHAT)
  ;(await upstream.next()).say('live')
  t.equal((await live).status, 200)
  await admin.config('SET', 'maxmemory', '0')
  t.match((await client.list()).body, { data: [] })
  const id = await client.submit(CHAT)
  ;(await upstream.next()).say('at last')
  t.match(await client.until(id), { status: 'completed' })
})
