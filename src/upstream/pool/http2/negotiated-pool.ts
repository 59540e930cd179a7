// Connections to a provider that may speak HTTP/2: the first connection shows what was agreed on by ALPN, and requests wait for it.
// From then on they go to the one pool or the other. Where a later connection agrees on HTTP/1.1, or a request is refused over HTTP/2
// alone (HTTP_1_1_REQUIRED), the choice falls back to that.
import { type Socket } from 'node:net'
import { type Dispatcher } from 'undici'
import errors from 'undici/lib/core/errors.js'
import { type PoolCounts, type PooledHandler, type UpstreamPool } from '../upstream-pool.js'
import { Http2Error, NOT_OFFERED } from './http2-error.js'
import { SessionPool, type SessionPoolOptions } from './session-pool.js'

export type NegotiatedPoolOptions = Omit<SessionPoolOptions, 'connect' | 'onHttp1Required'> & {
  /** Offers both; HTTP/1.1 alone where `isRequired` is false. */
  readonly connect: SessionPoolOptions['connect']
  /** `on`: a provider that does not speak it fails. */
  readonly isRequired: boolean
  /** The pool for HTTP/1.1, made when it is needed; `ready`: the connection that agreed on it. */
  readonly openHttp1: (ready: Socket | null) => UpstreamPool
}

export class NegotiatedPool implements UpstreamPool {
  readonly #options: NegotiatedPoolOptions
  readonly #sessions: SessionPool
  #http1: UpstreamPool | null = null
  /** Where requests go; null as long as nothing was agreed on. */
  #chosen: UpstreamPool | null = null
  readonly #waiting = new Map<PooledHandler, Dispatcher.DispatchOptions>()
  #isAsking = false
  #isClosed = false
  #isDestroyed = false
  readonly #onAnswered: (() => void)[] = []

  constructor(origin: string, options: NegotiatedPoolOptions) {
    this.#options = options
    this.#sessions = new SessionPool(origin, {
      ...options,
      connect: (callback) => this.#connect(callback),
      onHttp1Required: () => {
        if (!options.isRequired) this.#fallBack(null)
      },
    })
  }

  get busy(): number {
    return this.#sessions.busy + (this.#http1?.busy ?? 0) + (this.#isAsking ? 1 : 0)
  }

  stats(): PoolCounts {
    const [one, other] = [this.#sessions.stats(), this.#http1?.stats()]
    return { open: one.open + (other?.open ?? 0), busy: one.busy + (other?.busy ?? 0) }
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    if (this.#isClosed) handler.onResponseError(null, new errors.ClientClosedError())
    else if (this.#chosen !== null) this.#chosen.dispatch(options, handler)
    else this.#wait(options, handler)
  }

  /** The choice may have been given up since. */
  dispatchAgain(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    const pool = this.#chosen ?? this.#sessions
    pool.dispatchAgain(options, handler)
  }

  forget(handler: PooledHandler): void {
    this.#waiting.delete(handler)
    this.#sessions.forget(handler)
    this.#http1?.forget(handler)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#isAsking && !this.#isDestroyed) await new Promise<void>((resolve) => this.#onAnswered.push(resolve))
    await this.#sessions.close()
    // What waited for a session may have gone there meanwhile.
    await this.#http1?.close()
  }

  async destroy(): Promise<void> {
    this.#isClosed = true
    this.#isDestroyed = true
    this.#failWaiting(new errors.ClientDestroyedError())
    await Promise.all([this.#sessions.destroy(), this.#http1?.destroy()])
    this.#tellAnswered()
  }

  #wait(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    this.#waiting.set(handler, options)
    if (this.#isAsking) return
    this.#isAsking = true
    this.#connect((error, socket) => {
      this.#isAsking = false
      if (socket !== null) {
        this.#chosen = this.#sessions
        this.#sessions.adopt(socket)
      } else if (this.#chosen === null) this.#failWaiting(error ?? new errors.SocketError('no connection'))
      this.#serveWaiting()
      this.#tellAnswered()
    })
  }

  /** A connection with HTTP/2; one that agreed on HTTP/1.1 moves the choice there, and what waits with it. */
  #connect(callback: (error: Error | null, socket: Socket | null) => void): void {
    this.#options.connect((error, socket) => {
      if (this.#isDestroyed) socket?.destroy()
      if (socket === null || this.#isDestroyed) callback(error ?? new errors.ClientDestroyedError(), null)
      else if (isHttp2(socket)) callback(null, socket)
      else {
        if (this.#options.isRequired) socket.destroy()
        else this.#fallBack(socket)
        callback(new Http2Error(NOT_OFFERED), null)
      }
    })
  }

  #fallBack(socket: Socket | null): void {
    if (this.#http1 === null) this.#http1 = this.#options.openHttp1(socket)
    else socket?.destroy()
    const http1 = this.#http1
    this.#chosen = http1
    for (const [handler, options] of this.#sessions.takeWaiting()) if (!handler.isOver) http1.dispatch(options, handler)
  }

  #serveWaiting(): void {
    const chosen = this.#chosen
    if (chosen === null) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const [handler, options] of waiting) if (!handler.isOver) chosen.dispatch(options, handler)
  }

  #failWaiting(error: Error): void {
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    for (const handler of waiting) handler.onResponseError(null, error)
  }

  #tellAnswered(): void {
    for (const tell of this.#onAnswered.splice(0)) tell()
  }
}

function isHttp2(socket: Socket): boolean {
  return 'alpnProtocol' in socket && socket.alpnProtocol === 'h2'
}
