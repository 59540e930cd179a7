// What an exchange has cost so far: the sum of its attempts that a provider charges for, each at its own target's price. Nothing is
// computed where prices are off, and nothing for a caller's own key.
import { NO_USAGE, type Usage } from '../../model/usage.js'
import { addCosts, costOf, isPriced } from '../../prices/cost.js'
import { type Priced } from '../../prices/price-book.js'
import { type Rates } from '../../prices/types.js'
import { type RouteTarget } from '../../routing/router.js'
import { type AttemptState } from '../attempt-state.js'
import { type ExchangeIn, type ExchangeView } from '../exchange.js'
import { type Spent } from '../spending/hold.js'
import { countAttempt } from './count-spend.js'

const MS_PER_SEC = 1000

/** Once for each attempt, when its end is decided and its usage measured. Not for one that its provider refused, or never got. */
export function chargeAttempt(exchange: ExchangeIn<'attempt'>, state: AttemptState, usage = state.usage): void {
  const { prices, metrics } = exchange.context
  const { routed, hold } = state
  if (routed === null || state.startedAtMs === null) return
  const { provider } = routed.target
  if (costsNothing(exchange)) {
    countAttempt(exchange, provider, { usage, nano: 0 })
    return
  }
  // What has reserved is charged at the price of its reservation, here and in its budgets.
  const nano = hold === null ? costNow(exchange, state, usage) : hold.charge(spentOf(exchange, state, usage))
  if (prices === null) {
    countAttempt(exchange, provider, { usage, nano: 0 })
    return
  }
  if (nano === null) {
    exchange.unpricedAttempts += 1
    metrics.unpricedAttempt(state.metricsSlot)
  } else {
    exchange.costNano = addCosts(exchange.costNano ?? 0, nano)
    metrics.attemptCost(state.metricsSlot, nano)
  }
  countAttempt(exchange, provider, { usage, nano })
}

/** At the price of this moment; null where none is known. */
function costNow(exchange: ExchangeView, state: AttemptState, usage: Usage): number | null {
  if (state.routed === null || !isCountable(exchange, state)) return null
  const rates = ratesFor(exchange, state.routed)
  return rates === null || !isPriced(rates, usage) ? null : costOf(rates, usage)
}

/** The usage of an attempt that has sent its request and got nothing. */
export function inputOf({ decoded }: ExchangeView): Usage {
  return { ...NO_USAGE, inputTokens: decoded?.estimatedTokens ?? 0 }
}

/** Images and audio have a cost only where the provider counted them, or tokens for them. */
function isCountable({ decoded }: ExchangeView, { usageSource }: AttemptState): boolean {
  return decoded?.facts.endpoint?.isText !== false || usageSource === 'provider'
}

/** True where the target has no price and must not be used without one. Never for a request that costs nothing. */
export function lacksPrice(exchange: ExchangeView, routed: RouteTarget): boolean {
  const { prices } = exchange.context
  if (prices === null || !prices.isPriceRequired || costsNothing(exchange)) return false
  return ratesFor(exchange, routed) === null
}

/** The price of a target now; null if none is known. */
export function ratesFor({ context }: ExchangeView, routed: RouteTarget): Rates | null {
  const { prices, clock } = context
  return prices === null ? null : prices.find(pricedOf(routed), clock.unixSec() * MS_PER_SEC)
}

/** The most output tokens of one answer of a target, as the configuration or the price list says; null if neither does. */
export function maxOutputOf({ context }: ExchangeView, routed: RouteTarget): number | null {
  return routed.target.maxOutputTokens ?? context.prices?.maxOutputOf(pricedOf(routed)) ?? null
}

function pricedOf({ target, provider }: RouteTarget): Priced {
  return { provider: target.provider, model: target.model, list: provider.priceList ?? null }
}

function spentOf(exchange: ExchangeView, state: AttemptState, usage: Usage): Spent {
  const { meter, usageSource } = state
  return {
    usage,
    isCounted: usageSource === 'provider',
    isCountable: isCountable(exchange, state),
    contentBytes: exchange.decoded?.facts.stream === true ? (meter?.contentBytes ?? 0) : 0,
  }
}

/** The operator pays for none of its attempts: the key is the caller's own, or the endpoint is free, such as a count of tokens. */
export function costsNothing({ request, decoded }: ExchangeView): boolean {
  return (request.path?.callerKey ?? null) !== null || decoded?.facts.endpoint?.isFree === true
}
