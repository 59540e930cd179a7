// Many chats on one WebSocket that is replaced when it is lost: each chat goes on after its last event. Connects when there is
// something to say, and comes back only while chats are open.
//
//   chat a, b, c --> [ socket 1 ] lost --> pause --> token --> [ socket 2 ] --> resume a after 17, resume b after 3, chat c
import { ChatFailedError } from './chat-failed-error.js'
import { Listeners } from './listeners.js'
import {
  type ApiEvent,
  type ApiName,
  type ApiRequest,
  type ChatChunk,
  type ChatRequest,
  type ClientMessage,
  type ServerMessage,
} from './messages.js'
import { Patience, type PatienceOptions } from './patience.js'
import { OpenChat, type SocketChat } from './socket-chat.js'

/** What is used of a WebSocket: the browser's, Node's, or that of a library. */
export interface WebSocketLike {
  send(text: string): void
  close(code?: number): void
  addEventListener(type: string, listener: (event: object) => void): void
}

export type SluiceSocketOptions = {
  /** The gateway key, or a token that stands for it, fetched anew for each socket. */
  readonly token?: () => string | null | Promise<string | null>
  /** The global one unless given; Node 20 has none. */
  readonly WebSocket?: new (
    url: string,
    protocols: string[],
  ) => WebSocketLike
  /** How long an outage may last before the open chats are given up, in ms. The gateway itself goes on for `streams.graceMs`. */
  readonly maxOfflineMs?: number
  /** A socket that is silent for so long, although it was asked for a sign of life, is lost, in ms. */
  readonly idleMs?: number
  /** Draws the pauses between attempts, from 0 up to 1; `Math.random` unless given. */
  readonly random?: () => number
}

export type ChatOptions = {
  /** The API of the request and its events: OpenAI chat unless given. */
  readonly api?: 'chat' | ApiName
  /** Cancels the chat. */
  readonly signal?: AbortSignal
  /** False: the gateway ends the chat with the socket. */
  readonly resume?: boolean
}

export type SocketEvents = {
  readonly open: { readonly isFirst: boolean }
  /** The socket is gone; `chats`: so many wait for the next one. */
  readonly lost: { readonly code: number | null; readonly reason: string; readonly chats: number }
  /** The gateway rejected a message that belongs to no chat. */
  readonly error: ChatFailedError
}

type SocketEvent = {
  readonly data?: unknown
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly error?: unknown
}

const MAX_OFFLINE_MS = 60_000
const IDLE_MS = 45_000
/** So many looks at the socket within `idleMs`; the first at which it was silent asks for a sign of life. */
const LOOKS = 3
const SUBPROTOCOL = 'sluice.v1'
/** How the gateway's refusal of a key shows: to a page as a code of the close, to Node as the status of the upgrade. */
const CLOSE_UNAUTHENTICATED = 4401
const REFUSED_STATUS = /server response: 40[13]/
const NORMAL_CLOSE = 1000

/** A connection to the gateway's `/v1/ws` that outlives its sockets. */
export class SluiceSocket {
  readonly #url: string
  readonly #options: SluiceSocketOptions
  readonly #listeners = new Listeners<SocketEvents>()
  readonly #outage: PatienceOptions
  readonly #patience: Patience
  readonly #chats = new Map<string, OpenChat>()
  /** Cancelled, but the gateway has not said so yet. */
  readonly #leaving = new Map<string, OpenChat>()
  #socket: WebSocketLike | null = null
  #state: 'idle' | 'connecting' | 'open' | 'closed' = 'idle'
  #count = 0
  #opens = 0
  #isRefused = false
  #cause: unknown
  #looksInSilence = 0
  #timer: ReturnType<typeof setInterval> | null = null

  constructor(url: string | URL, options: SluiceSocketOptions = {}) {
    this.#url = String(url)
    this.#options = options
    this.#outage = { maxOfflineMs: options.maxOfflineMs ?? MAX_OFFLINE_MS, random: options.random }
    this.#patience = new Patience(this.#outage)
  }

  /** Adds a listener; the function that is given back removes it. */
  on<Name extends keyof SocketEvents>(name: Name, listener: (event: SocketEvents[Name]) => void): () => void {
    return this.#listeners.on(name, listener)
  }

