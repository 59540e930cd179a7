// One try at one target: the upstream call's handler below, a relay in the middle, the exchange's log above. Its promise
// settles when content has begun to reach the client (or a whole answer has); what fails after that is told in-band.
//
//   upstream/call --bytes--> Attempt --> relay --> Attempt (outlet) --> log --> readers

import { type Timeouts } from '../config/types.js'
import { errorData, GatewayError, toGatewayError } from '../errors.js'
import { type ErrorCode, type ErrorData } from '../model/error.js'
import { type EncodedAnswer, type EncodedBody } from '../protocols/codec.js'
import { type Dialect } from '../protocols/protocol.js'
import { type RouteTarget } from '../routing/router.js'
import { type StreamLog } from '../stream/log.js'
import { type AttemptResult } from '../telemetry/records.js'
import { type CallHandler, type ResponseHeaders, type UpstreamCall } from '../upstream/call.js'
import { parseRetryAfterMs } from '../wire/http.js'
import { resultAnswer } from './answer.js'
import { followLog } from './begin.js'
import { BodyCollector } from './body-collector.js'
import { type Exchange } from './exchange.js'
import { measureUsage } from './measure.js'
import { type Outlet, type Relay, type WholeKind } from './outlet.js'
import { fail } from './reject.js'
import { createRelay } from './relay.js'

/** Of an upstream's error answer, more than this is not read. */
const MAX_ERROR_BODY_BYTES = 65_536
/** After the end marker, how long the upstream may take to end its body and so leave its connection to be used again. */
const TAIL_MS = 1000
/** An upstream that sends this much without any content is not held back further. */
const MAX_HELD_BACK_BYTES = 262_144
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

const RESULT_OF: Partial<Record<ErrorCode, AttemptResult>> = {
  upstream_unreachable: 'unreachable',
  upstream_timeout: 'timeout',
  upstream_malformed: 'malformed',
  upstream_cut: 'cut',
}

export class Attempt implements CallHandler, Outlet {
  readonly #exchange: Exchange
  readonly #routed: RouteTarget
  readonly #dialect: Dialect
  #call: UpstreamCall | null = null
  #relay: Relay | null = null
  #refusal: { status: number; retryAfterMs: number | null; body: BodyCollector } | null = null
  #upstreamStreams = false
  /** Frames that came before the first content. */
  #heldBack: Uint8Array[] = []
  #hasContent = false
  #lastContentAtMs = 0
  #heldBackBytes = 0
  /** The call may still send, and the provider's slot is ours. */
  #isUpstreamOpen = true
  /** Success, failure or abort is decided; what still comes is not looked at. */
  #isOver = false
  #tail: NodeJS.Timeout | null = null
  #resolve: (() => void) | null = null
  #reject: ((error: GatewayError) => void) | null = null

  constructor(exchange: Exchange, routed: RouteTarget, dialect: Dialect) {
    this.#exchange = exchange
    this.#routed = routed
    this.#dialect = dialect
  }

