// The generations of one event loop: a reload replaces the current one, which remains while it has exchanges. Exchanges of
// removed keys can be ended at once: server.endRequestsOfRemovedKeys.
import { type SlotTable } from '../config/live/slot-table.js'
import { type Config } from '../config/types.js'
import { type DrainablePipeline } from '../pipeline/lifecycle.js'
import { isClosedAccount, type OutsideEnds } from '../pipeline/outside-ends.js'
import { type Server } from '../server/app.js'
import { reopenLog } from '../telemetry/log/log.js'
import { startLagSampler } from '../telemetry/metrics/lag.js'
import { tellBreakers } from './breaker-states.js'
import { CLOCK } from './clock.js'
import { createGeneration, reachableProviders, withKnownProviders } from './generation.js'
import { type Loop, metricsConfig } from './loop.js'

/** How often polled gauges are read and ended generations are released. */
const TEND_EVERY_MS = 1000
/** A generation without exchanges may still get one, from a request whose body was on its way when it was replaced. */
const RETIRED_FOR_MS = 30_000

/** Replaces the current generation by a new one; the old one remains as long as it has exchanges. */
export function renew(loop: Loop, config: Config, ledger: SlotTable): void {
  const next = createGeneration(withKnownProviders(config, loop.current.config), ledger, loop.ground)
  const names = metricsConfig(config, ledger)
  loop.ground.metrics.adopt(names)
  loop.scrape.adopt(names)
  loop.ground.breakers.adopt(next.config.routing.breaker)
  loop.retired.push({ ...loop.current, sinceMs: CLOCK.nowMs() })
  loop.current = next
  endOfRemovedKeys(loop.retired, next.config)
}

/** The exchanges of all generations; a reload during a drain may add one. */
export function pipelinesOf(loop: Loop): () => DrainablePipeline[] {
  return () => [loop.current, ...loop.retired].map(({ pipeline }) => pipeline)
}

/** Ends them in the pipelines of earlier configurations. Keys are identified by their value: a renamed one continues. */
export function endOfRemovedKeys(
  earlier: readonly { readonly pipeline: Pick<OutsideEnds, 'endOf'> }[],
  next: Config,
): void {
  if (!next.server.endRequestsOfRemovedKeys) return
  const known = new Set(next.keys.map(({ keySha256 }) => keySha256))
  // A request from before any keys were configured has no key that could be removed.
  for (const { pipeline } of earlier) pipeline.endOf(({ owner }) => owner !== null && !known.has(owner))
}

/** Ends what must end as soon as a key of the database changes. Several changes of one turn are one look. */
export function watchAccounts(loop: Loop, server: Pick<Server, 'closeOf'>): void {
  let isDue = false
  loop.accounts?.subscribe(() => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      endOfClosedAccounts(loop, server)
    })
  })
}

/**
 * Ends the requests, and closes the sockets, of keys of the database that were deleted or disabled, or have expired. New ones are refused
 * without it.
 */
function endOfClosedAccounts({ current, retired, ground: { accounts } }: Loop, server: Pick<Server, 'closeOf'>): void {
  if (accounts === null || !current.config.server.endRequestsOfRemovedKeys) return
  for (const { pipeline } of [current, ...retired]) pipeline.endOfClosedAccounts()
  server.closeOf(({ account, index }) => account !== undefined && isClosedAccount(accounts, index))
}

/** Reads gauges, and releases generations that have ended and the connections that only they used. */
export function tend(loop: Loop, server: Pick<Server, 'closeOf'>): void {
  const { metrics, pools, shedder } = loop.ground
  startLagSampler((worstSec, sample) => {
    metrics.eventLoopLag(worstSec)
    shedder.sample(sample, loop.current.config.limits.shed.lagMs)
  })
  setInterval(() => {
    void loop.jobs.count()
    tendAccounts(loop, server)
    void reopenLog(loop.ground.logDestination, loop.current.log, 'reopenIfMoved')
    const { current, retired } = loop
    tellBreakers(current.config, loop.ground.breakers, metrics)
    const providers = [current, ...retired].flatMap(({ config }) => config.providers)
    const busy = retired.filter(({ pipeline }) => pipeline.openCount() > 0)
    pools.keep(new Set([current, ...busy].flatMap(({ config }) => reachableProviders(config))))
    loop.retired = retired.filter((one) => busy.includes(one) || CLOCK.nowMs() - one.sinceMs < RETIRED_FOR_MS)
    for (const name of new Set(providers.map((provider) => provider.name))) {
      const { open, busy: running } = pools.stats({ name })
      metrics.upstreamConnections(name, open, running)
    }
  }, TEND_EVERY_MS).unref()
}

/** Keys expire without a message. */
function tendAccounts(loop: Loop, server: Pick<Server, 'closeOf'>): void {
  const { accounts, budgets, metrics } = loop.ground
  if (accounts === null) return
  metrics.accountsState(!accounts.standing.isAway, budgets?.journalBytes ?? 0)
  endOfClosedAccounts(loop, server)
  loop.rollupWriter?.write()
  const uses = accounts.takeUses()
  if (uses.length > 0) loop.accounts?.noteUsed(uses)
}
