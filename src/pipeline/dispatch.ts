// Sends the request to its targets until one of them answers with content. What has reached the client is never sent twice:
// after the first content a failure is final and in-band.
//
//   the model's targets, one after the other > a pause, those again that may be well by now > the targets of its fallbacks
//   the request is too long for one of them  > the targets of its context fallbacks
import { GatewayError, toGatewayError } from '../errors.js'
import { type DecodedRequest } from '../protocols/codec.js'
import { orderTargets } from '../routing/balance.js'
import { REFUSED } from '../routing/breaker.js'
import { cureOf, pauseOf } from '../routing/retry.js'
import { type Route, type RouteTarget } from '../routing/router.js'
import { type Attempt } from './attempt.js'
import { deadlineOf, deadlinePassed } from './client-deadline.js'
import { type Exchange } from './exchange.js'
import { hedged } from './hedge.js'
import { openAttempt } from './open-attempt.js'
import { pause } from './pause.js'
import { hashPrefix } from './prompt-prefix.js'

const ANY_MODEL: readonly string[] = Object.freeze(['*'])

/** What one pass over targets came to: one has answered, none might be tried (null), or the failure of the last one. */
type Passed = typeof ANSWERED | FailedPass | null
const ANSWERED = 'answered'

type FailedPass = {
  readonly failure: GatewayError
  /** Those that the same request may find well after a pause. */
  readonly again: readonly RouteTarget[]
  /** The shortest time that one of them asked for; null if one asked for none. */
  readonly retryAfterMs: number | null
}

/**
 * Resolves when an answer has begun to reach the client, or has reached it whole.
 * @throws model_not_found, forbidden, invalid_request; else the error of the last target tried; upstream_overloaded when none might be tried
 */
export async function dispatch(exchange: Exchange, decoded: DecodedRequest): Promise<void> {
  const { config, router, retryBudget } = exchange.parts
  const { model, provider } = decoded.facts
  exchange.deadlineAtMs = deadlineOf(exchange.request)
  const allowed = config.keys[exchange.request.key.index]?.models ?? ANY_MODEL
  const route = router.route({ model, provider, allowed })
  retryBudget.deposit()
  const passed = await tryEach(exchange, decoded, inOrder(exchange, decoded, route))
  if (passed !== ANSWERED) await goOn(exchange, decoded, { route, passed })
  exchange.forgetBody()
}

/** The targets of a model, the one to try first in front. */
function inOrder(exchange: Exchange, decoded: DecodedRequest, route: Route): readonly RouteTarget[] {
  const { targets } = route
  if (targets.length < 2) return targets
  const { limiter, clock } = exchange.parts
  const affinity = route.affinity === 'prefix' ? hashPrefix(exchange, decoded.members) : null
  return orderTargets(targets, { random: clock.random, loadOf: (slot) => limiter.targetLoad(slot), affinity })
}

/** One pass, without a pause. @throws what no other target can cure */
async function tryEach(exchange: Exchange, decoded: DecodedRequest, targets: readonly RouteTarget[]): Promise<Passed> {
  const { breakers } = exchange.parts
  let passed: FailedPass | null = null
  for (const routed of targets) {
    if (leftMs(exchange) <= 0) throw passed?.failure ?? deadlinePassed()
    const permit = breakers.admit(routed.target)
    if (permit === REFUSED) continue
    if (exchange.attempts > 0) countRepeat(exchange, routed)
    let attempt: Attempt | null = null
    try {
      const opening = openAttempt(exchange, { routed, permit })
      attempt = opening instanceof Promise ? await opening : opening
      if (exchange.isEnded) throw new GatewayError('client_gone')
      const encoding = attempt.encode(decoded)
      const encoded = encoding instanceof Promise ? await encoding : encoding
      if (exchange.isEnded) throw new GatewayError('client_gone')
      const running = attempt.run(encoded)
      const { hedge } = routed
      if (hedge === null || !decoded.facts.stream) await running
      else {
        const others = targets.slice(targets.indexOf(routed) + 1)
        await hedged(exchange, decoded, { hedge, attempt, running, others })
      }
      if (exchange.routed === routed) breakers.began(routed.target, permit)
      return ANSWERED
    } catch (thrown) {
      attempt?.close()
      passed = noteFailure(passed, routed, toGatewayError(thrown))
      // A body that was lost with its worker cannot be sent again.
      const isFinal = exchange.isEnded || exchange.body.length === 0 || cureOf(passed.failure.data) === 'none'
      if (isFinal) throw passed.failure
      if (isTooLong(passed)) return passed
    }
  }
  return passed
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

/** The slow way, on which every request is that has failed once. */
async function goOn(exchange: Exchange, decoded: DecodedRequest, { route, passed }: Course): Promise<void> {
  let last: Passed = passed
  if (last !== null && !isTooLong(last)) last = await tryAgain(exchange, decoded, last)
  if (last !== ANSWERED && !isTooLong(last)) last = (await tryRoutes(exchange, decoded, route.fallbacks)) ?? last
  if (isTooLong(last)) last = (await tryRoutes(exchange, decoded, route.contextFallbacks)) ?? last
  if (last === ANSWERED) return
  if (last !== null) throw last.failure
  const targets = [route, ...route.fallbacks].flatMap((each) => each.targets)
  throw exchange.parts.breakers.refusal(targets.map(({ target }) => target))
}

function isTooLong(passed: Passed): boolean {
  return passed !== null && passed !== ANSWERED && cureOf(passed.failure.data) === 'larger'
}

/** Other models, one after the other. */
async function tryRoutes(exchange: Exchange, decoded: DecodedRequest, routes: readonly Route[]): Promise<Passed> {
  let last: FailedPass | null = null
  for (const route of routes) {
    const passed = await tryEach(exchange, decoded, inOrder(exchange, decoded, route))
    if (passed === ANSWERED) return ANSWERED
    last = passed ?? last
  }
  return last
}

/** The same targets again, after pauses, as far as patience and budget go. */
async function tryAgain(exchange: Exchange, decoded: DecodedRequest, first: FailedPass): Promise<Passed> {
  const { config, clock, retryBudget, metrics } = exchange.parts
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

/** Of the client's own time. */
function leftMs({ deadlineAtMs, parts }: Exchange): number {
  return deadlineAtMs === Number.POSITIVE_INFINITY ? deadlineAtMs : deadlineAtMs - parts.clock.nowMs()
}

function countRepeat(exchange: Exchange, routed: RouteTarget): void {
  const before = exchange.routed?.target
  const { provider, model } = routed.target
  const isSame = before?.provider === provider && before.model === model
  exchange.parts.metrics.upstreamRetry(provider, isSame ? 'again' : 'elsewhere')
}
