// Streams are joined to Redis where the configuration says so, and what becomes of it is logged and counted.
import { test } from 'tap'
import { drainLimits, shareStreams } from '../../../src/gateway/streams/shared-streams.js'
import { type Elsewhere } from '../../../src/streams/kept/registry.js'
import { load } from '../../config/sources.js'
import { connectRedis, RedisServer } from '../../helpers/redis.js'
import { until } from '../../helpers/stored-streams.js'

function createLoop(url: string | null) {
  const store = url === null ? {} : { streams: { store: 'redis', tokenSecret: 'x'.repeat(16) }, redis: { url } }
  const { config } = load(JSON.stringify(store))
  const joined: Elsewhere[] = []
  const lines: (readonly [object, string])[] = []
  const states: string[] = []
  const note = (fields: object, message: string): void => {
    lines.push([fields, message])
  }
  const metrics = {
    redisState: (use: string, isUp: boolean) => states.push(`${use} ${isUp}`),
    redisCall: () => undefined,
    streamStored: () => undefined,
  }
  const loop = {
    current: { config, log: { info: note, warn: note } },
    ground: { keptStreams: { join: (elsewhere: Elsewhere) => joined.push(elsewhere) }, metrics },
  }
  return { loop: loop as never, config, joined, lines, states }
}

test('streams in memory alone are joined to nothing, and drain like all others', async (t) => {
  const { loop, config, joined } = createLoop(null)
  await shareStreams(loop)
  t.same(joined, [])
  t.same(drainLimits(config), { drainMs: 25_000, sharedMs: 25_000 })
})

test('streams in Redis are joined before it is there; each change is a line and a metric', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const { loop, config, joined, lines, states } = createLoop(redis.url)
  t.teardown(() => joined[0]?.close(0))
  await shareStreams(loop)
  t.same([joined.length, states], [1, ['streams false']])
  t.match(lines, [[{ reason: /ECONNREFUSED/ }, 'redis unavailable (streams)']])
  await redis.startAgain()
  await until(() => states.length === 2)
  t.match(lines[1], [{}, 'redis available (streams)'])
  t.same(drainLimits(config), { drainMs: 25_000, sharedMs: 600_000 })
  const client = connectRedis(redis.url)
  t.equal((await client.keys('{sluice}:streams:node:*')).length, 1, 'and it has a lease')
  client.disconnect()
})
