// Sends the request to its targets until one of them answers with content. What has reached the client is never sent twice:
// after the first content a failure is final and in-band.
//
//   the model's targets, one after the other > a pause, then those that may have recovered > the targets of its fallbacks
//   the request is too long for one of them  > the targets of its context fallbacks
import { GatewayError, toGatewayError } from '../../errors.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { allowedModels } from '../../routing/access.js'
import { orderTargets } from '../../routing/balance.js'
import { FREE, type Permit, REFUSED } from '../../routing/breaker.js'
import { cureOf, pauseOf } from '../../routing/retry.js'
import { type Route, type RouteTarget } from '../../routing/router.js'
import { type Attempt } from '../attempt/attempt.js'
import { isJudged } from '../attempt/attempt-end.js'
import { deadlineOf, deadlinePassed } from '../attempt/client-deadline.js'
import { encode } from '../attempt/encode.js'
import { routeRaw } from '../attempt/raw-request.js'
import { type ExchangeIn, type ExchangeView } from '../exchange.js'
import { routeEndpoint } from './endpoint-route.js'
import { hedged } from './hedge.js'
import { openAttempt } from './open-attempt.js'
import { hashPrefix } from './prompt-prefix.js'
import { budgetsFor, hasRejectedCap } from './reserve.js'
import { routeResource } from './resource-route.js'

/** The result of one pass over targets: an answer, no target available (null), or the failure of the last one. */
type Passed = typeof ANSWERED | FailedPass | null
const ANSWERED = 'answered'

type FailedPass = {
  readonly failure: GatewayError
  /** Targets that may succeed after a pause. */
  readonly again: readonly RouteTarget[]
  /** The shortest wait that one of them requested; null if one requested none. */
  readonly retryAfterMs: number | null
}

/**
 * Resolves when an answer has begun to reach the client, or has reached it whole.
 * @throws model_not_found, forbidden, invalid_request; else the error of the last target; upstream_overloaded if none could be tried
 */
export async function dispatch(exchange: ExchangeIn<'dispatch'>, decoded: DecodedRequest): Promise<void> {
  exchange.deadlineAtMs = deadlineOf(exchange.request)
  const route = routeOf(exchange, decoded)
  exchange.budgets = budgetsFor(exchange, decoded)
  exchange.context.retryBudget.deposit()
  const passed = await tryEach(exchange, decoded, inOrder(exchange, decoded, route))
  if (passed !== ANSWERED) await goOn(exchange, decoded, { route, passed })
  exchange.forgetBody()
}

/** What such a request uses is not known, so nothing of a token could hold for it. */
const RAW_NEEDS_KEY = GatewayError.shared('forbidden', {
  message: 'A token cannot use paths whose requests are passed on unread; they need the key itself.',
})

/** Where it may be served. @throws model_not_found, forbidden, invalid_request, unauthenticated */
export function routeOf({ context, request }: ExchangeView, { facts, selector }: DecodedRequest): Route {
  const { model, provider, raw } = facts
  const { config, router, dialects } = context
  const { path = null } = request
  const query = { model, provider, allowed: allowedModels(config, request.key), selector: selector ?? null }
  if (raw !== undefined) {
    if (request.key.token !== undefined) throw RAW_NEEDS_KEY
    return routeRaw({ raw, query, router, dialects })
  }
  if (facts.endpoint?.resource !== undefined)
    return routeResource({ endpoint: facts.endpoint, query, router, world: { config, dialects } })
  const isByPath = path !== null && path.provider !== null
  const route = router.route(isByPath ? { ...query, byPath: { hasKey: path.callerKey !== null } } : query)
  return facts.endpoint === undefined ? route : routeEndpoint(route, facts.endpoint, { config, dialects })
}

