// One try at one target: the upstream call's handler below, a relay in the middle, the gate to the client above. It decides
// once how the try ended, and nothing that still comes after that is looked at.
//
//   upstream/call --bytes--> Attempt --> relay --> Attempt (outlet) --> gate --> log --> readers
import { GatewayError, toGatewayError } from '../../errors.js'
import { type ErrorData } from '../../model/error.js'
import { type DecodedRequest } from '../../protocols/contract/codec.js'
import { type EncodedRequestBody } from '../../protocols/contract/envelope.js'
import { type Dialect } from '../../protocols/contract/protocol.js'
import { FREE, type Permit } from '../../routing/breaker.js'
import { type RouteTarget } from '../../routing/router.js'
import { type AttemptResult } from '../../telemetry/records.js'
import { type CallHandler, type ResponseHeaders } from '../../upstream/call.js'
import { concealSecrets, type Secretive } from '../../upstream/conceal.js'
import { AttemptState } from '../attempt-state.js'
import { type AnswerOutcome, reply, resultAnswer } from '../delivery/answer.js'
import { FirstContentGate } from '../delivery/first-content-gate.js'
import { startKeepalive } from '../delivery/keepalive.js'
import { TokenTiming } from '../delivery/token-timing.js'
import { measureUsage } from '../delivery/usage.js'
import { type Exchange } from '../exchange.js'
import { createRelay } from '../relay/choose.js'
import { type Relay, type RelayOptions, type RelayOutlet, type WholeKind } from '../relay/types.js'
import { makeWhole } from '../relay/whole-answer.js'
import { blameKey, resultOf } from './attempt-result.js'
import { deadlinePassed, isOutOfTime } from './client-deadline.js'
import { headerText, requestIdOf } from './header-text.js'
import { isJudged } from './judged.js'
import { Refusal } from './refusal.js'
import { fallbackMeta, relayOptions } from './relay-options.js'
import { UpstreamLease } from './upstream-lease.js'
import { timeoutsFor, upstreamRequest } from './upstream-request.js'

/** What a try goes to, and by which right. */
export type Aim = { readonly routed: RouteTarget; readonly dialect: Dialect; readonly permit: Permit }

const COMPLETE: AnswerOutcome = Object.freeze({ outcome: 'complete', cause: null })

export class Attempt implements CallHandler, RelayOutlet {
  readonly #exchange: Exchange
  readonly #routed: RouteTarget
  readonly #dialect: Dialect
  readonly #lease: UpstreamLease
  readonly #gate: FirstContentGate
  readonly #timing: TokenTiming
  readonly #state: AttemptState
  #relay: Relay | null = null
  #refusal: Refusal | null = null
  #permit: Permit
  /** How it ends is the target's doing. */
  readonly #isJudged: boolean
  #asksStream = false
  #hasRun = false
  /** Success, failure or abort is decided; what still comes is not looked at. */
  #isOver = false

  /** Takes over the provider's slot and the breaker's permit. */
  constructor(exchange: Exchange, { routed, dialect, permit }: Aim) {
    this.#exchange = exchange
    this.#routed = routed
    this.#dialect = dialect
    this.#permit = permit
    this.#isJudged = isJudged(exchange, routed)
    this.#lease = new UpstreamLease(exchange.context.limiter, routed)
    this.#gate = new FirstContentGate(exchange)
    const { metrics } = exchange.context
    const slot = metrics.slot(exchange.request.surface.id, routed.target.provider, routed.label)
    this.#state = new AttemptState(routed, slot)
    this.#timing = new TokenTiming(exchange.context, this.#state)
  }

  /** Makes the body for this target, here or in a worker: the attempt is counted from now on. */
  encode(decoded: DecodedRequest): EncodedRequestBody | Promise<EncodedRequestBody> {
    this.#exchange.startAttempt(this.#state)
    return this.makeBody(decoded)
  }

  /** The same once more, when what it needed has been fetched. */
  makeBody(decoded: DecodedRequest): EncodedRequestBody | Promise<EncodedRequestBody> {
    const exchange = this.#exchange
    const { request, context } = exchange
    const { target } = this.#routed
    const { facts, json, members } = decoded
    if (request.surface.upstreamFrames !== undefined) this.#state.framing = this.#dialect.framing
    // A client of another protocol gets its whole answer from a stream, aggregated: see relay/collect.ts.
    this.#asksStream = facts.raw?.asksStream ?? (facts.stream || request.surface.id !== target.protocol)
    return context.offload.encode({
      surfaceId: request.surface.id,
      body: exchange.body,
      json,
      facts,
      members,
      target,
      prompt: exchange.prompt,
      attachments: exchange.attachments,
      upstreamStream: this.#asksStream,
    })
  }

