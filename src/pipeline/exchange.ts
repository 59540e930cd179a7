// One request and its answer, from accept to settle. It holds the state that the stages work on and guards the one rule
// that nothing may break: it settles exactly once, whoever leaves first, and gives back everything it took.
//
//   waiting -> dispatching -> streaming -> settled          (any of them -> settled, when the client or the upstream leaves)
import { type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'
import { NO_USAGE, type Usage, type UsageSource } from '../model/usage.js'
import { type DecodedRequest } from '../protocols/codec.js'
import { type RouteTarget } from '../routing/router.js'
import { StreamLog } from '../stream/log.js'
import { type StreamEnd } from '../stream/reader.js'
import { type ClientRequest, type ExchangeHandle } from './client.js'
import { type Meter } from './outlet.js'
import { type PipelineParts } from './parts.js'
import { type Delivery, type Sink } from './sink.js'

/** The part of an attempt that the exchange may stop. */
export type Abortable = { abort(): void }

/** What became of an exchange; the input of settle. */
export type Ending = {
  readonly outcome: Outcome
  readonly status: number
  readonly error: ErrorData | null
  /** What was thrown, for the log alone. */
  readonly cause: unknown
  readonly responseBytes: number
}

/** The settle stage, injected so that the state does not import its own end. */
export type SettleHook = (exchange: Exchange, ending: Ending) => void

export class Exchange implements ExchangeHandle {
  readonly request: ClientRequest
  readonly sink: Sink
  readonly parts: PipelineParts
  readonly #onSettle: SettleHook

  /** Length of the body as it came; the bytes themselves may be in a worker. */
  readonly requestBytes: number
  /** The client's bytes, wherever they are now: a worker that has had them gives them back in memory of their own. */
  body: Uint8Array<ArrayBuffer>
  decoded: DecodedRequest | null = null
  /** Target of the attempt that answers, or of the last one. */
  routed: RouteTarget | null = null
  attempts = 0
  dropped: readonly string[] = []
  /** The metrics series of the current target. */
  metricsSlot = 0
  holdsSlot = false
  reservedTokens = 0
  /** Stops waiting: leaves the limiter's queue, or fails the current attempt. */
  onCancel: (() => void) | null = null
  call: Abortable | null = null
  /** What the current attempt has seen of tokens; null before an upstream has answered. */
  meter: Meter | null = null
  log: StreamLog | null = null
  /** The stream's head has gone to the sink; errors are in-band from here on. */
  hasBegun = false
  /** The sink reads the log; its `onDone` will settle the exchange. */
  isFollowed = false
  keepaliveTimer: NodeJS.Timeout | null = null
  firstTokenAtMs: number | null = null
  lastFrameAtMs = 0
  upstreamStartedAtMs: number | null = null
  upstreamEndedAtMs: number | null = null
  usage: Usage = NO_USAGE
  usageSource: UsageSource = 'estimated'
  #end: StreamEnd | null = null
  #isSettled = false

  constructor(request: ClientRequest, sink: Sink, parts: PipelineParts, onSettle: SettleHook) {
    this.request = request
    this.sink = sink
    this.parts = parts
    this.requestBytes = request.body.length
    this.body = request.body
    this.#onSettle = onSettle
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** The client left before its stream was followed. Idempotent. */
  cancel(): void {
    if (this.#isSettled) return
    this.settle({ outcome: 'client_gone', status: CLIENT_GONE_STATUS, error: null, cause: null, responseBytes: 0 })
  }

  /** The log that readers follow, made with the first frame. When its last reader leaves, the upstream is aborted. */
  openLog(): StreamLog {
    this.log ??= new StreamLog({ capBytes: this.parts.config.server.maxReaderLagBytes, retainBytes: 0 }, () =>
      this.abortCall(),
    )
    return this.log
  }

  /** Tells the readers how it ended; the exchange settles when the client's side has taken it. Only the first end counts. */
  closeLog(end: StreamEnd): void {
    if (this.#end !== null) return
    this.#end = end
    this.openLog().close(end)
  }

  /** The sink is done with the stream: the client took all, left, or was cut. */
  deliver(delivery: Delivery): void {
    const end = this.#end
    const outcome = delivery.result !== 'delivered' ? delivery.result : (end?.outcome ?? 'failed')
    this.settle({
      outcome,
      status: STREAM_STATUS,
      error: end?.error ?? null,
      responseBytes: delivery.bytes,
      cause: null,
    })
  }

  abortCall(): void {
    const call = this.call
    this.call = null
    call?.abort()
  }

  /** The end of everything; only the first call counts. */
  settle(ending: Ending): void {
    if (this.#isSettled) return
    this.#isSettled = true
    if (this.keepaliveTimer !== null) clearTimeout(this.keepaliveTimer)
    const onCancel = this.onCancel
    this.onCancel = null
    onCancel?.()
    this.abortCall()
    this.#onSettle(this, ending)
  }
}

/** A stream's head has always been 200, whatever came later. */
const STREAM_STATUS = 200
/** nginx's "client closed request": for log and metric only. */
const CLIENT_GONE_STATUS = 499
