// One chat of a SluiceSocket, whichever socket carries it at the moment: what the caller reads, and what is to be sent when a
// new socket is there.
import { ChatFailedError } from './chat-failed-error.js'
import { Listeners } from './listeners.js'
import { type ChatChunk, type ChatUsage, type ClientMessage, type ServerMessage } from './messages.js'
import { Patience, type PatienceOptions, UNKNOWN_ATTEMPTS } from './patience.js'
import { type LossReason, StreamLostError } from './stream-lost-error.js'

export type ChatEnd = {
  /** `client_gone`: it was cancelled here. */
  readonly outcome: 'complete' | 'client_gone'
  /** The chat's `id` in the gateway's log. */
  readonly requestId: string | null
  readonly usage: ChatUsage | null
}

export type ChatEvents<Chunk = ChatChunk> = {
  /** The gateway has accepted the chat and keeps its stream. */
  readonly opened: { readonly stream: string; readonly requestId: string }
  /** It waits for a place; said on each change. `etaMs` is null if not known. */
  readonly queued: { readonly position: number; readonly etaMs: number | null }
  /** With a listener for it, chunks are not held for the iterator. */
  readonly event: Chunk
  /** A new socket is asked for what comes after this number. */
  readonly resumed: { readonly after: number }
}

/** What the caller holds of a chat. Iterating yields its chunks; leaving the loop cancels it, an error is thrown into it. */
export interface SocketChat<Chunk = ChatChunk> extends AsyncIterable<Chunk> {
  readonly id: string
  /** The gateway's id of the stream; null before `opened`. */
  readonly stream: string | null
  /** Rejects with a ChatFailedError or a StreamLostError. */
  readonly result: Promise<ChatEnd>
  /** Adds a listener; the function that is given back removes it. */
  on<Name extends keyof ChatEvents<Chunk>>(name: Name, listener: (event: ChatEvents<Chunk>[Name]) => void): () => void
  /** Stops the chat, at the gateway too. It ends as `client_gone`. */
  cancel(): void
}

export type OpenChatOptions = {
  readonly id: string
  /** What is asked. */
  readonly said: Omit<Extract<ClientMessage, { readonly type: 'chat' }>, 'type' | 'id'>
  readonly outage: PatienceOptions
  /** The chat has ended here; `isCancelled`: the gateway has still to be told. */
  readonly onEnd: (chat: OpenChat, isCancelled: boolean) => void
}

type Waiter = { readonly resolve: (result: IteratorResult<unknown>) => void; readonly reject: (error: unknown) => void }

/** A chat that the gateway has never acknowledged is sent so many times; one too large for a message ends each socket. */
const MAX_SENDS = 4
const NEVER_TAKEN = {
  message: 'Each socket on which the chat was sent was lost. Its request may be too large for a message.',
}
/** A chat that cannot be resumed now may be in a moment. */
const PASSING_CODES = new Set(['overloaded', 'draining', 'rate_limited', 'maintenance', 'storage_unavailable'])
/** In the answer to `resume`: the stream is not there, or not the part that comes next. */
const GONE_CODES = new Set(['stream_gone', 'not_found'])
const DONE: IteratorResult<never> = { done: true, value: undefined }

/** The state of one chat. */
export class OpenChat implements SocketChat<unknown> {
  readonly id: string
  readonly result: Promise<ChatEnd>
  /** How long the gateway may be unable to take the stream over. */
  readonly patience: Patience
  stream: string | null = null
  readonly #options: OpenChatOptions
  readonly #listeners = new Listeners<ChatEvents<unknown>>()
  /** For the iterator; a chat that fails still yields what came before. */
  readonly #chunks: unknown[] = []
  readonly #waiters: Waiter[] = []
  #settle: { readonly resolve: (end: ChatEnd) => void; readonly reject: (error: unknown) => void }
  #requestId: string | null = null
  #last = -1
  #sends = 0
  #unknown = 0
  #isOver = false
  #failure: Error | null = null

  constructor(options: OpenChatOptions) {
    this.#options = options
    this.id = options.id
    this.patience = new Patience(options.outage)
    this.#settle = { resolve: () => undefined, reject: () => undefined }
    this.result = new Promise<ChatEnd>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Who iterates learns of it there.
    this.result.catch(() => undefined)
  }