/** The targets of a model, the one to try first in front. */
function inOrder(exchange: ExchangeIn<'dispatch'>, decoded: DecodedRequest, route: Route): readonly RouteTarget[] {
  const { targets } = route
  if (targets.length < 2) return targets
  const { limiter, clock } = exchange.context
  const affinity = route.affinity === 'prefix' ? hashPrefix(exchange, decoded.members) : null
  return orderTargets(targets, { random: clock.random, loadOf: (slot) => limiter.targetLoad(slot), affinity })
}

/** One pass, without a pause. @throws an error that no other target can cure */
async function tryEach(
  exchange: ExchangeIn<'dispatch'>,
  decoded: DecodedRequest,
  targets: readonly RouteTarget[],
): Promise<Passed> {
  const { breakers, thinking } = exchange.context
  let passed: FailedPass | null = null
  for (let at = 0; at < targets.length; at++) {
    const given = targets[at] as RouteTarget
    const routed = thinking.recall(given)
    if (leftMs(exchange) <= 0) throw passed?.failure ?? deadlinePassed()
    const permit = permitFor(exchange, routed)
    if (permit === REFUSED) continue
    if (exchange.attempts > 0) countRepeat(exchange, routed)
    let attempt: Attempt | null = null
    try {
      const opening = openAttempt(exchange, { routed, permit })
      attempt = opening instanceof Promise ? await opening : opening
      if (exchange.isEnded) throw new GatewayError('client_gone')
      const encoding = encode(exchange, attempt, decoded)
      const encoded = encoding instanceof Promise ? await encoding : encoding
      if (exchange.isEnded) throw new GatewayError('client_gone')
      const running = attempt.run(encoded)
      const { hedge } = routed
      if (hedge === null || !decoded.facts.stream) await running
      else {
        const others = targets.slice(at + 1)
        await hedged(exchange, decoded, { hedge, attempt, running, others })
      }
      if (exchange.current.routed === routed) breakers.began(routed.target, permit)
      return ANSWERED
    } catch (thrown) {
      attempt?.close()
      const before: FailedPass | null = passed
      passed = noteFailure(before, given, toGatewayError(thrown))
      const { failure } = passed
      // A body that was lost with its worker cannot be sent again.
      if (exchange.isEnded || exchange.body.length === 0 || failure === exchange.attachments?.refusal) throw failure
      const isCured =
        hasRefusedThinking(exchange, decoded, { routed, failure }) ||
        hasRejectedCap(exchange, decoded, { attempt, routed, failure })
      if (isCured) {
        passed = before
        at -= 1
        continue
      }
      if (cureOf(failure.data) === 'none') throw failure
      if (isTooLong(passed)) return passed
    }
  }
  return passed
}

/** A target that is not judged needs none, unless an operator has paused its provider. */
function permitFor(exchange: ExchangeIn<'dispatch'>, routed: RouteTarget): Permit {
  const { breakers } = exchange.context
  if (isJudged(exchange, routed)) return breakers.admit(routed.target)
  return breakers.isPaused(routed.target) ? REFUSED : FREE
}

type Refused = { readonly routed: RouteTarget; readonly failure: GatewayError }

/** The target cannot think at all, which is remembered: the same request is retried without. True at most once per target. */
function hasRefusedThinking(
  { context }: ExchangeIn<'dispatch'>,
  { facts }: DecodedRequest,
  { routed, failure }: Refused,
): boolean {
  const { target } = routed
  if (target.thinks === false || facts.raw !== undefined || facts.endpoint !== undefined) return false
  if (context.dialects.get(target.protocol)?.refusesThinking?.(failure.data) !== true) return false
  context.thinking.note(target)
  return true
}

function noteFailure(passed: FailedPass | null, routed: RouteTarget, failure: GatewayError): FailedPass {
  const { again = [], retryAfterMs = null } = passed ?? {}
  if (cureOf(failure.data) !== 'again') return { failure, again, retryAfterMs }
  const askedMs = failure.data.retryAfterMs
  const isFirst = again.length === 0
  const shortestMs = isFirst || askedMs === null || retryAfterMs === null ? askedMs : Math.min(askedMs, retryAfterMs)
  return { failure, again: [...again, routed], retryAfterMs: isFirst ? askedMs : shortestMs }
}

