// Budgets that several nodes spend from: whether there are others, and what the log and the metrics say of Redis.
import { type ClaimsNews } from '../../accounts/budgets/shared/node-claims.js'
import { type AccountsStore } from '../../accounts/store.js'
import { type Config } from '../../config/types.js'
import { type LoopMetrics } from '../../telemetry/metrics/metrics.js'
import { type Log } from '../../telemetry/records.js'

/** Others may spend from the budgets of the same database, and Redis knows how much. */
export function sharesBudgets({ accounts, redis }: Config): boolean {
  return accounts.store === 'postgres' && !accounts.singleNode && redis.url !== null
}

/** Of one event loop; `current`: changes with a reload. */
export type ClaimsWatcher = {
  readonly ground: { readonly metrics: Pick<LoopMetrics, 'redisCall' | 'redisState' | 'budgetDebt'> }
  readonly current: { readonly log: Pick<Log, 'info' | 'warn'>; readonly config: Pick<Config, 'budgets'> }
}

/** Writes it down, on one event loop of the process. */
export function noteClaims(loop: ClaimsWatcher, store: Pick<AccountsStore, 'onClaims'>): void {
  const { metrics } = loop.ground
  store.onClaims(({ state, calls, debtNano }: ClaimsNews) => {
    for (const { seconds, isOk } of calls) metrics.redisCall('budgets', seconds, isOk)
    if (debtNano > 0) metrics.budgetDebt(debtNano)
    if (state === null) return
    const { log, config } = loop.current
    metrics.redisState('budgets', state.isUp)
    if (state.isUp) log.info({}, 'redis available (budgets)')
    else log.warn({ ...config.budgets, reason: state.reason }, 'redis unavailable (budgets)')
  })
}