  on<Name extends keyof ChatEvents<unknown>>(name: Name, listener: (event: ChatEvents<unknown>[Name]) => void) {
    return this.#listeners.on(name, listener)
  }

  cancel(): void {
    this.#chunks.length = 0
    this.#end({ outcome: 'client_gone', requestId: this.#requestId, usage: null }, true)
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return {
      next: () => this.#next(),
      return: () => {
        this.cancel()
        return Promise.resolve(DONE)
      },
    }
  }

  /** What opens or continues the chat on a new socket; null if it has failed, since it can do neither. */
  greeting(): ClientMessage | null {
    const { id, stream } = this
    if (stream !== null) {
      if (!this.#isOver) this.#listeners.emit('resumed', { after: this.#last })
      return { type: 'resume', id, stream, ...(this.#last < 0 ? {} : { after: this.#last }) }
    }
    this.#sends += 1
    // It had begun, and a second answer would not continue the first.
    if (this.#last >= 0) this.fail(this.lost('unkept'))
    else if (this.#sends > MAX_SENDS) this.fail(new ChatFailedError({ error: NEVER_TAKEN }))
    else return { type: 'chat', id, ...this.#options.said }
    return null
  }

  /** The next message for this chat. */
  take(message: ServerMessage): void {
    if (this.#isOver) return
    switch (message.type) {
      case 'opened':
        this.#open(message)
        return
      case 'queued':
        this.#listeners.emit('queued', { position: message.position, etaMs: message.etaMs })
        return
      case 'event':
        this.#push(message.seq, message.data)
        return
      case 'done':
        // Stopped, but not from here: what was read is no whole answer.
        if (message.outcome !== 'complete') this.fail(this.lost('ended'))
        else this.#end({ outcome: 'complete', requestId: message.requestId, usage: message.usage ?? null }, false)
        return
      case 'error':
        this.fail(this.#isGone(message) ? this.lost('gone') : new ChatFailedError(message))
    }
  }

  /** Whether the stream may be had later although it cannot be resumed now. */
  isPassing(code: string): boolean {
    if (code !== 'not_found') return PASSING_CODES.has(code)
    this.#unknown += 1
    return this.#unknown < UNKNOWN_ATTEMPTS
  }

  /** The rest is lost, and this is why. */
  lost(reason: LossReason, cause?: unknown): StreamLostError {
    return new StreamLostError({ reason, stream: this.stream, after: this.#last, cause })
  }

  fail(error: Error): void {
    if (this.#isOver) return
    this.#failure = error
    this.#close(false)
    this.#settle.reject(error)
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }

  /** The stream's own errors have a number; these do not. */
  #isGone({ seq, error }: Extract<ServerMessage, { readonly type: 'error' }>): boolean {
    return this.stream !== null && seq === undefined && GONE_CODES.has(error.code ?? '')
  }

  #open({ stream, requestId }: { readonly stream: string; readonly requestId: string }): void {
    this.stream = stream
    this.#requestId = requestId
    this.#listeners.emit('opened', { stream, requestId })
  }

  /** A chunk that was already here comes again when a socket was lost while it was on its way. */
  #push(seq: number, chunk: unknown): void {
    if (seq <= this.#last) return
    this.#last = seq
    this.#unknown = 0
    this.patience.reset()
    if (this.#listeners.emit('event', chunk)) return
    const waiter = this.#waiters.shift()
    if (waiter === undefined) this.#chunks.push(chunk)
    else waiter.resolve({ done: false, value: chunk })
  }

  #next(): Promise<IteratorResult<unknown>> {
    if (this.#chunks.length > 0) return Promise.resolve({ done: false, value: this.#chunks.shift() })
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.#isOver) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  #end(end: ChatEnd, isCancelled: boolean): void {
    if (this.#isOver) return
    this.#close(isCancelled)
    this.#settle.resolve(end)
    for (const { resolve } of this.#waiters.splice(0)) resolve(DONE)
  }

  #close(isCancelled: boolean): void {
    this.#isOver = true
    this.#options.onEnd(this, isCancelled)
  }
}
