// One event loop's part in the limits that all nodes share, and what is told of it.
import { type Config } from '../config/types.js'
import { SharedState } from '../limit/shared/shared-state.js'
import { type LoopMetrics } from '../telemetry/metrics/metrics.js'
import { type Generation } from './generation.js'

/** The limits that all nodes share, on this loop's own connection; null where there is one node alone. */
export function createSharedLimits(
  { redis: { url } }: Config,
  metrics: LoopMetrics,
  current: () => Generation,
): SharedState | null {
  if (url === null) return null
  const onState = (isUp: boolean, cause: unknown): void => {
    metrics.redisState('limits', isUp)
    const { config, log } = current()
    const { onRedisDown } = config.limits
    const reason = cause instanceof Error ? cause.message : null
    if (isUp) log.info({}, 'limits are shared: Redis is there')
    else log.warn({ onRedisDown, reason }, 'limits are not shared: Redis is away')
  }
  const onCall = (seconds: number, isOk: boolean): void => metrics.redisCall('limits', seconds, isOk)
  return new SharedState({ url, onState, onCall, nowNs: process.hrtime.bigint })
}
