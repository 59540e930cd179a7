// One turn on a WebSocket whose surface has a mode of its own: follows its log and turns frames into messages of its lane. Like a chat's sink
// it does not write by itself: the socket asks it for one entry at a time, so that lanes share the socket evenly.
import { type ExchangeHandle } from '../../pipeline/client.js'
import { type Answer, type Delivery, type HeaderList, type Sink, type StreamFormat } from '../../pipeline/sink.js'
import { type SocketMode } from '../../protocols/contract/socket-mode.js'
import { brokenFrame, isSilent } from '../../protocols/frame-payload.js'
import { type FrameReader } from '../../streams/reader.js'
import { createFrameScanner } from '../../wire/frame.js'
import { readErrorMember } from './codec.js'
import { type SocketCarrier, type SocketChat } from './socket.js'

export type LaneSinkOptions = {
  readonly socket: SocketCarrier
  readonly mode: SocketMode
  readonly lane: string | null
  readonly requestId: string
  /** The turn is over; called once. */
  readonly onOver: (sink: LaneSink) => void
}

/** What clients wait by before they try again. */
const WAITING_HEADER = /^retry-after/

export class LaneSink implements Sink, SocketChat {
  readonly transport = 'websocket'
  readonly id: string
  readonly lane: string | null
  readonly #options: LaneSinkOptions
  readonly #tail: Buffer
  readonly #scanner: ReturnType<typeof createFrameScanner>
  #reader: FrameReader | null = null
  #onDone: ((delivery: Delivery) => void) | null = null
  #handle: ExchangeHandle | null = null
  #format: StreamFormat | null = null
  #bytes = 0
  #isOver = false
  /** Events that it has sent. */
  sent = 0
  /** Of the answer that it sends; null before its first event. */
  answerId: string | null = null
  isQueued = false

  constructor(options: LaneSinkOptions) {
    this.#options = options
    this.id = options.requestId
    this.lane = options.lane
    this.#tail = options.mode.encodeTail(options.lane)
    this.#scanner = createFrameScanner('sse', (payload) => this.#sendEvent(payload))
  }

  get isCut(): boolean {
    return this.#reader?.isCut ?? false
  }

  get isMoved(): boolean {
    return this.#reader?.isMoved ?? false
  }

  /** Cancels the exchange until this sink follows its stream. */
  hold(handle: ExchangeHandle): void {
    this.#handle = handle
  }

  reply({ status, headers, body, error }: Answer): void {
    if (this.#isOver) return
    if (error === null) this.#sendEvent(Buffer.from(body))
    else {
      const { mode, lane } = this.#options
      const message = mode.encodeError(readErrorMember(body), { status, lane, headers: waitingOf(headers) })
      this.#send(Buffer.from(JSON.stringify(message)))
    }
    this.#close('delivered')
  }

  /** A WebSocket has no headers. */
  begin(_head: object, format: StreamFormat): void {
    this.#format = format
  }

  /** The socket pings by itself. */
  keepalive(): void {}

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.#onDone = onDone
    this.#reader = attach(() => this.#options.socket.enqueue(this))
    if (this.#isOver) this.#settle('client_gone')
  }

  /** Sends one entry of the log, or the end. True: there may be more. */
  sendNext(): boolean {
    const reader = this.#reader
    if (reader === null) return false
    const entry = reader.read()
    if (entry !== null) {
      this.#scanner.push(Buffer.from(entry.buffer, entry.byteOffset, entry.length))
      return true
    }
    const end = reader.end()
    if (end === null) return false
    this.#scanner.end()
    if (end.error !== null && !this.#isOver) this.#fail(end.error)
    this.#close('delivered')
    return false
  }

  cancel(): void {
    this.leave('client_gone')
  }

  /** The socket is gone or too slow; nothing is sent any more. */
  leave(result: 'client_gone' | 'slow_reader' | 'moved'): void {
    if (this.#isOver) return
    this.#close(result)
    if (this.#onDone === null) this.#handle?.cancel()
  }

  #sendEvent(payload: Buffer): void {
    if (this.#isOver || payload.length === 0) return
    const { mode } = this.#options
    const message = mode.encodeEvent(payload, this.#tail)
    if (message === null) {
      // Also the end marker of servers that send one: the last event is the end.
      if (isSilent(payload)) return
      this.#fail(brokenFrame())
      this.#close('upstream_cut')
      return
    }
    if (this.sent === 0) this.answerId = mode.answerId(payload)
    this.sent += 1
    this.#send(message)
  }

  #fail(error: Parameters<StreamFormat['encodeErrorFrame']>[0]): void {
    const { mode, lane } = this.#options
    const frame = this.#format?.encodeErrorFrame(error) ?? ''
    for (const message of mode.encodeFailure(frame, error, lane)) this.#send(message)
  }

  #send(message: Uint8Array): void {
    this.#bytes += message.length
    this.#options.socket.send(message)
  }

  #close(result: Delivery['result']): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.socket.forget(this)
    this.#settle(result)
    this.#options.onOver(this)
  }

  #settle(result: Delivery['result']): void {
    const reader = this.#reader
    if (reader === null) return
    this.#reader = null
    reader.detach()
    this.#onDone?.({ result, bytes: this.#bytes })
  }
}

function waitingOf(headers: HeaderList): Record<string, string> {
  return Object.fromEntries(headers.filter(([name]) => WAITING_HEADER.test(name)))
}
