// One try at one target: the upstream call's handler below, a relay in the middle, the gate to the client above. It decides
// once how the try ended, and nothing that still comes after that is looked at.
//
//   upstream/call --bytes--> Attempt --> relay --> Attempt (outlet) --> gate --> log --> readers
import { GatewayError, toGatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type EncodedBody } from '../protocols/codec.js'
import { type Dialect } from '../protocols/protocol.js'
import { type RouteTarget } from '../routing/router.js'
import { type AttemptResult } from '../telemetry/records.js'
import { type CallHandler, type ResponseHeaders } from '../upstream/call.js'
import { concealSecrets, type Secretive } from '../upstream/conceal.js'
import { reply, resultAnswer, type Verdict } from './answer.js'
import { resultOf } from './attempt-result.js'
import { Connection } from './connection.js'
import { type Exchange } from './exchange.js'
import { Gate } from './gate.js'
import { headerText } from './header-text.js'
import { startKeepalive } from './keepalive.js'
import { measureUsage } from './measure.js'
import { type Outlet, type Relay, type RelayOptions, type WholeKind } from './outlet.js'
import { Pace } from './pace.js'
import { Refusal } from './refusal.js'
import { createRelay } from './relay.js'
import { fallbackMeta, relayOptions } from './relay-options.js'
import { timeoutsFor, upstreamRequest } from './upstream-request.js'
import { makeWhole } from './whole-answer.js'

const COMPLETE: Verdict = Object.freeze({ outcome: 'complete', cause: null })

export class Attempt implements CallHandler, Outlet {
  readonly #exchange: Exchange
  readonly #routed: RouteTarget
  readonly #dialect: Dialect
  readonly #connection: Connection
  readonly #gate: Gate
  readonly #pace: Pace
  #relay: Relay | null = null
  #refusal: Refusal | null = null
  #asksStream = false
  /** Success, failure or abort is decided; what still comes is not looked at. */
  #isOver = false

  /** Takes over the provider's slot. */
  constructor(exchange: Exchange, routed: RouteTarget, dialect: Dialect) {
    this.#exchange = exchange
    this.#routed = routed
    this.#dialect = dialect
    this.#connection = new Connection(exchange.parts.limiter, routed.providerIndex)
    this.#gate = new Gate(exchange)
    this.#pace = new Pace(exchange)
  }