type Course = { readonly route: Route; readonly passed: FailedPass | null }

/** The slow path, for every request that has failed once. */
async function goOn(
  exchange: ExchangeIn<'dispatch'>,
  decoded: DecodedRequest,
  { route, passed }: Course,
): Promise<void> {
  let last: Passed = passed
  // It may already have had an effect, so it is not sent twice.
  const mayRepeat = decoded.facts.raw === undefined && decoded.facts.endpoint?.resource === undefined
  if (last !== null && mayRepeat && !isTooLong(last)) last = await tryAgain(exchange, decoded, last)
  if (last !== ANSWERED && !isTooLong(last)) last = (await tryRoutes(exchange, decoded, route.fallbacks)) ?? last
  if (isTooLong(last)) last = (await tryRoutes(exchange, decoded, route.contextFallbacks)) ?? last
  if (last === ANSWERED) return
  if (last !== null) throw last.failure
  const targets = [route, ...route.fallbacks].flatMap((each) => each.targets)
  throw exchange.context.breakers.refusal(targets.map(({ target }) => target))
}

function isTooLong(passed: Passed): boolean {
  return passed !== null && passed !== ANSWERED && cureOf(passed.failure.data) === 'larger'
}

/** Other models, one after the other. */
async function tryRoutes(
  exchange: ExchangeIn<'dispatch'>,
  decoded: DecodedRequest,
  routes: readonly Route[],
): Promise<Passed> {
  let last: FailedPass | null = null
  for (const route of routes) {
    const passed = await tryEach(exchange, decoded, inOrder(exchange, decoded, route))
    if (passed === ANSWERED) return ANSWERED
    last = passed ?? last
  }
  return last
}

/** Tries the same targets again, after pauses, within the time limits and the budget. */
async function tryAgain(exchange: ExchangeIn<'dispatch'>, decoded: DecodedRequest, first: FailedPass): Promise<Passed> {
  const { config, clock, retryBudget, metrics } = exchange.context
  const { retries } = config.routing
  let passed = first
  let pausedMs = 0
  for (let round = 0; round < retries.max && passed.again.length > 0; round++) {
    const { again, retryAfterMs } = passed
    const pauseMs = pauseOf(retries, { round, retryAfterMs, pausedMs, random: clock.random() })
    if (pauseMs === null || pauseMs >= leftMs(exchange)) break
    if (!retryBudget.take()) {
      metrics.upstreamRetry(again[0]?.target.provider ?? '', 'denied')
      break
    }
    await pause(exchange, pauseMs)
    if (exchange.isEnded) throw passed.failure
    pausedMs += pauseMs
    const next = await tryEach(exchange, decoded, again)
    if (next === ANSWERED) return ANSWERED
    if (next === null) break
    passed = next
    if (isTooLong(passed)) break
  }
  return passed
}

/** What is left of the client's own time limit. */
function leftMs({ deadlineAtMs, context }: ExchangeIn<'dispatch'>): number {
  return deadlineAtMs === Number.POSITIVE_INFINITY ? deadlineAtMs : deadlineAtMs - context.clock.nowMs()
}

function countRepeat(exchange: ExchangeIn<'dispatch'>, routed: RouteTarget): void {
  const before = exchange.current.routed?.target
  const { provider, model } = routed.target
  const isSame = before?.provider === provider && before.model === model
  exchange.context.metrics.upstreamRetry(provider, isSame ? 'again' : 'elsewhere')
}

/**
 * Between two tries: resolves after `ms`, which count as the upstream's time, not as our own.
 * @throws client_gone when the exchange has settled in the meantime
 */
function pause(exchange: ExchangeIn<'dispatch'>, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      exchange.onCancel = null
      exchange.upstreamSpentMs += ms
      resolve()
    }, ms)
    exchange.onCancel = () => {
      clearTimeout(timer)
      reject(new GatewayError('client_gone'))
    }
  })
}
