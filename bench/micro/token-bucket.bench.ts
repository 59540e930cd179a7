// How long does a limiter decision take on the uncontended path? Limits of the gateway and of the key are both on.
// Beside it: the clock alone, which is part of each decision.
import { createLimiter, createLimiterCells, type LimiterConfig } from '../../src/limit/local/cells.js'
import { measure, printTable } from './measure.js'

/** So high that no take is refused. */
const LIMITS = { requestsPerMinute: 1e12, tokensPerMinute: 1e14, concurrency: 1000 }
const config: LimiterConfig = {
  limits: { ...LIMITS, queue: { max: 100, timeoutMs: 1000 } },
  keys: [{ limits: LIMITS }],
  models: [],
  providers: [{ limits: { concurrency: 1000 } }],
}
const limiter = createLimiter(config, createLimiterCells(config))
const waiter = { keyIndex: 0, onEntered() {}, onRefused() {} }

printTable('limiter decision', [
  measure('clock alone', () => process.hrtime.bigint()),
  measure('takeRequest', () => limiter.takeRequest(0)),
  measure('enter + leave', () => {
    limiter.enter(0, waiter)
    limiter.leave(0)
  }),
  measure('reserveTokens + settleTokens', () => {
    limiter.reserveTokens(0, 900)
    limiter.settleTokens(0, 900, 700)
  }),
])
