// The end of one attempt: decided once, by whichever of its upstream, its relay and its client comes first, then counted in the
// metrics, the breaker and the list of tries. It returns the breaker's permit; anything after the decision is ignored.
//
//   under way -> succeed -> countOk | countFailure     (a whole answer is made in between, and that may fail)
//            '-> fail
//            '-> abort
import { type GatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { FREE, type Permit } from '../../routing/breaker.js'
import { type RouteTarget } from '../../routing/router.js'
import { type AttemptResult, type TracedTry } from '../../telemetry/records.js'
import { concealSecrets, type Secretive } from '../../upstream/conceal.js'
import { isTimeoutOfAnswer } from '../../upstream/failure.js'
import { type AttemptState, type AttemptView, connectMs } from '../attempt-state.js'
import { chargeAttempt, inputOf } from '../delivery/cost.js'
import { type FirstContentGate } from '../delivery/first-content-gate.js'
import { measureUsage } from '../delivery/usage.js'
import { type Abortable, type ExchangeIn } from '../exchange.js'
import { resultOf } from './attempt-result.js'
import { deadlinePassed, isOutOfTime } from './client-deadline.js'
import { type UpstreamLease } from './upstream-lease.js'

/** What an attempt holds, and the parts that its end affects. */
export type Trial = {
  readonly exchange: ExchangeIn<'attempt'>
  readonly routed: RouteTarget
  readonly permit: Permit
  /** What the exchange aborts while the attempt is running. */
  readonly call: Abortable
  readonly state: AttemptState
  readonly lease: UpstreamLease
  readonly gate: FirstContentGate
}

/**
 * True if the target's breaker admits the attempt and counts its end. Not for a caller's own key or format, which may be what is
 * wrong: one caller could open the breaker for all. And not for a provider that is not configured.
 */
export function isJudged({ request, decoded }: ExchangeIn<'attempt'>, { providerIndex }: RouteTarget): boolean {
  if (providerIndex < 0 || decoded?.facts.raw !== undefined) return false
  return request.path === undefined || request.path === null || request.path.callerKey === null
}

export class AttemptEnd {
  readonly #exchange: ExchangeIn<'attempt'>
  readonly #routed: RouteTarget
  readonly #call: Abortable
  readonly #state: AttemptState
  readonly #lease: UpstreamLease
  readonly #gate: FirstContentGate
  /** How it ends is the target's doing. */
  readonly #isJudged: boolean
  #permit: Permit
  /** Success, failure or abort is decided. A plain field: it is read for each chunk. Written here alone. */
  isOver = false

  constructor({ exchange, routed, permit, call, state, lease, gate }: Trial) {
    this.#exchange = exchange
    this.#routed = routed
    this.#call = call
    this.#state = state
    this.#lease = lease
    this.#gate = gate
    this.#isJudged = isJudged(exchange, routed)
    this.#permit = permit
  }

  /** Of two running attempts this one answers. */
  takeOver(): void {
    this.#exchange.context.breakers.began(this.#routed.target, this.#permit)
  }

  /** The answer is complete. The rest of the upstream's data is not needed, but keeping its connection is worth a moment. */
  succeed(): void {
    measureUsage(this.#exchange, this.#state, true)
    chargeAttempt(this.#exchange, this.#state)
    this.#conclude()
    this.#lease.linger()
  }

  /** The answer ends here, because no more of it can be paid. The provider is stopped, and has done nothing wrong. */
  cut(): void {
    this.#measure()
    this.#conclude()
    this.countOk()
    this.#lease.close()
  }

  /** The attempt failed: before content another target may be tried, afterwards the client gets the error. Only the first end counts. */
  fail(raw: GatewayError): void {
    if (this.isOver) return
    // Before it is counted: the log shows how each try of a request ended.
    const error = concealSecrets(this.secrets(), raw)
    // A provider that has not answered in time has read the input all the same.
    if (this.#state.meter !== null) this.#measure()
    else if (isTimeoutOfAnswer(raw)) chargeAttempt(this.#exchange, this.#state, inputOf(this.#exchange))
    this.#conclude()
    this.countFailure(error.data)
    this.#lease.close()
    this.#gate.fail(isOutOfTime(this.#exchange, error.data) ? deadlinePassed(error) : error)
  }

  /** The exchange is over. `isRefused`: the upstream is refusing the request, which costs nothing. Only the first end counts. */
  abort(isRefused: boolean): void {
    if (this.isOver) return
    if (!isRefused) this.#measure()
    this.#conclude()
    this.#count('aborted', null)
    this.giveBackPermit()
    this.#lease.close()
    this.#gate.abandon()
  }

  /** After `succeed`, or at a cut. */
  countOk(): void {
    this.#count('ok', null)
    if (this.#isJudged) this.#exchange.context.breakers.record(this.#routed.target, this.#permit, null)
  }

  /** After `succeed`, if no whole answer could be built. `error`: without the secrets of the provider. */
  countFailure(error: ErrorData): void {
    this.#count(resultOf(error.code), error)
    // A client with a short time limit must not open the breaker for all.
    if (isOutOfTime(this.#exchange, error) || !this.#isJudged) this.giveBackPermit()
    else this.#exchange.context.breakers.record(this.#routed.target, this.#permit, error)
  }

  /** Idempotent. */
  giveBackPermit(): void {
    this.#exchange.context.breakers.giveBack(this.#routed.target, this.#permit)
    this.#permit = FREE
  }

  /** Secrets that the upstream may quote and that must not be shown. */
  secrets(): Secretive {
    const { provider } = this.#routed
    const { apiKey, headers } = provider
    const tokens = this.#exchange.context.upstream.secretsOf(provider)
    return { apiKey, headers, callerKey: this.#exchange.request.path?.callerKey ?? null, tokens }
  }

  /** What this attempt has seen so far, whatever other attempt is running. */
  #measure(): void {
    measureUsage(this.#exchange, this.#state, false)
    chargeAttempt(this.#exchange, this.#state)
  }

  /** The end of the attempt is decided; the exchange has nothing left to abort. */
  #conclude(): void {
    const exchange = this.#exchange
    this.isOver = true
    this.#state.endedAtMs ??= exchange.context.clock.nowMs()
    this.#state.hold?.release()
    if (exchange.call === this.#call) exchange.call = null
  }

  #count(result: AttemptResult, error: ErrorData | null): void {
    const { provider, model } = this.#routed.target
    this.#exchange.context.metrics.upstreamAttempt(provider, result)
    const { startedAtMs } = this.#state
    const traced = this.#exchange.trace?.isSampled === true ? tracedTry(this.#exchange.request, this.#state) : null
    this.#exchange.noteTry({ provider, model, result, error }, startedAtMs, traced)
  }
}

function tracedTry({ acceptedAtMs }: { readonly acceptedAtMs: number }, state: AttemptView): TracedTry {
  const { startedAtMs, status, isHedgeLoser, spanId } = state
  const startMs = startedAtMs === null ? null : startedAtMs - acceptedAtMs
  return { startMs, connectMs: connectMs(state), status, isHedgeLoser, spanId }
}
