// The cache of answers is put into Redis where the configuration says so, and what becomes of it is logged and counted.
import { test } from 'tap'
import { shareAnswers } from '../../../src/gateway/streams/shared-answers.js'
import { type AnswerCache } from '../../../src/streams/sharing/exact-cache.js'
import { load } from '../../config/sources.js'
import { RedisServer } from '../../helpers/redis.js'
import { until } from '../../helpers/stored-streams.js'

function createLoop(options: object) {
  const { config } = load(JSON.stringify(options))
  const lines: (readonly [object, string])[] = []
  const states: string[] = []
  const calls: string[] = []
  const note = (fields: object, message: string): void => {
    lines.push([fields, message])
  }
  const metrics = {
    redisState: (use: string, isUp: boolean) => states.push(`${use} ${isUp}`),
    redisCall: (use: string, _: number, isOk: boolean) => calls.push(`${use} ${isOk}`),
  }
  const sharing: { cache: AnswerCache | null } = { cache: null }
  const loop = { current: { config, log: { info: note, warn: note } }, ground: { sharing, metrics } }
  return { loop: loop as never, sharing, lines, states, calls }
}

test('by default answers stay in memory, even where Redis has the limits', async (t) => {
  const { loop, sharing } = createLoop({ redis: { url: 'redis://127.0.0.1:1' } })
  await shareAnswers(loop)
  t.equal(sharing.cache, null)
})

test('the cache is Redis before Redis is there; each change is a line and a metric, and so is each call', async (t) => {
  const redis = await RedisServer.start(t)
  await redis.kill()
  const { loop, sharing, lines, states, calls } = createLoop({
    streams: { cacheStore: 'redis' },
    redis: { url: redis.url },
  })
  t.teardown(() => sharing.cache?.close?.())
  await shareAnswers(loop)
  t.equal(await sharing.cache?.get('a', null), null)
  t.same(states, ['cache false'])
  t.match(lines, [[{ reason: /ECONNREFUSED/ }, 'redis unavailable (cache)']])
  await redis.startAgain()
  await until(() => states.length === 2)
  t.match(lines[1], [{}, 'redis available (cache)'])
  t.equal(await sharing.cache?.get('a', null), null)
  t.same(calls, ['cache true'])
})
