// Two gateways and one Redis, all processes of their own: one bucket between them, and what becomes of it when Redis dies,
// comes back or hangs.
import { test } from 'tap'
import { Pool, request } from 'undici'
import { type Running, startGateway, type Teardown } from '../helpers/gateway.js'
import { startHeldUpstream } from '../helpers/held-upstream.js'
import { parsePage, sampleValue } from '../helpers/prometheus.js'
import { connectRedis, RedisServer } from '../helpers/redis.js'

const KEY = 'team-a-key-0123456789abcdef'
/** Of the built-in simulator, which takes a twentieth of a second for it. */
const BODY = JSON.stringify({ model: 'sim/lorem-1', messages: [{ role: 'user', content: 'x' }] })
const CONNECTIONS = 100

type Options = {
  readonly redis: RedisServer
  readonly limits?: object
  readonly keyLimits?: object
  readonly count: number
}

async function startNodes(t: Teardown, { redis, limits = {}, keyLimits = {}, count }: Options): Promise<Running[]> {
  const config = {
    redis: { url: redis.url },
    // A busy machine may be slow; that is no reason to refuse anybody here.
    limits: { concurrency: null, shed: { lagMs: null }, ...limits },
    keys: [{ name: 'team-a', key: KEY, limits: keyLimits }],
  }
  return await Promise.all(Array.from({ length: count }, () => startGateway(t, { config })))
}

function poolOf(t: Teardown, { origin }: Running): Pool {
  const pool = new Pool(origin, { connections: CONNECTIONS })
  t.teardown(() => pool.destroy())
  return pool
}

const CHAT = {
  method: 'POST',
  path: '/v1/chat/completions',
  headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
  body: BODY,
} as const

async function ask(pool: Pool): Promise<number> {
  const { statusCode, body } = await pool.request(CHAT)
  await body.dump()
  return statusCode
}

/** Asks until the answer has this status; each answer before it is one of the other. */
async function askUntil(pool: Pool, status: number): Promise<Set<number>> {
  const seen = new Set<number>()
  const deadlineMs = performance.now() + 10_000
  while (performance.now() < deadlineMs) {
    const found = await ask(pool)
    if (found === status) return seen
    seen.add(found)
  }
  throw new Error(`no ${status}, but ${[...seen]}`)
}

