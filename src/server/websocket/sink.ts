// One chat on a WebSocket: follows its log and turns frames into `event` messages. It does not write by itself: the socket requests
// one entry at a time, so that chats share the socket evenly.

import { type ErrorData } from '../../model/error.js'
import { type Outcome } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type ExchangeHandle } from '../../pipeline/client.js'
import { outcomeOf } from '../../pipeline/outcome.js'
import { type Answer, type Delivery, type QueuePlace, type Sink } from '../../pipeline/sink.js'
import { toDollars } from '../../prices/cost.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { brokenFrame, isSilent } from '../../protocols/frame-payload.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'
import { createFrameScanner } from '../../wire/frame.js'
import { eventHead, readErrorMember, type WsCodec } from './codec.js'
import { type SocketCarrier, type SocketChat } from './socket.js'

/** What a chat needs from its socket. */
export type ChatCarrier = SocketCarrier & { readonly codec: WsCodec }

export type WsSinkOptions = {
  readonly socket: ChatCarrier
  /** The client's id of the chat. */
  readonly id: string
  readonly surface: Surface
  readonly requestId: string
  /** Of the frames it follows; `sse` unless given. */
  readonly framing?: 'sse' | 'ndjson'
}

/** A kept stream as a chat on it sees it. */
export type KeptChat = {
  readonly stream: string
  /** Ends it, for all its readers. */
  readonly stop: () => void
}

/** The sink of one chat. */
export class WsSink implements Sink, SocketChat {
  readonly transport = 'websocket'
  readonly id: string
  readonly #options: WsSinkOptions
  readonly #socket: ChatCarrier
  readonly #eventHead: Buffer
  readonly #scanner: ReturnType<typeof createFrameScanner>
  #reader: FrameReader | null = null
  #onDone: ((delivery: Delivery) => void) | null = null
  #handle: ExchangeHandle | null = null
  /** Number of the next event: of its frame where the stream is kept, else counted. */
  #seq = 0
  #kept: KeptChat | null = null
  #bytes = 0
  #isOver = false
  /** In the socket's queue; the socket's own mark. */
  isQueued = false

  constructor(options: WsSinkOptions) {
    this.#options = options
    this.#socket = options.socket
    this.id = options.id
    this.#eventHead = eventHead(options.id)
    this.#scanner = createFrameScanner(options.framing ?? 'sse', (payload) => this.#sendEvent(payload))
  }

  /** True once the window of the log has moved past this chat's reader. */
  get isCut(): boolean {
    return this.#reader?.isCut ?? false
  }

  /** True once another node has the kept stream, and the client has to go on there. */
  get isMoved(): boolean {
    return this.#reader?.isMoved ?? false
  }

  /** Cancels the exchange until this sink follows its stream. */
  hold(handle: ExchangeHandle): void {
    this.#handle = handle
  }

  /** Its stream is kept, so what it follows are single frames with their numbers. */
  keep(kept: KeptChat): void {
    this.#kept = kept
  }

  /** The same for a new stream, whose id the client learns. */
  announce(kept: KeptChat): void {
    this.keep(kept)
    const { requestId } = this.#options
    if (!this.#isOver) this.#sendMessage({ type: 'opened', id: this.id, stream: kept.stream, requestId })
  }

  reply(answer: Answer): void {
    if (this.#isOver) return
    const { id } = this
    if (answer.error !== null) {
      const outcome = outcomeOf(answer.error, false)
      this.#sendMessage({
        type: 'error',
        id,
        requestId: this.#options.requestId,
        error: readErrorMember(answer.body),
        outcome,
      })
    } else {
      this.#sendEvent(Buffer.from(answer.body))
      this.#sendMessage({ type: 'done', id, requestId: this.#options.requestId, outcome: 'complete' })
    }
    this.#close('delivered')
  }

  /** A WebSocket has no headers. */
  begin(): void {}

  /** The socket pings by itself. */
  keepalive(): void {}

  queued({ position, etaMs }: QueuePlace): void {
    if (!this.#isOver) this.#sendMessage({ type: 'queued', id: this.id, position, etaMs })
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.#onDone = onDone
    this.#reader = attach(() => this.#socket.enqueue(this))
    if (this.#isOver) this.#settle('client_gone')
  }

  /** Sends one entry of the log, or the end. True: there may be more. */
  sendNext(): boolean {
    const reader = this.#reader
    if (reader === null) return false
    const { offset } = reader
    const entry = reader.read()
    if (entry !== null) {
      if (this.#kept !== null) this.#seq = offset
      this.#scanner.push(Buffer.from(entry.buffer, entry.byteOffset, entry.length))
      return true
    }
    const end = reader.end()
    if (end === null) return false
    this.#scanner.end()
    if (this.#kept !== null) this.#seq = offset
    this.#sendMessage(this.#endMessage(end))
    this.#close('delivered')
    return false
  }

  /** The client cancelled this chat, and with it a kept stream. */
  cancel(): void {
    if (this.#isOver) return
    this.#sendMessage({ type: 'done', id: this.id, requestId: this.#options.requestId, outcome: 'client_gone' })
    this.leave('client_gone')
    this.#kept?.stop()
  }

  /** The socket is gone or too slow, or the client goes on elsewhere; nothing is sent any more. */
  leave(result: 'client_gone' | 'slow_reader' | 'moved'): void {
    if (this.#isOver) return
    this.#close(result)
    if (this.#onDone === null) this.#handle?.cancel()
  }

  #sendEvent(payload: Buffer): void {
    if (this.#isOver || payload.length === 0) return
    const message = this.#socket.codec.encodeEvent(this.#eventHead, this.id, this.#seq, payload)
    if (message === null) {
      // Also the end marker, which `done` replaces.
      if (isSilent(payload)) return
      this.#sendMessage(this.#errorMessage(brokenFrame(), 'upstream_cut'))
      this.#close('upstream_cut')
      return
    }
    this.#seq += 1
    this.#bytes += message.length
    this.#socket.send(message)
  }

  #sendMessage(message: JsonObject): void {
    const bytes = this.#socket.codec.encode(message)
    this.#bytes += bytes.length
    this.#socket.send(bytes)
  }

  #endMessage(end: StreamEnd): JsonObject {
    const { outcome, error, costNano = null } = end
    const cost = costNano === null ? {} : { cost: Number(toDollars(costNano)) }
    const usage = { usage: encodeUsage(end.usage), usage_source: end.usageSource, ...cost }
    if (error !== null) return { ...this.#errorMessage(error, outcome), ...usage }
    // The end marker was the last frame.
    const seq = this.#kept === null ? {} : { seq: this.#seq - 1 }
    return { type: 'done', id: this.id, ...seq, requestId: this.#options.requestId, outcome, ...usage }
  }

  #errorMessage(error: ErrorData, outcome: Outcome): JsonObject {
    const { surface, requestId } = this.#options
    const { body } = surface.encodeError(error, requestId)
    const seq = this.#kept === null ? {} : { seq: this.#seq }
    return { type: 'error', id: this.id, ...seq, requestId, error: body.error ?? body, outcome }
  }

  #close(result: Delivery['result']): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#socket.forget(this)
    this.#settle(result)
  }

  #settle(result: Delivery['result']): void {
    const reader = this.#reader
    if (reader === null) return
    this.#reader = null
    reader.detach()
    this.#onDone?.({ result, bytes: this.#bytes })
  }
}

/** Usage under the names of this API. */
function encodeUsage(usage: StreamEnd['usage']): JsonObject {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  }
}
