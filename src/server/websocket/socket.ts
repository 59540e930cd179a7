// One WebSocket with its open chats. Chats with something to send wait in a queue and take turns, one entry each; while
// the socket is full nothing is read from any log. A socket that stays full is cut with 1013, never continued with a hole.
//
//   chat a --enqueue--> [ b | c | a ] --one entry--> cork --> engine --> socket      full: wait for drain
import { type WebSocket } from '../engine/engine.js'
import { CORK_BUDGET_BYTES } from '../engine/response.js'
import { type WsCodec } from './codec.js'

/** One exchange on a socket. */
export type SocketChat = {
  readonly id: string
  /** The window of the log has moved past its reader. */
  readonly isCut: boolean
  /** Another node has its kept stream. */
  readonly isMoved: boolean
  /** The socket's own mark. */
  isQueued: boolean
  /** Sends one entry of the log, or the end. True: there may be more. */
  sendNext(): boolean
  /** Its client wants no more of it. */
  cancel(): void
  /** Nothing is sent any more. */
  leave(result: 'client_gone' | 'slow_reader' | 'moved'): void
}

/** What an exchange needs of its socket. */
export type SocketCarrier = {
  /** It has something to send and gets a turn. */
  enqueue(chat: SocketChat): void
  /** Sends a message now. */
  send(message: Uint8Array): void
  /** It is over; its id is free again. */
  forget(chat: SocketChat): void
}

export type WsSocketOptions<UserData> = {
  readonly ws: WebSocket<UserData>
  readonly codec: WsCodec
  readonly readerStallMs: number
}

/** Above this the engine has enough data for the kernel; logs are not read further. */
const HIGH_WATER_BYTES = 64 * 1024
/** Try again later (RFC 6455 registry, "1013"). */
const CLOSE_TRY_LATER = 1013
/** Service restart: reconnect (RFC 6455 registry, "1012"). */
const CLOSE_RESTART = 1012
/** Result of the engine's `send` for a dropped message. */
const DROPPED = 2

/** One client's socket with the chats that are open on it. */
export class WsSocket<UserData = unknown> implements SocketCarrier {
  readonly codec: WsCodec
  readonly #ws: WebSocket<UserData>
  readonly #readerStallMs: number
  readonly #chats = new Map<string, SocketChat>()
  readonly #writeBatch: () => void
  #queue: SocketChat[] = []
  #isOpen = true
  #isBlocked = false
  /** A message was dropped: nothing may follow it. */
  #hasHole = false
  /** A chat of it goes on at another node. */
  #hasMoved = false
  #budget = CORK_BUDGET_BYTES
  #stallTimer: NodeJS.Timeout | null = null

  constructor(options: WsSocketOptions<UserData>) {
    this.#ws = options.ws
    this.codec = options.codec
    this.#readerStallMs = options.readerStallMs
    this.#writeBatch = () => this.#write()
  }

  get chatCount(): number {
    return this.#chats.size
  }

  find(id: string): SocketChat | null {
    return this.#chats.get(id) ?? null
  }

  open(sink: SocketChat): void {
    this.#chats.set(sink.id, sink)
  }

  /** The chat is over; its id is free again. */
  forget(sink: SocketChat): void {
    if (this.#chats.get(sink.id) === sink) this.#chats.delete(sink.id)
    if (this.#hasMoved && this.#chats.size === 0) queueMicrotask(() => this.end(CLOSE_RESTART, 'moved'))
  }

  /** The chat has something to send. */
  enqueue(sink: SocketChat): void {
    if (!this.#isOpen) return
    if (sink.isMoved) this.#move(sink)
    else if (sink.isCut) this.cut()
    else if (!sink.isQueued) {
      sink.isQueued = true
      this.#queue.push(sink)
    }
    this.#pump()
  }

  /** Sends a message now. If the engine drops it, the socket is cut. */
  send(message: Uint8Array): void {
    if (!this.#isOpen || this.#hasHole) return
    this.#budget -= message.length
    const status = this.#ws.send(message, this.codec.isBinary, false)
    if (status === 0) this.#block()
    if (status !== DROPPED) return
    // Not at once: we may be inside a cork, which must not outlive its socket.
    this.#hasHole = true
    this.#isBlocked = true
    queueMicrotask(() => this.cut())
  }

  /** The engine has sent buffered data. */
  drained(): void {
    if (!this.#isOpen) return
    this.#stallTimer?.refresh()
    if (!this.#isBlocked || this.#hasHole || this.#ws.getBufferedAmount() > HIGH_WATER_BYTES / 2) return
    this.#isBlocked = false
    this.#pump()
  }

  /** The client reads too slowly: every chat ends as slow_reader. */
  cut(): void {
    if (!this.#isOpen) return
    this.closed('slow_reader')
    this.#ws.end(CLOSE_TRY_LATER, 'slow_reader')
  }

  /** Closes for a breach of the protocol. */
  end(code: number, reason: string): void {
    if (!this.#isOpen) return
    this.closed('client_gone')
    this.#ws.end(code, reason)
  }

  /** The socket is closed, or is about to be: all its chats end. Idempotent. */
  closed(result: 'client_gone' | 'slow_reader' = 'client_gone'): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer)
    this.#queue = []
    for (const sink of [...this.#chats.values()]) sink.leave(result)
  }

  /** The chat says no more. Its client learns from the close that it has to go on elsewhere, once no other chat needs the socket. */
  #move(sink: SocketChat): void {
    this.#hasMoved = true
    sink.leave('moved')
  }

  /** Writes cork by cork until the chats have nothing to send or the socket is full. */
  #pump(): void {
    while (this.#isOpen && !this.#isBlocked && this.#queue.length > 0) {
      this.#budget = CORK_BUDGET_BYTES
      this.#ws.cork(this.#writeBatch)
      if (this.#isOpen && this.#ws.getBufferedAmount() > HIGH_WATER_BYTES) this.#block()
    }
  }

  #write(): void {
    while (this.#budget > 0 && !this.#isBlocked && this.#isOpen) {
      const sink = this.#queue.shift()
      if (sink === undefined) return
      sink.isQueued = false
      if (!sink.sendNext() || !this.#isOpen || sink.isQueued) continue
      sink.isQueued = true
      this.#queue.push(sink)
    }
  }

  #block(): void {
    this.#isBlocked = true
    if (this.#stallTimer !== null) this.#stallTimer.refresh()
    else {
      this.#stallTimer = setTimeout(() => {
        if (this.#isBlocked) this.cut()
      }, this.#readerStallMs)
      this.#stallTimer.unref()
    }
  }
}
