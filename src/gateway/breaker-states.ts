// Reports the breakers of an event loop, and the state of a provider over all loops: that of its worst target on any of them.
import { type Config } from '../config/types.js'
import { BREAKER_STATES } from '../routing/breaker.js'
import { type BreakerChange, type Breakers } from '../routing/breakers.js'
import { type ProviderStatus } from '../server/context.js'
import { type Log, type Metrics } from '../telemetry/records.js'

/** Reports the state of each provider on this loop to the metrics. */
export function tellBreakers({ providers }: Pick<Config, 'providers'>, breakers: Breakers, metrics: Metrics): void {
  const worst = breakers.worst()
  for (const { name } of providers) metrics.breakerState(name, BREAKER_STATES.indexOf(worst.get(name) ?? 'closed'))
}

/** One line per change, so that the log shows when a target was taken out and when it returned. */
export function logBreaker(log: Pick<Log, 'info' | 'warn'>, { target, state, error, waitMs }: BreakerChange): void {
  const where = { target: `${target.provider}/${target.model}` }
  if (state === 'closed') log.info(where, 'breaker closed')
  else if (state !== 'open') log.info(where, 'breaker half-open')
  else log.warn({ ...where, code: error?.code ?? null, reason: error?.message ?? null, waitMs }, 'breaker open')
}

/** `states`: by provider, from the metrics of all loops. */
export function providerStatuses(
  { providers }: Pick<Config, 'providers'>,
  states: ReadonlyMap<string, number>,
): ProviderStatus[] {
  return providers.map(({ name }) => {
    return { name, configured: true, breaker: BREAKER_STATES[states.get(name) ?? 0] ?? 'closed' }
  })
}
