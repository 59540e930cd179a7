// The HTTP/2 connections to one origin. A request goes to a session with room, one at a time is opened for each batch of requests that
// found none, and those wait. A session that leaves (GOAWAY, an error) gets no more requests and ends with its last stream.
//
//   dispatch -> a session with room | wait, and open one -> send
//   dispatchAgain -> a new session, before all that wait, and no more of them than the last one took that refused any: a used one may
//                    be as near its end, and one that is given up after ten requests would refuse the same ones again
import { type Socket } from 'node:net'
import { type Dispatcher } from 'undici'
import errors from 'undici/lib/core/errors.js'
import { type PoolCounts, type PooledHandler, type UpstreamPool } from '../upstream-pool.js'
import { CLOSED, Http2Error, NO_STREAMS } from './http2-error.js'
import { EARLY_STREAMS, MAX_STREAMS, Session } from './session.js'
import { type RequestParts } from './stream-call.js'

export type SessionPoolOptions = {
  /** Null: no limit. */
  readonly maxConnections: number | null
  readonly keepAliveMs: number
  readonly maxHeaderBytes: number
  /** Between the connection and the server's first word on it. */
  readonly settingsMs: number
  /** Opens a connection that speaks HTTP/2, within its own time limit. */
  readonly connect: (callback: (error: Error | null, socket: Socket | null) => void) => void
  /** A connection was just made; its first request goes out in the same tick. */
  readonly onConnect: () => void
  /** The server takes a request over HTTP/1.1 alone; called before that request is told. */
  readonly onHttp1Required?: () => void
  /** For tests. */
  readonly lookEveryMs?: number
}

export class SessionPool implements UpstreamPool {
  readonly #origin: string
  readonly #options: SessionPoolOptions
  readonly #sessions = new Set<Session>()
  /** Those with room. */
  readonly #free: Session[] = []
  /** In order of arrival. */
  readonly #waiting = new Map<PooledHandler, Dispatcher.DispatchOptions>()
  /** Those that are sent again. */
  readonly #again = new Map<PooledHandler, Dispatcher.DispatchOptions>()
  /** Called whenever a session or a repeat has ended. */
  readonly #onRemoved: (() => void)[] = []
  /** Connections on their way, and those whose server has not said yet what it allows. */
  #connecting = 0
  #opening = 0
  #repeats = 0
  /** How many of those that are sent again a new session gets. */
  #batch = MAX_STREAMS
  /** What a new session takes before its server has said what it allows: no more than the last one. */
  #early = EARLY_STREAMS
  #isClosed = false
  #isDestroyed = false

  constructor(origin: string, options: SessionPoolOptions) {
    this.#origin = origin
    this.#options = options
  }