async function redisUp({ origin }: Running): Promise<number | null> {
  const { body } = await request(`${origin}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
  return sampleValue(parsePage(await body.text()).samples, 'sluice_redis_up', { use: 'limits' })
}

/** What the log says of Redis. */
function words(node: Running): string[] {
  return node.lines.flatMap(({ msg }) => (/redis (?:un)?available/.exec(msg ?? '') ?? []).slice(0, 1))
}

/** On a machine that is busy enough a Redis is away for a moment, and then nobody promises anything: such a try says nothing. */
const TRIES = 3

test('2,000 requests at once to two gateways with a bucket of 500 between them: 500 are admitted', async (t) => {
  for (let tries = 1; tries <= TRIES; tries++) {
    const redis = await RedisServer.start(t)
    const nodes = await startNodes(t, { redis, keyLimits: { requestsPerMinute: 500 }, count: 2 })
    const pools = nodes.map((node) => poolOf(t, node))
    const startedMs = performance.now()
    const asking = Array.from({ length: 2000 }, (_, i) => ask(pools[i % 2] as Pool))
    const statuses = await Promise.all(asking)
    const refilled = Math.ceil(((performance.now() - startedMs) * 500) / 60_000)
    const { headers, body } = await (pools[0] as Pool).request(CHAT)
    await body.dump()
    if (tries < TRIES && nodes.some((node) => words(node).includes('redis unavailable'))) continue
    const admitted = statuses.filter((status) => status === 200).length
    t.ok(admitted >= 500 && admitted <= 500 + refilled, `${admitted} admitted, ${refilled} refilled meanwhile`)
    t.equal(statuses.filter((status) => status === 429).length, 2000 - admitted)
    t.match(headers, { 'x-ratelimit-limit-requests': '500', 'x-ratelimit-remaining-requests': /^\d$/ })
    for (const node of nodes) {
      t.same(words(node), ['redis available'])
      t.equal(node.complaints, '')
    }
    return
  }
})

test('with onRedisDown local no request fails while Redis is killed, restarted or stopped', async (t) => {
  const redis = await RedisServer.start(t)
  const [node] = (await startNodes(t, { redis, limits: { concurrency: 50 }, count: 1 })) as [Running]
  const pool = poolOf(t, node)
  let isOver = false
  const statuses = new Set<number>()
  const traffic = Array.from({ length: 5 }, async () => {
    while (!isOver) statuses.add(await ask(pool))
  })
  const hears = (word: string, times: number) =>
    node.logLine(
      ({ msg }) => msg?.includes(word) === true && words(node).filter((each) => each.includes(word)).length === times,
    )
  t.equal(await redisUp(node), 1)
  await redis.kill()
  await hears('redis unavailable', 1)
  t.equal(await redisUp(node), 0)
  await redis.startAgain()
  await hears('redis available', 2)
  redis.pause()
  t.teardown(() => redis.resume())
  await hears('redis unavailable', 2)
  redis.resume()
  await hears('redis available', 3)
  t.equal(await redisUp(node), 1)
  isOver = true
  await Promise.all(traffic)
  t.same(statuses, new Set([200]))
  t.equal(words(node).length, 5, 'one line at each change')
  t.equal(await node.stop(), 0)
  t.notMatch(node.errorOutput, /rejection|Error/, 'no rejection went unhandled')
})

test('with onRedisDown closed requests are 503 while Redis is down, and none before and after', async (t) => {
  const redis = await RedisServer.start(t)
  const [node] = (await startNodes(t, { redis, limits: { concurrency: 50, onRedisDown: 'closed' }, count: 1 })) as [
    Running,
  ]
  const pool = poolOf(t, node)
  t.equal(await ask(pool), 200)
  await redis.kill()
  t.same(await askUntil(pool, 503), new Set())
  const { statusCode, headers, body } = await pool.request(CHAT)
  t.equal(statusCode, 503)
  t.ok(headers['retry-after'])
  t.match(await body.json(), { error: { code: 'overloaded', message: /limits of this gateway cannot be checked/ } })
  await redis.startAgain()
  t.same(await askUntil(pool, 200), new Set([503]))
  redis.pause()
  t.teardown(() => redis.resume())
  const startedMs = performance.now()
  t.same(await askUntil(pool, 503), new Set())
  t.ok(performance.now() - startedMs < 10_000, 'a hung Redis holds up no request for long')
  redis.resume()
  t.same(await askUntil(pool, 200), new Set([503]))
  t.equal(node.complaints, '')
})

test('the first request of a key waits for one slow request of another to end, on whichever node it waits', async (t) => {
  const redis = await RedisServer.start(t)
  const upstream = await startHeldUpstream(t)
  const other = 'team-b-key-0123456789abcdef'
  const config = {
    redis: { url: redis.url },
    limits: { concurrency: 4, queue: { max: 20, timeoutMs: 120_000 }, shed: { lagMs: null } },
    keys: [
      { name: 'team-a', key: KEY },
      { name: 'team-b', key: other },
    ],
    providers: { held: { protocol: 'openai-chat', baseUrl: `${upstream.origin}/v1`, apiKey: 'sk-upstream' } },
  }
  const nodes = await Promise.all([startGateway(t, { config }), startGateway(t, { config })])
  const [north, south] = nodes as [Running, Running]
  const pools = { north: poolOf(t, north), south: poolOf(t, south) }
  const askAs = async (pool: Pool, key: string, content: string): Promise<number> => {
    const { statusCode, body } = await pool.request({
      ...CHAT,
      headers: { ...CHAT.headers, authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'held/m', messages: [{ role: 'user', content }] }),
    })
    await body.dump()
    return statusCode
  }
  const arrived = async (node: Running, count: number) => {
    const pattern = new RegExp(`^sluice_active_requests ${count}$`, 'm')
    t.match(await node.metricsWith([pattern], CHAT.headers), pattern)
  }
  const greedy = Array.from({ length: 24 }, (_, i) => askAs(i % 2 ? pools.north : pools.south, KEY, 'greedy'))
  await arrived(north, 12)
  await arrived(south, 12)
  const served = [await upstream.next(), await upstream.next(), await upstream.next(), await upstream.next()]
  const first = askAs(pools.south, other, 'other')
  await arrived(south, 13)
  // Redis knows that it waits.
  const client = connectRedis(redis.url)
  for (let waiting: string[] = []; !waiting.some((name) => name.endsWith(' key:team-b')); ) {
    waiting = await client.zrange('{sluice}:waiting', '0', '-1')
  }
  client.disconnect()
  served.shift()?.say('done')
  const next = await upstream.next()
  t.match(JSON.stringify(next.body.messages), /other/, 'the next turn is not the greedy key’s')
  next.say('done')
  t.equal(await first, 200)
  for (const held of served) held.say('done')
  for (let left = 20; left > 0; left--) (await upstream.next()).say('done')
  t.same(
    (await Promise.all(greedy)).filter((status) => status !== 200),
    [],
  )
})