  /** Sends the request. Resolves with the first content, rejects with what failed before it. */
  run(encoded: EncodedRequestBody): Promise<void> {
    const exchange = this.#exchange
    const { request, context } = exchange
    const asksStream = this.#asksStream
    exchange.body = encoded.original
    this.#state.dropped = encoded.dropped
    this.#hasRun = true
    exchange.call = this
    const nowMs = context.clock.nowMs()
    this.#state.startedAtMs = nowMs
    const passed = this.#gate.passed()
    const isRaw = exchange.decoded?.facts.raw !== undefined
    const sending = { request, routed: this.#routed, dialect: this.#dialect, encoded, isStream: asksStream, isRaw }
    const timeouts = timeoutsFor(this.#routed.timeouts, asksStream, exchange.deadlineAtMs - nowMs)
    this.#lease.carry(context.upstream.call(upstreamRequest(sending), this, timeouts))
    return passed
  }

  /** Before anything of this attempt reaches the client, or its answer is complete. */
  onContent(tell: () => void): void {
    this.#gate.onOpen = tell
  }

  /** Of two attempts under way this one answers: what the exchange knows of its attempt is of this one from now on. */
  takeOver(): void {
    const exchange = this.#exchange
    exchange.call = this
    exchange.current = this.#state
    exchange.context.breakers.began(this.#routed.target, this.#permit)
  }

  /** The exchange is over: stops the upstream and keeps count of what has come. Nothing more is told of this attempt. */
  abort(): void {
    if (this.#isOver) return
    // A request that is being refused costs nothing.
    if (this.#refusal === null) this.#measure()
    this.#conclude()
    this.#count('aborted', null)
    this.#giveBackPermit()
    this.close()
    this.#gate.abandon()
  }

  /** Gives back what the provider was held by; for an attempt that never ran, too. Idempotent. */
  close(): void {
    this.#lease.close()
    if (!this.#hasRun) this.#giveBackPermit()
  }

  // --- upstream/call tells:

  onHead(status: number, headers: ResponseHeaders): void {
    const exchange = this.#exchange
    // The log knows every secret by value but a caller's own key, which an upstream may put anywhere.
    if (this.#secrets().callerKey === null) this.#state.upstreamRequestId = requestIdOf(headers)
    try {
      if (status < 200 || status > 299) {
        this.#refusal = new Refusal(status, headers, exchange.context.clock.unixSec() * 1000)
        return
      }
      const contentType = headerText(headers, 'content-type') ?? ''
      const isDelimited = 'content-length' in headers || 'transfer-encoding' in headers
      const options = relayOptions({
        exchange,
        routed: this.#routed,
        dialect: this.#dialect,
        outlet: this,
        contentType,
        isDelimited,
        asksStream: this.#asksStream,
      })
      if (options.raw !== null) this.#passOn(options, status, contentType)
      // A whole answer is no stream of the upstream's: what is made of it is framed as the surface does.
      else if (!options.upstreamStreams) this.#state.framing = null
      this.#relay = createRelay(options)
      this.#state.meter = this.#relay
    } catch (thrown) {
      this.#failWith(toGatewayError(thrown))
    }
  }

  onBytes(chunk: Buffer): void {
    if (this.#isOver) return
    try {
      if (this.#refusal !== null) this.#refusal.push(chunk)
      else this.#relay?.push(chunk)
    } catch (thrown) {
      this.#failWith(toGatewayError(thrown))
    }
  }

  onEnd(): void {
    this.#state.endedAtMs ??= this.#exchange.context.clock.nowMs()
    this.close()
    if (this.#isOver) return
    try {
      if (this.#refusal !== null) this.#refuse(this.#refusal)
      else this.#relay?.end()
    } catch (thrown) {
      this.#failWith(toGatewayError(thrown))
    }
    // Nothing comes any more: whoever has not decided by now never will.
    if (!this.#isOver) this.#failWith(new GatewayError('upstream_cut'))
  }

  onError(error: GatewayError): void {
    this.close()
    this.#failWith(error)
  }

  // --- the relay tells:

  append(frames: Uint8Array, hasContent: boolean): void {
    if (this.#isOver) return
    if (hasContent) this.progress()
    this.#gate.append(frames, hasContent)
  }

  progress(): void {
    this.#lease.sawToken()
    this.#timing.mark()
  }

  complete(): void {
    if (this.#isOver) return
    this.#gate.claim()
    this.#succeed()
    this.#countOk()
    this.#gate.complete()
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    if (this.#isOver) return
    const { context, request } = this.#exchange
    this.progress()
    this.#succeed()
    makeWhole(bytes, {
      offload: context.offload,
      kind,
      task: { surfaceId: request.surface.id, target: this.#routed.target, fallback: fallbackMeta(this.#exchange) },
      onMade: this.#onMade,
      onUnmade: this.#onUnmade,
    })
  }

  fail(error: ErrorData): void {
    this.#failWith(blameKey(GatewayError.of(error), this.#secrets()))
  }

  // --- private:

  /** The answer is complete. What the upstream still sends is not waited for, but its connection is worth a moment. */
  #succeed(): void {
    measureUsage(this.#exchange, this.#state, true)
    this.#conclude()
    this.#lease.linger()
  }

  readonly #onMade = (body: Uint8Array): void => {
    this.#countOk()
    reply(this.#exchange, resultAnswer(this.#exchange, body), COMPLETE)
    this.#gate.resolve()
  }

  /** The upstream's answer was complete, but no whole answer could be made of it. */
  readonly #onUnmade = (thrown: unknown): void => {
    const secrets = this.#secrets()
    const error = concealSecrets(secrets, blameKey(toGatewayError(thrown), secrets))
    const isOurs = !error.data.code.startsWith('upstream_')
    if (isOurs) this.#countOk()
    else this.#countFailure(error.data)
    // For a fault of our own the next upstream shall not have to work, too.
    if (isOurs) this.#gate.resolve()
    this.#gate.fail(error)
  }

  #failWith(raw: GatewayError): void {
    if (this.#isOver) return
    // Before it is counted: the log shows how each try of a request ended.
    const error = concealSecrets(this.#secrets(), raw)
    if (this.#relay !== null) this.#measure()
    this.#conclude()
    this.#countFailure(error.data)
    this.close()
    this.#gate.fail(isOutOfTime(this.#exchange, error.data) ? deadlinePassed(error) : error)
  }

  /** The answer's own head is the client's, as far as it is safe to show. */
  #passOn({ raw, upstreamStreams }: RelayOptions, status: number, contentType: string): void {
    const exchange = this.#exchange
    this.#state.framing = raw?.framing ?? null
    if (upstreamStreams) startKeepalive(exchange)
    else this.#state.wholeHead = { status, contentType }
  }

  #refuse(refusal: Refusal): void {
    const exchange = this.#exchange
    const error = refusal.decode(this.#dialect)
    if (exchange.request.surface.upstreamFrames !== undefined) this.#state.refusalBody = refusal.show(this.#secrets())
    this.fail(error)
  }

  /** What of the upstream's words must reach nobody else. */
  #secrets(): Secretive {
    const { apiKey, headers } = this.#routed.provider
    return { apiKey, headers, callerKey: this.#exchange.request.path?.callerKey ?? null }
  }

  /** What this attempt has seen so far, whichever else is under way. */
  #measure(): void {
    measureUsage(this.#exchange, this.#state, false)
  }

  /** How the try ended is decided; the exchange has nothing left to abort. */
  #conclude(): void {
    const exchange = this.#exchange
    this.#isOver = true
    this.#state.endedAtMs ??= exchange.context.clock.nowMs()
    if (exchange.call === this) exchange.call = null
  }

  #countOk(): void {
    this.#count('ok', null)
    if (this.#isJudged) this.#exchange.context.breakers.record(this.#routed.target, this.#permit, null)
  }

  #countFailure(error: ErrorData): void {
    this.#count(resultOf(error.code), error)
    // A client in a hurry must not shut a target for everybody.
    if (isOutOfTime(this.#exchange, error) || !this.#isJudged) this.#giveBackPermit()
    else this.#exchange.context.breakers.record(this.#routed.target, this.#permit, error)
  }

  #giveBackPermit(): void {
    this.#exchange.context.breakers.giveBack(this.#routed.target, this.#permit)
    this.#permit = FREE
  }

  #count(result: AttemptResult, error: ErrorData | null): void {
    const { provider, model } = this.#routed.target
    this.#exchange.context.metrics.upstreamAttempt(provider, result)
    const told = error === null ? null : concealSecrets(this.#secrets(), GatewayError.of(error)).data
    this.#exchange.noteTry({ provider, model, result, error: told }, this.#state.startedAtMs)
  }
}
