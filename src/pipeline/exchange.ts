// One request and its answer, from accept to settle. It holds the state of the stages and enforces the central rule: it settles
// exactly once, whichever side leaves first, and releases everything it took.
//
//   waiting -> dispatching -> streaming -> settled          (any of them -> settled, when the client or the upstream leaves)
import { type BudgetSet } from '../accounts/budgets/types.js'
import { errorData } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'
import { type Target } from '../model/target.js'
import { type DecodedRequest } from '../protocols/contract/request-task.js'
import { ENTRY_COST_BYTES, StreamLog } from '../streams/log.js'
import { type StreamEnd } from '../streams/reader.js'
import { type BorrowedLog } from '../streams/sharing/borrowed-log.js'
import { type RequestTrace, type SharedRecord, type TracedTry, type Try } from '../telemetry/records.js'
import { Attachments } from './attachments.js'
import { type AttemptState, type AttemptView, NO_ATTEMPT, spentMs } from './attempt-state.js'
import { type AcceptedRequest, type ClientRequest, type ExchangeHandle, type OwnAnswer } from './client.js'
import { type PipelineContext } from './context.js'
import { type Placed } from './open-exchanges.js'
import { type Delivery, type HeaderList, type Sink } from './sink.js'

/** Reads along, beside the sink. */
export type Watching = {
  /** The log has its first reader; it may be another exchange's. */
  followed(): void
  settled(ending: Ending): void
}

/** A cap below one that a target has rejected, for this request. */
export type AcceptedCap = { readonly target: Target; readonly tokens: number; readonly tries: number }

/** What this target accepts of the request; null if it has rejected no cap. */
export function acceptedBy({ accepted }: ExchangeView, { provider, model }: Target): AcceptedCap | null {
  return accepted?.target.provider === provider && accepted.target.model === model ? accepted : null
}

/** The part of an attempt that the exchange may stop. */
export type Abortable = { abort(): void }

/** The result of an exchange; the input of settle. */
export type Ending = {
  readonly outcome: Outcome
  readonly status: number
  readonly error: ErrorData | null
  /** The thrown value, only for the log. */
  readonly cause: unknown
  readonly responseBytes: number
}

/** Which part of the pipeline writes which fields. All others are written here or in the lifecycle, the only ones with the class itself. */
type Writes = {
  admit: 'holdsSlot' | 'reservedTokens' | 'onCancel' | 'queuedMs'
  share: 'sink' | 'onCancel' | 'sharedHeaders' | 'shared' | 'borrowed'
  defaults: 'prompt'
  recall: 'own'
  count: 'decoded'
  dispatch: 'budgets' | 'accepted' | 'deadlineAtMs' | 'body' | 'call' | 'onCancel' | 'upstreamSpentMs'
  attempt: 'current' | 'body' | 'call' | 'upstreamSpentMs' | 'costNano' | 'unpricedAttempts'
  delivery: 'hasBegun' | 'isFollowed' | 'lastFrameAtMs' | 'keepaliveTimer'
  operator: 'cancelledBy' | 'watches'
}

/** The exchange, read-only, with its methods. Without the class's private part, so it cannot be passed as the class. */
export type ExchangeView = Readonly<Exchange>

/** The exchange as one part of the pipeline sees it, which may write only its own fields. */
export type ExchangeIn<Room extends keyof Writes> = ExchangeView & Pick<Exchange, Writes[Room]>

/** The settle stage, injected so that the exchange does not import it. */
export type SettleHook = (exchange: Exchange, ending: Ending) => void

export class Exchange implements ExchangeHandle, Placed {
  /** Without its body, which is released as soon as no other target may need it. */
  readonly request: AcceptedRequest
  /** The client's own, or one before it from which others are answered too. */
  sink: Sink
  readonly context: PipelineContext
  /** Its place in a trace; null where it is not traced. */
  readonly trace: RequestTrace | null
  readonly #onSettle: SettleHook

