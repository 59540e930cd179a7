// What an operator sees of the open exchanges of a pipeline, and does to them: facts, a cancel, a watch. Facts are read from the
// exchange when they are asked for, so they cost a request nothing.
import { GatewayError } from '../errors.js'
import { type ErrorData } from '../model/error.js'
import { type Outcome } from '../model/event.js'
import { type FrameReader } from '../streams/reader.js'
import { type Transport } from '../telemetry/records.js'
import { NO_ATTEMPT } from './attempt-state.js'
import { fail } from './delivery/reject.js'
import { outputTokensSeen } from './delivery/usage.js'
import { type ExchangeIn } from './exchange.js'

/** An exchange as an operator has it. */
export type OperatorExchange = ExchangeIn<'operator'>

/**
 * `waiting`: for a slot of a limit; `first_token`: for the first content of a provider; `parked`: the stream is kept, and nobody reads
 * it at present.
 */
export type OpenState = 'waiting' | 'first_token' | 'streaming' | 'parked'

export type OpenFacts = {
  readonly requestId: string
  readonly surface: string
  /** Name of the gateway key; null without one. */
  readonly key: string | null
  /** The name that the client sent; null while the body is not read. */
  readonly model: string | null
  /** `provider/model` of the present attempt; null before the first. */
  readonly target: string | null
  readonly transport: Transport
  readonly state: OpenState
  readonly attempts: number
  readonly ageMs: number
  readonly timeToFirstTokenMs: number | null
  /** Of the present attempt, estimated until the provider reports it. */
  readonly outputTokens: number
  /** Since the first token; null before. */
  readonly tokensPerSec: number | null
  /** Beginning of the id of the kept stream; null if it is not kept. */
  readonly stream: string | null
}

const MS_PER_SEC = 1000
/** A status that clients do not retry: what was cancelled would be back at once. */
const CANCELLED = GatewayError.shared('client_gone', {
  status: 403,
  message: 'An operator of the gateway cancelled this request.',
})

/** The facts of an open exchange, now. */
export function factsOf(exchange: OperatorExchange): OpenFacts {
  const { request, current, decoded, sink, context } = exchange
  const nowMs = context.clock.nowMs()
  const target = current.routed?.target
  const { firstTokenAtMs } = current
  const outputTokens = outputTokensSeen(current)
  const sinceFirstSec = firstTokenAtMs === null ? 0 : (nowMs - firstTokenAtMs) / MS_PER_SEC
  return {
    requestId: request.requestId,
    surface: request.surface.id,
    key: request.key.name,
    model: decoded?.facts.model ?? null,
    target: target === undefined ? null : `${target.provider}/${target.model}`,
    transport: sink.transport,
    state: stateOf(exchange),
    attempts: exchange.attempts,
    ageMs: Math.round(nowMs - request.acceptedAtMs),
    timeToFirstTokenMs: firstTokenAtMs === null ? null : Math.round(firstTokenAtMs - request.acceptedAtMs),
    outputTokens,
    tokensPerSec: sinceFirstSec > 0 ? Math.round((outputTokens / sinceFirstSec) * 10) / 10 : null,
    stream: sink.streamId ?? null,
  }
}

function stateOf({ sink, current, borrowed, isFollowed, holdsSlot }: OperatorExchange): OpenState {
  if (sink.isParked === true) return 'parked'
  if (current.firstTokenAtMs !== null || (borrowed !== null && isFollowed)) return 'streaming'
  return holdsSlot || current !== NO_ATTEMPT ? 'first_token' : 'waiting'
}

/** Ends it as if its client had left, which gets an error; false if it has ended already. `by`: the operator, for the log. */
export function cancelBy(exchange: OperatorExchange, by: string): boolean {
  if (exchange.isEnded) return false
  exchange.cancelledBy = by
  fail(exchange, CANCELLED)
  return true
}

/** How an exchange ended, as its watchers learn it. */
export type SeenEnd = { readonly outcome: Outcome; readonly status: number; readonly error: ErrorData | null }

/**
 * A reader of an exchange beside its client: it gets what the client gets, from the oldest frame on that is still held. It is cut like
 * any other that lags behind, and its leaving changes nothing. An answer without frames, and one from another's frames, has only an end.
 */
export class Watch {
  readonly #exchange: OperatorExchange
  readonly #onReadable: () => void
  #reader: FrameReader | null = null
  #end: SeenEnd | null = null

  constructor(exchange: OperatorExchange, onReadable: () => void) {
    this.#exchange = exchange
    this.#onReadable = onReadable
    exchange.watches = [...(exchange.watches ?? []), this]
    if (exchange.isFollowed) this.followed()
  }

  get isCut(): boolean {
    return this.#reader?.isCut === true
  }

  /** The next whole frames; null if it has caught up. The bytes must not be changed. */
  read(): Uint8Array | null {
    return this.#reader?.read() ?? null
  }

  /** The end, which is told after the last frame. */
  get end(): SeenEnd | null {
    return this.#end
  }

  /** Leaves. Idempotent. */
  detach(): void {
    this.#exchange.watches = this.#exchange.watches?.filter((each) => each !== this) ?? null
    this.#reader?.detach()
  }

  /** Only for the exchange: there are frames from now on. */
  followed(): void {
    const { log } = this.#exchange
    if (log !== null && this.#reader === null) this.#reader = log.attach(this.#onReadable, log.start)
  }

  /** Only for the exchange. */
  settled(end: SeenEnd): void {
    this.#end = end
    this.#onReadable()
  }
}
