// Connects the kept streams of one event loop to Redis, where the configuration says so; otherwise nothing of it is loaded.
import { type Config } from '../../config/types.js'
import { type SharedStreamsOptions } from '../../streams/redis/shared-streams.js'
import { CLOCK } from '../clock.js'
import { type Loop } from '../loop.js'

/** The part of a loop that is needed. */
type Sharing = Pick<Loop, 'current'> & { readonly ground: Pick<Loop['ground'], 'keptStreams' | 'metrics'> }

/** Resolves within a second, with or without Redis: streams do not wait for it. */
export async function shareStreams(loop: Sharing): Promise<void> {
  const { streams, redis } = loop.current.config
  if (streams.store !== 'redis' || redis.url === null) return
  const { SharedStreams } = await import('../../streams/redis/shared-streams.js')
  const shared = new SharedStreams(optionsOf(loop, redis.url))
  loop.ground.keptStreams.join(shared)
  await shared.start()
}

/** How long a drain may take: longer where other nodes serve the clients of streams that go on here. */
export function drainLimits({ server, streams }: Config): { readonly drainMs: number; readonly sharedMs: number } {
  const { drainMs } = server
  return { drainMs, sharedMs: streams.store === 'redis' ? Math.max(drainMs, streams.drainMs) : drainMs }
}

function optionsOf(loop: Sharing, url: string): SharedStreamsOptions {
  const { metrics } = loop.ground
  return {
    url,
    nowMs: CLOCK.nowMs,
    keepaliveMs: () => loop.current.config.server.keepaliveMs,
    onCall: (seconds, isOk) => metrics.redisCall('streams', seconds, isOk),
    onOver: (result) => metrics.streamStored(result),
    onForgotten: (id) => loop.ground.keptStreams.drop(id),
    onState(isUp, cause) {
      metrics.redisState('streams', isUp)
      const reason = cause instanceof Error ? cause.message : null
      if (isUp) loop.current.log.info({}, 'redis available (streams)')
      else loop.current.log.warn({ reason }, 'redis unavailable (streams)')
    },
    onRefusal(reason) {
      if (reason === null) loop.current.log.info({}, 'redis stores streams again')
      else loop.current.log.warn({ reason }, 'redis refuses to store streams')
    },
  }
}