  /** Length of the body as it came; the bytes themselves may be in a worker. */
  readonly requestBytes: number
  /** The client's bytes, wherever they are now: a worker returns them in new memory. */
  body: Uint8Array<ArrayBuffer>
  decoded: DecodedRequest | null = null
  /** The library prompt that the request names. */
  prompt: string | null = null
  /** The content fetched from the client's URLs; null if there is none, and as soon as no other target may need it. */
  attachments: Attachments | null
  /** The answer's own id and where it is stored; null for surfaces whose answers have none. */
  own: OwnAnswer | null = null
  /** Those that hold for it; null for none. */
  budgets: BudgetSet | null = null
  /** The most output that the last target accepts of this request; null while none has rejected a cap. */
  accepted: AcceptedCap | null = null
  /** The attempt that answers, or the last one. */
  current: AttemptView = NO_ATTEMPT
  attempts = 0
  /** The client's own deadline for the complete answer, in monotonic ms. */
  deadlineAtMs = Number.POSITIVE_INFINITY
  holdsSlot = false
  /** How long it waited for its slot; null if it did not. */
  queuedMs: number | null = null
  reservedTokens = 0
  /** Stops waiting: leaves the limiter's queue, or fails the current attempt. */
  onCancel: (() => void) | null = null
  call: Abortable | null = null
  log: StreamLog | null = null
  /** In place of `log` where another exchange's frames are the answer. */
  borrowed: BorrowedLog | null = null
  /** How the answer is shared; null where it is not. */
  sharedHeaders: HeaderList | null = null
  shared: SharedRecord | null = null
  /** The stream's head has gone to the sink; errors are in-band from here on. */
  hasBegun = false
  /** The sink reads the log; its `onDone` will settle the exchange. */
  isFollowed = false
  keepaliveTimer: NodeJS.Timeout | null = null
  /** The operator who cancelled it; null if none did. */
  cancelledBy: string | null = null
  watches: readonly Watching[] | null = null
  /** Its index among the open exchanges. */
  openAt = -1
  lastFrameAtMs = 0
  /** Time that earlier attempts spent with their upstreams. */
  upstreamSpentMs = 0
  /** The cost of the attempts, in nano-dollars; null while none has one. */
  costNano: number | null = null
  /** Attempts whose cost is not known. */
  unpricedAttempts = 0
  /** The results of the attempts, from the first failure on, and of a traced request all; null while there is none. */
  tries: Try[] | null = null
  #end: StreamEnd | null = null
  #cause: unknown = null
  #isSettled = false

