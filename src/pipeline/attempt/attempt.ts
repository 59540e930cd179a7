// One attempt at one target. Dispatch starts and aborts it; the upstream call drives it: the request is sent, the head of the answer
// selects a relay, and bytes go to the relay. AttemptOutlet takes what the relay produces, AttemptEnd decides how the attempt ended.
//
//   upstream/call --bytes--> Attempt --> relay --> AttemptOutlet --> gate --> log --> readers
//                               '--------> AttemptEnd <--'            metrics, breaker, permit
import { GatewayError, toGatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type EncodedRequestBody } from '../../protocols/contract/envelope.js'
import { type Dialect } from '../../protocols/contract/protocol.js'
import { type DecodedRequest } from '../../protocols/contract/request-task.js'
import { wireOf } from '../../protocols/contract/wire-of.js'
import { type Permit } from '../../routing/breaker.js'
import { type RouteTarget } from '../../routing/router.js'
import { type RequestTrace } from '../../telemetry/records.js'
import { AnswerHead } from '../../telemetry/traces/answer-head.js'
import { type CallHandler, type ResponseHeaders } from '../../upstream/call.js'
import { AttemptState } from '../attempt-state.js'
import { FirstContentGate } from '../delivery/first-content-gate.js'
import { startKeepalive } from '../delivery/keepalive.js'
import { TokenTiming } from '../delivery/token-timing.js'
import { acceptedBy, type ExchangeIn } from '../exchange.js'
import { createRelay } from '../relay/choose.js'
import { type Relay, type RelayOptions } from '../relay/types.js'
import { type Hold } from '../spending/hold.js'
import { AttemptEnd } from './attempt-end.js'
import { AttemptOutlet } from './attempt-outlet.js'
import { DebitedOutlet } from './cut/debited-outlet.js'
import { headerText, requestIdOf } from './header-text.js'
import { Refusal } from './refusal.js'
import { relayOptions } from './relay-options.js'
import { UpstreamLease } from './upstream-lease.js'
import { timeoutsFor, upstreamRequest } from './upstream-request.js'

/** The target of an attempt, and the permit for it. */
export type Aim = { readonly routed: RouteTarget; readonly dialect: Dialect; readonly permit: Permit }

const NO_FACTS = Object.freeze({})

export class Attempt implements CallHandler {
  readonly #exchange: ExchangeIn<'attempt'>
  readonly #routed: RouteTarget
  readonly #dialect: Dialect
  readonly #lease: UpstreamLease
  readonly #gate: FirstContentGate
  readonly #state: AttemptState
  readonly #end: AttemptEnd
  readonly #outlet: AttemptOutlet
  #relay: Relay | null = null
  #refusal: Refusal | null = null
  #outputCap: number | null = null
  #asksStream = false
  #hasRun = false

  /** Takes over the provider's slot and the breaker's permit. */
  constructor(exchange: ExchangeIn<'attempt'>, { routed, dialect, permit }: Aim) {
    const { context, request } = exchange
    const { target } = routed
    const state = new AttemptState(routed, context.metrics.slot(request.surface.id, target.provider, routed.label))
    const lease = new UpstreamLease(context.limiter, routed)
    const gate = new FirstContentGate(exchange)
    const timing = new TokenTiming(context, state)
    const end = new AttemptEnd({ exchange, routed, permit, call: this, state, lease, gate })
    this.#exchange = exchange
    this.#routed = routed
    this.#dialect = dialect
    this.#lease = lease
    this.#gate = gate
    this.#state = state
    this.#end = end
    this.#outlet = new AttemptOutlet({ exchange, target, lease, gate, timing, end, state })
  }

  /** What it has reserved, which is settled from here on however it ends. */
  hold(hold: Hold): void {
    this.#state.hold = hold
  }

  /** The gateway's own cap on each answer, of the body that was made last; null for none. */
  get outputCap(): number | null {
    return this.#outputCap
  }