  get busy(): number {
    let busy = this.#connecting
    for (const { streams } of this.#sessions) if (streams > 0) busy += 1
    return busy
  }

  stats(): PoolCounts {
    return { open: this.#sessions.size, busy: this.busy - this.#connecting }
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    if (this.#isClosed) handler.onResponseError(null, new errors.ClientClosedError())
    else this.#place(options, handler)
  }

  dispatchAgain(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    this.#repeats += 1
    setImmediate(() => {
      this.#repeats -= 1
      if (this.#isDestroyed) handler.onResponseError(null, new errors.ClientDestroyedError())
      else if (!handler.isOver) this.#placeAgain(options, handler)
      this.#tellRemoved()
    })
  }

  forget(handler: PooledHandler): void {
    this.#waiting.delete(handler)
    this.#again.delete(handler)
  }

  /** The requests that wait, in order, for another pool: they leave this one. */
  takeWaiting(): (readonly [handler: PooledHandler, options: Dispatcher.DispatchOptions])[] {
    const waiting = [...this.#again, ...this.#waiting]
    this.#again.clear()
    this.#waiting.clear()
    return waiting
  }

  /** A connection that was made elsewhere and speaks HTTP/2 becomes a session. */
  adopt(socket: Socket): void {
    if (this.#isDestroyed) {
      socket.destroy()
      return
    }
    const { keepAliveMs, maxHeaderBytes, settingsMs, lookEveryMs } = this.#options
    const session = new Session({
      origin: this.#origin,
      socket,
      keepAliveMs,
      maxHeaderBytes,
      settingsMs,
      earlyStreams: this.#early,
      events: {
        onReady: (one) => this.#onReady(one),
        onRoom: (one) => this.#onRoom(one),
        onLeaving: (one) => this.#onLeaving(one),
        onHttp1Required: () => this.#options.onHttp1Required?.(),
        onClosed: (one, error) => this.#onClosed(one, error),
      },
      ...(lookEveryMs === undefined ? {} : { lookEveryMs }),
    })
    this.#sessions.add(session)
    this.#opening += 1
    this.#options.onConnect()
    this.#serveFirst(session)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const session of this.#sessions) if (session.isReady && session.streams === 0) session.close()
    while (this.#sessions.size + this.#connecting + this.#queued + this.#repeats > 0) {
      await new Promise<void>((resolve) => this.#onRemoved.push(resolve))
    }
  }

  async destroy(): Promise<void> {
    this.#isClosed = true
    this.#isDestroyed = true
    this.#failWaiting(new errors.ClientDestroyedError(), this.#queued)
    for (const session of this.#sessions) session.destroy(new errors.ClientDestroyedError())
    while (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#onRemoved.push(resolve))
  }

  #place(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    for (let session = this.#free.at(-1); session !== undefined; session = this.#free.at(-1)) {
      if (this.#give(session, options, handler)) return
    }
    this.#waiting.set(handler, options)
    this.#openForWaiting()
  }

  #placeAgain(options: Dispatcher.DispatchOptions, handler: PooledHandler): void {
    this.#again.set(handler, options)
    this.#openForWaiting()
    if (this.#isFull) this.#serveWaiting(this.#again, this.#batch)
  }

  get #queued(): number {
    return this.#waiting.size + this.#again.size
  }

  /** No further connection may be opened. */
  get #isFull(): boolean {
    const { maxConnections } = this.#options
    return maxConnections !== null && this.#sessions.size + this.#connecting >= maxConnections
  }

  /** False: it takes none. */
  #give(session: Session, options: Dispatcher.DispatchOptions, handler: PooledHandler): boolean {
    const isSent = session.hasRoom && session.send(partsOf(options), handler)
    if (!session.hasRoom) this.#unfree(session)
    return isSent
  }

  #openForWaiting(): void {
    const onTheirWay = this.#connecting + this.#opening
    const isEnough = this.#queued <= onTheirWay * MAX_STREAMS && this.#again.size <= onTheirWay * this.#batch
    if (isEnough || this.#isFull) return
    this.#connecting += 1
    this.#options.connect((error, socket) => {
      this.#connecting -= 1
      if (socket !== null) this.adopt(socket)
      else this.#failWaiting(error ?? new errors.SocketError('no connection'), MAX_STREAMS)
      this.#openForWaiting()
      this.#tellRemoved()
    })
  }

  /** Of a connection that could not be made, those that it was for. */
  #failWaiting(error: Error, most: number): void {
    const failed = [...this.#again.keys(), ...this.#waiting.keys()].slice(0, most)
    for (const handler of failed) this.forget(handler)
    for (const handler of failed) handler.onResponseError(null, error)
    this.#tellRemoved()
  }

  #serveWaiting(waiting: Map<PooledHandler, Dispatcher.DispatchOptions>, most: number): void {
    let served = 0
    for (const [handler, options] of waiting) {
      const session = this.#free.at(-1)
      if (session === undefined || served === most) break
      waiting.delete(handler)
      if (handler.isOver) continue
      served += 1
      if (!this.#give(session, options, handler)) this.#place(options, handler)
    }
  }

  #onReady(session: Session): void {
    this.#opening -= 1
    this.#early = Math.min(EARLY_STREAMS, session.limit)
    // Further connections would be the same.
    if (session.limit === 0) this.#failWaiting(new Http2Error(NO_STREAMS), MAX_STREAMS)
    else this.#serveFirst(session)
  }

  /** A new one takes those first that are sent again. */
  #serveFirst(session: Session): void {
    if (!session.hasRoom) return
    this.#setFree(session)
    this.#serveWaiting(this.#again, Math.max(this.#batch - session.streams, 0))
    this.#serveWaiting(this.#waiting, this.#waiting.size)
  }

  #onRoom(session: Session): void {
    if (session.hasRoom) this.#setFree(session)
    else this.#unfree(session)
    if (this.#isFull) this.#serveWaiting(this.#again, this.#batch)
    this.#serveWaiting(this.#waiting, this.#waiting.size)
    this.#openForWaiting()
    if (this.#queued === 0 && this.#isClosed && session.streams === 0) session.close()
  }

  #onLeaving(session: Session): void {
    this.#unfree(session)
    const { looked } = session
    if (looked !== null) this.#batch = Math.min(Math.max(looked, 1), MAX_STREAMS)
  }

  #onClosed(session: Session, error: Error | null): void {
    this.#sessions.delete(session)
    if (!session.isReady) {
      this.#opening -= 1
      this.#failWaiting(error ?? new Http2Error(CLOSED), MAX_STREAMS)
    }
    this.#openForWaiting()
    this.#tellRemoved()
  }

  #setFree(session: Session): void {
    if (session.freeAt >= 0) return
    session.freeAt = this.#free.push(session) - 1
  }

  /** The last one takes its place. */
  #unfree(session: Session): void {
    const at = session.freeAt
    if (at < 0) return
    session.freeAt = -1
    const last = this.#free.pop()
    if (last === undefined || last === session) return
    this.#free[at] = last
    last.freeAt = at
  }

  #tellRemoved(): void {
    for (const tell of this.#onRemoved.splice(0)) tell()
  }
}

/** As calls make them: flat headers, a body in one piece or several, whose length is theirs to tell. */
function partsOf({ method, path, headers, body }: Dispatcher.DispatchOptions): RequestParts {
  const pieces = body instanceof Uint8Array ? [body] : ((body ?? []) as unknown as readonly Uint8Array[])
  return {
    method,
    path,
    headers: withoutLength(headers as readonly string[]),
    body: pieces.filter((piece) => piece.length > 0),
  }
}

function withoutLength(headers: readonly string[]): readonly string[] {
  const at = headers.indexOf('content-length')
  return at < 0 || at % 2 !== 0 ? headers : headers.toSpliced(at, 2)
}
