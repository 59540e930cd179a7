// What an attempt needs before it may start: a dialect for its target, and a slot of the provider and of the target.
import { type BudgetSet } from '../../accounts/budgets/types.js'
import { GatewayError } from '../../errors.js'
import { type Limiter } from '../../limit/limiter.js'
import { targetName } from '../../model/target.js'
import { type Dialect } from '../../protocols/contract/protocol.js'
import { type Permit } from '../../routing/breaker.js'
import { type RouteTarget } from '../../routing/router.js'
import { Attempt } from '../attempt/attempt.js'
import { lacksPrice } from '../delivery/cost.js'
import { type ExchangeView } from '../exchange.js'
import { type Hold } from '../spending/hold.js'
import { budgetsUnavailable, reserve } from './reserve.js'

/** A target, and its breaker's permit to try it. */
export type Right = { readonly routed: RouteTarget; readonly permit: Permit }

/**
 * Synchronous, unless the slot is shared with other nodes, or a budget holds: then its reservation is written down first, and
 * other nodes may have to be asked for it. The attempt holds slot and permit from here on; without an attempt the permit is returned.
 * @throws misconfigured without a dialect, or without a price where one is required
 * @throws budget_exceeded where its budgets cannot pay it; storage_unavailable where that cannot be written down
 * @throws overloaded when the provider or the target is at its concurrency limit
 */
export function openAttempt(exchange: ExchangeView, right: Right): Attempt | Promise<Attempt> {
  const { limiter, dialects, breakers } = exchange.context
  const { routed } = right
  const { target } = routed
  const dialect = dialects.get(routed.target.protocol)
  if (dialect === undefined) {
    breakers.giveBack(routed.target, right.permit)
    throw new GatewayError('misconfigured', { message: `No dialect for ${routed.provider.name}.` })
  }
  if (lacksPrice(exchange, routed)) {
    breakers.giveBack(routed.target, right.permit)
    throw new GatewayError('misconfigured', {
      message: `No price is known for ${targetName(target.provider, target.model)}; this gateway serves only models with a price.`,
    })
  }
  const entering = limiter.enterProvider(routed.providerIndex)
  if (!(entering instanceof Promise)) return begin(exchange, right, { dialect, isIn: entering })
  return entering.then(
    (isIn) => begin(exchange, right, { dialect, isIn }),
    (thrown: unknown) => {
      breakers.giveBack(routed.target, right.permit)
      throw thrown
    },
  )
}

/** `isIn`: the provider's slot is held. */
type Entry = { readonly dialect: Dialect; readonly isIn: boolean }

function begin(
  exchange: ExchangeView,
  { routed, permit }: Right,
  { dialect, isIn }: Entry,
): Attempt | Promise<Attempt> {
  const { limiter, metrics, breakers } = exchange.context
  if (isIn && enterTarget(limiter, routed)) {
    const attempt = new Attempt(exchange, { routed, dialect, permit })
    return exchange.budgets === null ? attempt : fund(exchange, exchange.budgets, { attempt, routed })
  }
  breakers.giveBack(routed.target, permit)
  metrics.limitRejection('provider', 'concurrency')
  throw new GatewayError('overloaded', { message: `Provider ${routed.provider.name} is at its concurrency limit.` })
}

type Unfunded = { readonly attempt: Attempt; readonly routed: RouteTarget }

/** Reserves for it; an attempt that cannot be paid holds nothing afterwards. */
function fund(exchange: ExchangeView, budgets: BudgetSet, { attempt, routed }: Unfunded): Promise<Attempt> {
  const giveUp = (thrown: unknown): never => {
    attempt.close()
    throw thrown
  }
  try {
    const hold = reserve(exchange, budgets, routed)
    return hold instanceof Promise ? hold.then((each) => funded(attempt, each), giveUp) : funded(attempt, hold)
  } catch (thrown) {
    return giveUp(thrown)
  }
}

async function funded(attempt: Attempt, hold: Hold): Promise<Attempt> {
  attempt.hold(hold)
  if (await hold.written) return attempt
  attempt.close()
  throw budgetsUnavailable()
}

/** If the target is full, the provider's slot is released. */
function enterTarget(limiter: Limiter, { providerIndex, slot }: RouteTarget): boolean {
  if (slot < 0 || limiter.enterTarget(slot)) return true
  limiter.leaveProvider(providerIndex)
  return false
}
