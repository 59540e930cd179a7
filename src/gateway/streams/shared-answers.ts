// Puts the cache of answers of one event loop into Redis, where the configuration says so; otherwise nothing of it is loaded.
import { type AnswerStoreOptions } from '../../streams/redis/answer-store.js'
import { type Loop } from '../loop.js'

/** The part of a loop that is needed. */
type Caching = Pick<Loop, 'current'> & { readonly ground: Pick<Loop['ground'], 'sharing' | 'metrics'> }

/** Resolves within a second, with or without Redis: requests do not wait for it. */
export async function shareAnswers(loop: Caching): Promise<void> {
  const { streams, redis } = loop.current.config
  if (streams.cacheStore !== 'redis' || redis.url === null) return
  const { AnswerStore } = await import('../../streams/redis/answer-store.js')
  const store = new AnswerStore(optionsOf(loop, redis.url))
  loop.ground.sharing.cache = store
  await store.start()
}

function optionsOf(loop: Caching, url: string): AnswerStoreOptions {
  const { metrics } = loop.ground
  return {
    url,
    onCall: (seconds, isOk) => metrics.redisCall('cache', seconds, isOk),
    onState(isUp, cause) {
      metrics.redisState('cache', isUp)
      const reason = cause instanceof Error ? cause.message : null
      if (isUp) loop.current.log.info({}, 'redis available (cache)')
      else loop.current.log.warn({ reason }, 'redis unavailable (cache)')
    },
    onRefusal(reason) {
      if (reason === null) loop.current.log.info({}, 'redis stores answers again')
      else loop.current.log.warn({ reason }, 'redis refuses to store answers')
    },
  }
}