  /** Opens a chat. Nothing is thrown later but into its loop and its `result`. */
  chat<Chunk = ChatChunk>(request: ChatRequest, options?: ChatOptions & { readonly api?: 'chat' }): SocketChat<Chunk>
  chat<Event = ApiEvent>(request: ApiRequest, options: ChatOptions & { readonly api: ApiName }): SocketChat<Event>
  chat(request: ApiRequest, { api, signal, resume = true }: ChatOptions = {}): SocketChat<never> {
    if (this.#state === 'closed') throw new Error('This SluiceSocket is closed.')
    this.#count += 1
    const cancel = (): void => chat.cancel()
    const chat = new OpenChat({
      id: `c${this.#count}`,
      said: { api, request, queue: true, resume: resume || undefined },
      outage: this.#outage,
      onEnd: (ended, isCancelled) => {
        signal?.removeEventListener('abort', cancel)
        this.#forget(ended, isCancelled)
      },
    })
    this.#chats.set(chat.id, chat)
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted === true) chat.cancel()
    else if (this.#state === 'open') this.#greet(chat)
    else if (this.#state === 'idle') void this.#connect()
    return chat as SocketChat<never>
  }

  /** Cancels all chats and closes the socket. */
  close(): void {
    if (this.#state === 'closed') return
    for (const chat of [...this.#chats.values()]) chat.cancel()
    this.#leaving.clear()
    const socket = this.#socket
    this.#detach('closed')
    socket?.close(NORMAL_CLOSE)
  }

  /** Tries until a socket is open or the time is up. */
  async #connect(): Promise<void> {
    this.#state = 'connecting'
    try {
      const token = (await this.#options.token?.()) ?? null
      if (this.#state !== 'connecting') return
      const WebSocket = this.#options.WebSocket ?? (globalThis as unknown as Required<SluiceSocketOptions>).WebSocket
      const protocols = token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, `bearer64.${encodeToken(token)}`]
      this.#attach(new WebSocket(this.#url, protocols))
    } catch (error) {
      this.#cause = error
      void this.#retry()
    }
  }

  #attach(socket: WebSocketLike): void {
    this.#socket = socket
    const listen = (type: string, listener: (event: SocketEvent) => void): void => {
      socket.addEventListener(type, (event) => {
        if (this.#socket === socket) listener(event)
      })
    }
    listen('open', () => this.#opened())
    listen('message', ({ data }) => this.#take(String(data)))
    listen('error', ({ error, message }) => {
      this.#cause = error ?? message
      if (REFUSED_STATUS.test(message ?? '')) this.#lose(CLOSE_UNAUTHENTICATED, 'unauthenticated')
    })
    listen('close', ({ code = null, reason = '' }) => this.#lose(code, reason))
    this.#looksInSilence = 0
    this.#timer = setInterval(() => this.#look(), (this.#options.idleMs ?? IDLE_MS) / LOOKS)
  }

  #opened(): void {
    this.#state = 'open'
    this.#opens += 1
    this.#listeners.emit('open', { isFirst: this.#opens === 1 })
    for (const chat of [...this.#leaving.values()]) {
      const greeting = chat.stream === null ? null : chat.greeting()
      if (greeting === null) this.#leaving.delete(chat.id)
      else this.#send(greeting, { type: 'cancel', id: chat.id })
    }
    for (const chat of [...this.#chats.values()]) this.#greet(chat)
  }

  #greet(chat: OpenChat): void {
    const greeting = chat.greeting()
    if (greeting !== null && this.#state === 'open') this.#send(greeting)
  }

  #send(...messages: ClientMessage[]): void {
    for (const message of messages) this.#socket?.send(JSON.stringify(message))
  }

  #take(text: string): void {
    this.#looksInSilence = 0
    this.#isRefused = false
    const message = JSON.parse(text) as ServerMessage
    if (message.type === 'pong') return
    this.#patience.reset()
    const { id } = message
    const chat = this.#chats.get(id ?? '')
    const isEnd = message.type === 'done' || message.type === 'error'
    if (isEnd && this.#leaving.delete(id ?? '')) return
    if (chat === undefined) {
      if (message.type === 'error') this.#listeners.emit('error', new ChatFailedError(message))
      return
    }
    const isRefusal = message.type === 'error' && message.seq === undefined && chat.stream !== null
    if (isRefusal && chat.isPassing(message.error.code ?? '')) this.#greetLater(chat)
    else chat.take(message)
  }

  /** The gateway cannot take the chat over now, and says so. */
  #greetLater(chat: OpenChat): void {
    const ms = chat.patience.next()
    const socket = this.#socket
    if (ms === null) chat.fail(chat.lost('unreachable'))
    else
      setTimeout(() => {
        if (this.#socket === socket && this.#chats.has(chat.id)) this.#greet(chat)
      }, ms)
  }

  /** Looks for signs of life while something is awaited. */
  #look(): void {
    if (this.#state === 'open' && this.#chats.size + this.#leaving.size === 0) return
    this.#looksInSilence += 1
    if (this.#looksInSilence >= LOOKS) this.#lose(null, 'silent')
    else if (this.#state === 'open' && this.#looksInSilence === 1) this.#send({ type: 'ping' })
  }

  #lose(code: number | null, reason: string): void {
    const socket = this.#socket
    this.#detach('idle')
    socket?.close()
    const isRefusedAgain = code === CLOSE_UNAUTHENTICATED && this.#isRefused
    this.#isRefused = code === CLOSE_UNAUTHENTICATED
    this.#listeners.emit('lost', { code, reason, chats: this.#chats.size })
    // The second time with a new token: no further one will be better.
    if (isRefusedAgain) this.#failAll(() => new ChatFailedError({ error: REFUSED }))
    else void this.#retry()
  }

  #detach(state: 'idle' | 'closed'): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#socket = null
    this.#state = state
  }

  async #retry(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'idle'
    if (this.#chats.size + this.#leaving.size === 0) return
    this.#state = 'connecting'
    const isInTime = await this.#patience.pause(null)
    if (this.#state !== 'connecting') return
    if (isInTime) await this.#connect()
    else this.#failAll((chat) => chat.lost('unreachable', this.#cause))
  }

  #failAll(errorOf: (chat: OpenChat) => Error): void {
    this.#state = 'idle'
    this.#patience.reset()
    this.#leaving.clear()
    for (const chat of [...this.#chats.values()]) chat.fail(errorOf(chat))
  }

  #forget(chat: OpenChat, isCancelled: boolean): void {
    this.#chats.delete(chat.id)
    if (!isCancelled) return
    this.#leaving.set(chat.id, chat)
    if (this.#state === 'open') this.#send({ type: 'cancel', id: chat.id })
  }
}

const REFUSED = { message: 'The gateway rejects the key.', code: 'unauthenticated' }

/** base64url without padding, in which a subprotocol may hold any key. */
function encodeToken(token: string): string {
  const text = String.fromCharCode(...new TextEncoder().encode(token))
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}