  /** Sends the request. Resolves with the first content, rejects with what failed before it. */
  run(encoded: EncodedBody, asksStream: boolean): Promise<void> {
    const exchange = this.#exchange
    const { request, parts } = exchange
    this.#asksStream = asksStream
    exchange.call = this
    exchange.upstreamStartedAtMs = parts.clock.nowMs()
    exchange.upstreamEndedAtMs = null
    const passed = this.#gate.passed()
    const isRaw = exchange.decoded?.facts.raw !== undefined
    const sending = { request, routed: this.#routed, dialect: this.#dialect, encoded, isStream: asksStream, isRaw }
    const timeouts = timeoutsFor(this.#routed.provider.timeouts, asksStream)
    this.#connection.carry(parts.upstream.call(upstreamRequest(sending), this, timeouts))
    return passed
  }

  /** The exchange is over: stops the upstream and keeps count of what has come. Nothing more is told of this attempt. */
  abort(): void {
    if (this.#isOver) return
    // A request that is being refused costs nothing.
    if (this.#refusal === null) measureUsage(this.#exchange, false)
    this.#conclude()
    this.#count('aborted')
    this.close()
    this.#gate.abandon()
  }

  /** Gives back what the provider was held by; for an attempt that never ran, too. Idempotent. */
  close(): void {
    this.#connection.close()
  }

  // --- upstream/call tells:

  onHead(status: number, headers: ResponseHeaders): void {
    const exchange = this.#exchange
    try {
      if (status < 200 || status > 299) {
        this.#refusal = new Refusal(status, headers, exchange.parts.clock.unixSec() * 1000)
        return
      }
      const contentType = headerText(headers, 'content-type') ?? ''
      const facts = { exchange, routed: this.#routed, dialect: this.#dialect, outlet: this }
      const options = relayOptions({ ...facts, contentType, asksStream: this.#asksStream })
      if (options.raw !== null) this.#passOn(options, status, contentType)
      // A whole answer is no stream of the upstream's: what is made of it is framed as the surface does.
      else if (!options.upstreamStreams) exchange.framing = null
      this.#relay = createRelay(options)
      exchange.meter = this.#relay
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
    this.#exchange.upstreamEndedAtMs ??= this.#exchange.parts.clock.nowMs()
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
    this.#connection.sawToken()
    this.#pace.mark()
  }

  complete(): void {
    if (this.#isOver) return
    this.#succeed()
    this.#count('ok')
    this.#gate.complete()
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    if (this.#isOver) return
    const { parts, request } = this.#exchange
    this.progress()
    this.#succeed()
    makeWhole(bytes, {
      offload: parts.offload,
      kind,
      task: { surfaceId: request.surface.id, target: this.#routed.target, fallback: fallbackMeta(this.#exchange) },
      onMade: this.#onMade,
      onUnmade: this.#onUnmade,
    })
  }

  fail(error: ErrorData): void {
    this.#failWith(GatewayError.of(error))
  }

  // --- private:

  /** The answer is complete. What the upstream still sends is not waited for, but its connection is worth a moment. */
  #succeed(): void {
    measureUsage(this.#exchange, true)
    this.#conclude()
    this.#connection.linger()
  }

  readonly #onMade = (body: Uint8Array): void => {
    this.#count('ok')
    reply(this.#exchange, resultAnswer(this.#exchange, body), COMPLETE)
    this.#gate.resolve()
  }

  /** The upstream's answer was complete, but no whole answer could be made of it. */
  readonly #onUnmade = (thrown: unknown): void => {
    const error = toGatewayError(thrown)
    const isOurs = !error.data.code.startsWith('upstream_')
    this.#count(isOurs ? 'ok' : resultOf(error.data.code))
    // For a fault of our own the next upstream shall not have to work, too.
    if (isOurs) this.#gate.resolve()
    this.#gate.fail(concealSecrets(this.#secrets(), error))
  }

  #failWith(error: GatewayError): void {
    if (this.#isOver) return
    if (this.#relay !== null) measureUsage(this.#exchange, false)
    this.#conclude()
    this.#count(resultOf(error.data.code))
    this.close()
    this.#gate.fail(concealSecrets(this.#secrets(), error))
  }

  /** The answer's own head is the client's, as far as it is safe to show. */
  #passOn({ raw, upstreamStreams }: RelayOptions, status: number, contentType: string): void {
    const exchange = this.#exchange
    exchange.framing = raw?.framing ?? null
    if (upstreamStreams) startKeepalive(exchange)
    else exchange.wholeHead = { status, contentType }
  }

  #refuse(refusal: Refusal): void {
    const exchange = this.#exchange
    const error = refusal.decode(this.#dialect)
    if (exchange.request.surface.upstreamFrames !== undefined) exchange.refusalBody = refusal.show(this.#secrets())
    this.fail(error)
  }

  /** What of the upstream's words must reach nobody else. */
  #secrets(): Secretive {
    const { apiKey, headers } = this.#routed.provider
    return { apiKey, headers, callerKey: this.#exchange.request.path?.callerKey ?? null }
  }

  /** How the try ended is decided; the exchange has nothing left to abort. */
  #conclude(): void {
    const exchange = this.#exchange
    this.#isOver = true
    exchange.upstreamEndedAtMs ??= exchange.parts.clock.nowMs()
    if (exchange.call === this) exchange.call = null
  }

  #count(result: AttemptResult): void {
    this.#exchange.parts.metrics.upstreamAttempt(this.#routed.provider.name, result)
  }
}