  /** Sends the request. Resolves with the first content, rejects with what failed before it. */
  run(encoded: EncodedBody, upstreamStreams: boolean): Promise<void> {
    const exchange = this.#exchange
    const { provider, target } = this.#routed
    const { surface, parameterHeaders } = exchange.request
    this.#upstreamStreams = upstreamStreams
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      exchange.call = this
      exchange.upstreamStartedAtMs = exchange.parts.clock.nowMs()
      exchange.upstreamEndedAtMs = null
      this.#call = exchange.parts.upstream.call(
        {
          provider,
          path: encoded.path,
          headers: surface.id === target.protocol ? pick(parameterHeaders, this.#dialect.parameterHeaders) : NO_HEADERS,
          body: encoded.body,
          isStream: upstreamStreams,
        },
        this,
        upstreamStreams ? provider.timeouts : untilTotal(provider.timeouts),
      )
      // The call may have failed before it was returned.
      if (this.#isOver) this.#call.abort()
    })
  }

  /** The exchange is over: stops the upstream and keeps count of what has come. Nothing more is told of this attempt. */
  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#count('aborted')
    measureUsage(this.#exchange, false)
    this.close()
    this.#reject?.(new GatewayError('client_gone'))
    this.#forgetPromise()
  }

  /** Closes the upstream and gives the provider's slot back; idempotent. */
  close(): void {
    if (!this.#isUpstreamOpen) return
    this.#isUpstreamOpen = false
    if (this.#tail !== null) clearTimeout(this.#tail)
    this.#exchange.parts.limiter.leaveProvider(this.#routed.providerIndex)
    if (this.#exchange.call === this) this.#exchange.call = null
    this.#call?.abort()
  }

  // --- upstream/call tells:

  onHead(status: number, headers: ResponseHeaders): void {
    if (status < 200 || status > 299) {
      const retryAfterMs = parseRetryAfterMs((name) => textOf(headers[name]) ?? null, Date.now())
      this.#refusal = { status, retryAfterMs, body: new BodyCollector(MAX_ERROR_BODY_BYTES) }
      return
    }
    const contentType = textOf(headers['content-type']) ?? ''
    if (contentType.startsWith('text/html')) {
      this.fail(
        errorData('upstream_malformed', { message: 'The provider answered with a web page.', upstreamStatus: status }),
      )
      return
    }
    this.#relay = this.#createRelay(contentType)
    this.#exchange.meter = this.#relay
  }

  onBytes(chunk: Buffer): void {
    if (this.#isOver) return
    try {
      if (this.#refusal !== null) this.#refusal.body.push(chunk)
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
  }

  onError(error: GatewayError): void {
    this.close()
    this.#failWith(error)
  }

  // --- the relay tells:

  append(frames: Uint8Array, hasContent: boolean): void {
    if (hasContent) this.#markContent()
    else if (!this.#hasContent) {
      this.#heldBackBytes += frames.length
      this.#heldBack.push(frames)
      if (this.#heldBackBytes < MAX_HELD_BACK_BYTES) return
    }
    const exchange = this.#exchange
    exchange.lastFrameAtMs = exchange.parts.clock.nowMs()
    const log = exchange.openLog()
    if (this.#heldBack.length > 0) this.#releaseHeldBack(log)
    log.append(frames)
    followLog(exchange)
    this.#resolve?.()
    this.#forgetPromise()
  }

  progress(): void {
    this.#markContent()
  }

  complete(): void {
    const exchange = this.#exchange
    this.#succeed()
    exchange.closeLog({ outcome: 'complete', error: null, usage: exchange.usage, usageSource: exchange.usageSource })
    followLog(exchange)
    this.#resolve?.()
    this.#forgetPromise()
  }

  whole(bytes: Uint8Array, kind: WholeKind): void {
    this.#markContent()
    this.#succeed()
    const { offload } = this.#exchange.parts
    const { surface } = this.#exchange.request
    if (kind === 'forward') {
      this.#reply(bytes)
      return
    }
    const task = {
      surfaceId: surface.id,
      target: this.#routed.target,
      body: ownBytes(bytes),
      fallback: this.#fallback(),
    }
    try {
      const making = kind === 'frames' ? offload.aggregate(task) : offload.transcode(task)
      if (making instanceof Promise) making.then(this.#onMade, this.#onUnmade)
      else this.#onMade(making)
    } catch (thrown) {
      this.#onUnmade(thrown)
    }
  }

  fail(error: ErrorData): void {
    this.#failWith(GatewayError.of(error))
  }

  // --- private:

  #createRelay(contentType: string): Relay {
    const { request, decoded, parts } = this.#exchange
    const facts = decoded?.facts
    return createRelay({
      surface: request.surface,
      dialect: this.#dialect,
      target: this.#routed.target,
      outlet: this,
      fallback: this.#fallback(),
      clientStreams: facts?.stream ?? false,
      // What the upstream says it sends counts; a server that names no type is taken to do as it was asked.
      upstreamStreams: contentType.startsWith('application/json')
        ? false
        : contentType.startsWith('text/event-stream') || this.#upstreamStreams,
      includeUsage: facts?.includeUsage ?? false,
      maxResponseBytes: parts.config.server.maxResponseBytes,
    })
  }

  #fallback() {
    const { request, decoded, parts } = this.#exchange
    return { id: request.requestId, model: decoded?.facts.model ?? '', createdSec: parts.clock.unixSec(), usage: null }
  }

  #markContent(): void {
    const exchange = this.#exchange
    const nowMs = exchange.parts.clock.nowMs()
    this.#call?.sawToken()
    if (this.#hasContent) {
      exchange.parts.metrics.interToken(exchange.metricsSlot, (nowMs - this.#lastContentAtMs) / 1000)
    } else {
      this.#hasContent = true
      exchange.firstTokenAtMs = nowMs
    }
    this.#lastContentAtMs = nowMs
  }

  /** The answer is complete. What the upstream still sends is not waited for, but its connection is worth a moment. */
  #succeed(): void {
    const exchange = this.#exchange
    this.#isOver = true
    exchange.upstreamEndedAtMs ??= exchange.parts.clock.nowMs()
    exchange.call = null
    measureUsage(exchange, true)
    this.#count('ok')
    if (this.#isUpstreamOpen) this.#tail = setTimeout(() => this.close(), TAIL_MS)
  }

  readonly #onMade = (answer: EncodedAnswer): void => this.#reply(answer.body)

  #reply(body: Uint8Array): void {
    const exchange = this.#exchange
    if (!exchange.isSettled) {
      exchange.sink.reply(resultAnswer(exchange, body))
      exchange.settle({ outcome: 'complete', status: 200, error: null, cause: null, responseBytes: body.length })
    }
    this.#resolve?.()
    this.#forgetPromise()
  }

  #refuse(refusal: { status: number; retryAfterMs: number | null; body: BodyCollector }): void {
    const error = this.#dialect.decodeError(refusal.status, refusal.body.take())
    this.fail({ ...error, retryAfterMs: refusal.retryAfterMs ?? error.retryAfterMs })
  }

  #failWith(error: GatewayError): void {
    if (this.#isOver) return
    const exchange = this.#exchange
    this.#isOver = true
    exchange.upstreamEndedAtMs ??= exchange.parts.clock.nowMs()
    this.#count(RESULT_OF[error.data.code] ?? 'rejected')
    if (this.#relay !== null) measureUsage(exchange, false)
    this.close()
    this.#end(error)
  }

  /** The upstream's answer was complete, but no whole answer could be made of it. */
  readonly #onUnmade = (thrown: unknown): void => this.#end(toGatewayError(thrown))

  /** Before anything has reached the client another target may be tried; afterwards the failure is final. */
  #end(error: GatewayError): void {
    const reject = this.#reject
    this.#forgetPromise()
    if (reject !== null) reject(error)
    else fail(this.#exchange, error)
  }

  #releaseHeldBack(log: StreamLog): void {
    for (const held of this.#heldBack) log.append(held)
    this.#heldBack = []
  }

  #forgetPromise(): void {
    this.#resolve = null
    this.#reject = null
  }

  #count(result: AttemptResult): void {
    this.#exchange.parts.metrics.upstreamAttempt(this.#routed.provider.name, result)
  }
}

/** Only the parameter headers that this dialect knows. */
function pick(headers: Readonly<Record<string, string>>, names: readonly string[]): Readonly<Record<string, string>> {
  if (names.length === 0) return NO_HEADERS
  return Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)))
}

/** The bytes in memory of their own, which may be moved to a worker: small Buffers share one with their neighbours. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength
  return isOwn ? new Uint8Array(buffer) : new Uint8Array(bytes)
}

/** A header that came more than once counts with its first value. */
function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}

/** A whole answer comes all at once: only the total time bounds it. */
function untilTotal(timeouts: Timeouts): Timeouts {
  return { ...timeouts, firstTokenMs: timeouts.totalMs, betweenTokensMs: timeouts.totalMs }
}
