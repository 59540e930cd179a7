// Whether a target is judged by how an attempt ends. Not where a key or words of the caller's own may be what is wrong, or one
// caller could shut a target for all; and not where nobody has configured the provider.
import { type RouteTarget } from '../../routing/router.js'
import { type Exchange } from '../exchange.js'

/** True where the target's breaker lets the attempt in and hears of its end. */
export function isJudged({ request, decoded }: Exchange, { providerIndex }: RouteTarget): boolean {
  if (providerIndex < 0 || decoded?.facts.raw !== undefined) return false
  return request.path === undefined || request.path === null || request.path.callerKey === null
}