  /** Makes the body for this target, here or in a worker: the attempt is counted from now on. */
  encode(decoded: DecodedRequest): EncodedRequestBody | Promise<EncodedRequestBody> {
    this.#exchange.startAttempt(this.#state)
    return this.makeBody(decoded)
  }

  /** Encodes again, after the content that it needs was fetched. */
  makeBody(decoded: DecodedRequest): EncodedRequestBody | Promise<EncodedRequestBody> {
    const exchange = this.#exchange
    const { request, context } = exchange
    const { target } = this.#routed
    const { facts, json, head, members } = decoded
    if (request.surface.upstreamFrames !== undefined) this.#state.framing = this.#dialect.framing
    // A client of another protocol gets its whole answer from a stream, aggregated: see relay/collect.ts.
    const { asksStream } = facts.raw ?? facts.endpoint ?? {}
    this.#asksStream = asksStream ?? (facts.stream || wireOf(request.surface) !== target.protocol)
    const accepted = acceptedBy(exchange, target)?.tokens ?? null
    const cap = lowest(this.#state.hold?.cap ?? null, request.key.token?.maxOutputTokens ?? null)
    this.#outputCap = cap === null ? null : lowest(cap, accepted)
    return context.offload.encode({
      surfaceId: request.surface.id,
      body: exchange.body,
      json,
      head,
      facts,
      members,
      target,
      prompt: exchange.prompt,
      attachments: exchange.attachments?.known ?? null,
      outputCap: this.#outputCap,
      upstreamStream: this.#asksStream,
    })
  }

  /** Sends the request. Resolves with the first content, rejects with a failure before it. */
  run(encoded: EncodedRequestBody): Promise<void> {
    const exchange = this.#exchange
    const { request, context } = exchange
    const asksStream = this.#asksStream
    exchange.body = encoded.original
    this.#state.dropped = encoded.dropped
    this.#outlet.echo = echoOf(exchange, encoded)
    exchange.call = this
    const nowMs = context.clock.nowMs()
    this.#state.startedAtMs = nowMs
    const passed = this.#gate.passed()
    const facts = exchange.decoded?.facts ?? NO_FACTS
    const traceHeaders = exchange.trace === null ? null : this.#passTrace(exchange.trace)
    const sending = {
      request,
      routed: this.#routed,
      dialect: this.#dialect,
      encoded,
      isStream: asksStream,
      facts,
      traceHeaders,
    }
    const timeouts = timeoutsFor(this.#routed.timeouts, asksStream, exchange.deadlineAtMs - nowMs)
    const sent = upstreamRequest(sending)
    this.#hasRun = true
    this.#lease.carry(context.upstream.call(sent, this, timeouts))
    return passed
  }

  /** Before anything of this attempt reaches the client, or its answer is complete. */
  onContent(tell: () => void): void {
    this.#gate.onOpen = tell
  }

  /** Of two running attempts this one answers: it is the exchange's current attempt from now on. */
  takeOver(): void {
    const exchange = this.#exchange
    exchange.call = this
    exchange.current = this.#state
    this.#end.takeOver()
  }

  /** Another one has content first. */
  lose(): void {
    this.#state.isHedgeLoser = true
    this.abort()
  }

  /** The exchange has ended: stops the upstream and records what has arrived. Nothing more is reported of this attempt. */
  abort(): void {
    this.#end.abort(this.#refusal !== null)
  }

  /** Releases the slots of the provider, even for an attempt that never ran. Idempotent. */
  close(): void {
    this.#lease.close()
    if (this.#hasRun) return
    this.#end.giveBackPermit()
    this.#state.hold?.release()
  }

  // --- callbacks of upstream/call:

  onConnected(): void {
    this.#state.connectedAtMs = this.#exchange.context.clock.nowMs()
  }

  onHead(status: number, headers: ResponseHeaders): void {
    const exchange = this.#exchange
    this.#state.status = status
    // The log knows every secret by value except a caller's own key, which an upstream may send anywhere.
    if ((exchange.request.path?.callerKey ?? null) === null) this.#state.upstreamRequestId = requestIdOf(headers)
    try {
      if (status < 200 || status > 299) {
        this.#refusal = new Refusal(status, headers, exchange.context.clock.unixSec() * 1000)
        return
      }
      const contentType = headerText(headers, 'content-type') ?? ''
      const isDelimited = 'content-length' in headers || 'transfer-encoding' in headers
      const { hold } = this.#state
      const debited = hold?.isCounted === true ? new DebitedOutlet(this.#outlet, this.#state, hold) : null
      const options = relayOptions({
        exchange,
        routed: this.#routed,
        dialect: this.#dialect,
        outlet: debited ?? this.#outlet,
        contentType,
        isDelimited,
        asksStream: this.#asksStream,
        echo: this.#outlet.echo,
      })
      if (options.raw !== null) this.#passOn(options, status, contentType)
      // A whole answer is not a stream of the upstream: a stream made from it has the framing of the surface.
      else if (!options.upstreamStreams) this.#state.framing = null
      const relay = createRelay(options)
      debited?.join(relay, options)
      this.#relay = exchange.trace?.isSampled === true ? readingHead(relay, this.#state) : relay
      this.#state.meter = relay.meter
    } catch (thrown) {
      this.#end.fail(toGatewayError(thrown))
    }
  }

  onBytes(chunk: Buffer): void {
    if (this.#end.isOver) return
    try {
      if (this.#refusal !== null) this.#refusal.push(chunk)
      else this.#relay?.push(chunk)
    } catch (thrown) {
      this.#end.fail(toGatewayError(thrown))
    }
  }

  onEnd(): void {
    this.#state.endedAtMs ??= this.#exchange.context.clock.nowMs()
    this.close()
    if (this.#end.isOver) return
    try {
      if (this.#refusal !== null) this.#refuse(this.#refusal)
      else this.#relay?.end()
    } catch (thrown) {
      this.#end.fail(toGatewayError(thrown))
    }
    // Nothing more will arrive, so an undecided attempt fails now.
    if (!this.#end.isOver) this.#end.fail(new GatewayError('upstream_cut'))
  }

  onError(error: GatewayError): void {
    this.close()
    this.#end.fail(error)
  }

  // --- private:

  /** The headers by which the upstream learns of the trace; null where it does not. */
  #passTrace(trace: RequestTrace): Readonly<Record<string, string>> | null {
    const passed = this.#exchange.context.tracer?.passTo(this.#routed.provider.name, trace) ?? null
    this.#state.spanId = passed?.spanId ?? null
    return passed?.headers ?? null
  }

  /** Passes the upstream's response head to the client, as far as it is safe to show. */
  #passOn({ raw, upstreamStreams }: RelayOptions, status: number, contentType: string): void {
    const exchange = this.#exchange
    this.#state.framing = raw?.isBytes === true ? 'bytes' : (raw?.framing ?? null)
    if (!upstreamStreams || raw?.isBytes === true) this.#state.wholeHead = { status, contentType }
    else startKeepalive(exchange)
  }

  #refuse(refusal: Refusal): void {
    const exchange = this.#exchange
    const error = refusal.decode(this.#dialect)
    if (exchange.request.surface.upstreamFrames !== undefined)
      this.#state.refusalBody = refusal.show(this.#end.secrets())
    this.#outlet.fail(error)
  }
}

function lowest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other)
}

/** The same relay, of an answer whose own names are noted. */
function readingHead(relay: Relay, state: AttemptState): Relay {
  const head = new AnswerHead(state)
  const push = (chunk: Buffer): void => {
    head.read(chunk)
    relay.push(chunk)
  }
  return { meter: relay.meter, push, end: () => relay.end() }
}

/** What the answer needs of its request, with what the gateway decides of it. */
function echoOf({ own }: ExchangeIn<'attempt'>, { echo }: EncodedRequestBody): JsonObject | null {
  if (own === null || echo === undefined) return echo ?? null
  return { ...echo, own: own.members }
}
