// What an attempt needs before it may begin: a dialect that speaks to its target, and a slot of the provider and of the target.
import { GatewayError } from '../errors.js'
import { type Limiter } from '../limit/limiter.js'
import { type Permit } from '../routing/breaker.js'
import { type RouteTarget } from '../routing/router.js'
import { Attempt } from './attempt.js'
import { type Exchange } from './exchange.js'

/** A target, and the right to try it that its breaker gave. */
export type Right = { readonly routed: RouteTarget; readonly permit: Permit }

/**
 * The attempt holds the slot and the permit from here on; without an attempt the permit has gone back.
 * @throws misconfigured without a dialect
 * @throws overloaded when the provider or the target is at its concurrency limit
 */
export function openAttempt(exchange: Exchange, { routed, permit }: Right): Attempt {
  const { limiter, metrics, dialects, breakers } = exchange.parts
  const { name } = routed.provider
  const dialect = dialects.get(routed.target.protocol)
  if (dialect !== undefined && enter(limiter, routed)) return new Attempt(exchange, { routed, dialect, permit })
  breakers.giveBack(routed.target, permit)
  if (dialect === undefined) throw new GatewayError('misconfigured', { message: `No dialect for ${name}.` })
  metrics.limitRejection('provider', 'concurrency')
  throw new GatewayError('overloaded', { message: `Provider ${name} is at its concurrency limit.` })
}

/** Both or none. */
function enter(limiter: Limiter, { providerIndex, slot }: RouteTarget): boolean {
  if (!limiter.enterProvider(providerIndex)) return false
  if (slot < 0 || limiter.enterTarget(slot)) return true
  limiter.leaveProvider(providerIndex)
  return false
}