  constructor(request: ClientRequest, sink: Sink, context: PipelineContext, onSettle: SettleHook) {
    const { requestId, surface, key, body, parameterHeaders, acceptedAtMs } = request
    const { path = null, origin = null, isCounted = false, sharing = null, shelf = null, formType = null } = request
    // Member by member: spreads take 2 us (V8 11.3).
    this.request = {
      requestId,
      surface,
      key,
      parameterHeaders,
      acceptedAtMs,
      path,
      origin,
      isCounted,
      sharing,
      shelf,
      formType,
    }
    this.own = request.own ?? null
    this.trace = context.tracer?.begin(parameterHeaders) ?? null
    this.sink = sink
    this.context = context
    this.requestBytes = body.length
    this.body = body
    this.#onSettle = onSettle
    const { fetching } = context
    this.attachments = fetching === null ? null : new Attachments(context, fetching, this.request)
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Its end is decided, even if the client has not received all of it: no further stage may start. */
  get isEnded(): boolean {
    return this.#isSettled || this.#end !== null
  }

  /** The client left before its stream was followed. Idempotent. */
  cancel(): void {
    if (this.#isSettled) return
    const status = this.hasBegun ? STREAM_STATUS : CLIENT_GONE_STATUS
    this.settle({ outcome: 'client_gone', status, error: null, cause: null, responseBytes: 0 })
  }

  /** The sink itself failed: the client cannot be answered, but everything is released and the log has the cause. */
  giveUp(cause: unknown): void {
    const error = errorData('internal')
    const status = this.hasBegun ? STREAM_STATUS : error.status
    this.settle({ outcome: 'failed', status, error, cause, responseBytes: 0 })
  }

  /** A new attempt: tokens and the time to the first token of an earlier one no longer count. */
  startAttempt(state: AttemptState): void {
    this.upstreamSpentMs += spentMs(this.current)
    this.current = state
    this.attempts += 1
  }

  /** How an attempt ended, kept from the first failure on, and of a traced request always. `startedAtMs`: null for one that was never sent. */
  noteTry(ended: Omit<Try, 'ms' | 'traced'>, startedAtMs: number | null, traced: TracedTry | null = null): void {
    if (ended.result === 'ok' && this.tries === null && traced === null) return
    const ms = startedAtMs === null ? 0 : this.context.clock.nowMs() - startedAtMs
    this.tries ??= []
    const { provider, model, result, error } = ended
    // Member by member, as above.
    this.tries.push(
      traced === null ? { provider, model, result, error, ms } : { provider, model, result, error, ms, traced },
    )
  }

  /** No further target will be tried: a stream that runs for minutes does not hold its prompt. */
  forgetBody(): void {
    this.body = NO_BODY
    this.#dropAttachments()
    const { decoded } = this
    if (decoded === null) return
    const { facts, estimatedTokens } = decoded
    this.decoded = { facts, estimatedTokens, json: null, head: null, members: NO_MEMBERS }
  }

  #dropAttachments(): void {
    this.attachments?.drop()
    this.attachments = null
  }

  /** The log that readers follow, made with the first frame. When its last reader leaves, the upstream is aborted. */
  openLog(): StreamLog | BorrowedLog {
    if (this.borrowed !== null) return this.borrowed
    if (this.log !== null) return this.log
    const { maxReaderLagBytes, maxResponseBytes } = this.context.config.server
    // Bytes are not paced by a model: a client gets as much time for them as for a whole answer.
    const isPaced = this.current.framing !== 'bytes'
    const capBytes = isPaced ? maxReaderLagBytes : Math.max(maxReaderLagBytes, maxResponseBytes)
    const options = { capBytes, retainBytes: 0, entryCostBytes: ENTRY_COST_BYTES }
    this.log = new StreamLog(options, () => this.abortCall())
    return this.log
  }

  /** Ends the log for its readers; the exchange settles when the client's side has received the end. Only the first end counts. */
  closeLog(end: StreamEnd, cause: unknown = null): void {
    if (this.#end !== null) return
    this.#end = end
    this.#cause = cause
    this.openLog().close(end)
  }

  /** The sink is done with the stream: the client took all, left, or was cut. */
  deliver(delivery: Delivery): void {
    const end = this.#end ?? this.borrowed?.streamEnd ?? null
    const { result } = delivery
    const isTaken = result === 'delivered' || result === 'moved'
    const outcome = isTaken ? (end?.outcome ?? 'failed') : result
    this.settle({
      outcome,
      status: STREAM_STATUS,
      error: end?.error ?? null,
      cause: this.#cause,
      responseBytes: delivery.bytes,
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
    this.#dropAttachments()
    this.abortCall()
    this.#onSettle(this, ending)
    if (this.watches !== null) for (const watch of this.watches) watch.settled(ending)
    this.own?.settled?.(isAnswered(ending) ? null : (ending.error ?? errorData('upstream_cut')))
  }
}

/** The client has a whole answer, which a budget may have cut. */
function isAnswered({ outcome, error }: Ending): boolean {
  return outcome === 'complete' || (outcome === 'limit' && error === null)
}

const NO_MEMBERS: readonly never[] = Object.freeze([])
const NO_BODY = new Uint8Array(0)
/** The status of a stream was always 200, whatever happened later. */
const STREAM_STATUS = 200
/** nginx's "client closed request": for log and metric only. */
const CLIENT_GONE_STATUS = 499
