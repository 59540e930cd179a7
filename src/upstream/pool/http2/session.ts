// One HTTP/2 connection with its streams. It takes no more of them than a bound, so that one lost connection takes few answers with it,
// nor than its server allows, and none after a GOAWAY. While streams wait and nothing arrives it asks by PING whether anybody is there,
// and takes no more of them until it knows.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { type Socket } from 'node:net'
import errors from 'undici/lib/core/errors.js'
import { type PooledHandler } from '../upstream-pool.js'
import { endingError, GOAWAY, Http2Error, NO_PONG } from './http2-error.js'
import { type RequestParts, StreamCall, type StreamOwner } from './stream-call.js'

export type SessionEvents = {
  /** Its server has said what it allows. Called once. */
  onReady(session: Session): void
  /** Whether it takes more streams has changed, or it no longer has any. */
  onRoom(session: Session): void
  /** It takes no more streams: a GOAWAY, or its end. Called once. */
  onLeaving(session: Session): void
  /** Its server takes a request over HTTP/1.1 alone, and has not looked at it. */
  onHttp1Required(): void
  /** It has ended, and so have its streams. `error`: of one that was never ready; null if there was none. */
  onClosed(session: Session, error: Error | null): void
}

export type SessionOptions = {
  readonly origin: string
  readonly socket: Socket
  readonly maxHeaderBytes: number
  readonly keepAliveMs: number
  /** How long its server may take to say what it allows. */
  readonly settingsMs: number
  /** Streams that it takes before that. */
  readonly earlyStreams: number
  readonly events: SessionEvents
  /** For tests. */
  readonly lookEveryMs?: number
}

/** Streams of a session; a server may allow fewer. Most allow 100, but one lost connection, or one lost packet, is felt by all of them. */
export const MAX_STREAMS = 50
/**
 * Before the server has said what it allows, which takes a round trip: RFC 9113 6.5.2 recommends 100 at least, and what is too much is
 * refused unseen.
 */
export const EARLY_STREAMS = 8
/** A stream that nobody could stall: what is read is always taken. */
const STREAM_WINDOW_BYTES = 1024 * 1024
const SESSION_WINDOW_BYTES = 16 * 1024 * 1024
/** Node counts the bodies of requests that wait to be sent; in MB. */
const SESSION_MEMORY_MB = 256
const LOOK_EVERY_MS = 1_000
/** After so many looks at which nothing had come a PING goes out, and after as many again the connection is given up. */
const SILENT_LOOKS = 5
/**
 * Node's own limits only bound what a few compressed bytes may become: it resets the stream without a word of why, and before the
 * server has acknowledged them they do not apply. The limit that is promised is counted in StreamCall.
 */
const MAX_HEADER_LIST_BYTES = 1024 * 1024
const MAX_HEADER_PAIRS = 32 * 1024

export class Session implements StreamOwner {
  readonly #session: ClientHttp2Session
  readonly #socket: Socket
  readonly #options: SessionOptions
  readonly #looking: NodeJS.Timeout
  #idleTimer: NodeJS.Timeout | null = null
  /** What had been read when it was last looked at. */
  #readBefore = 0
  /** Looks since something came, while streams wait. */
  #silentLooks = 0
  #isLeaving = false
  /** Null once the server has said what it allows. */
  #settingsTimer: NodeJS.Timeout | null
  #error: Error | null = null
  #goawayCode = 0
  /** The last one that its server has looked at, or will. */
  #lastStream = Number.POSITIVE_INFINITY
  streams = 0
  #opened = 0
  /** Its index in the pool's list of those with room; -1 if not in it. */
  freeAt = -1

  /** Takes the socket over, which is connected and has agreed on HTTP/2. */
  constructor(options: SessionOptions) {
    this.#options = options
    this.#socket = options.socket
    this.#session = connect(options.origin, {
      createConnection: () => options.socket,
      maxSessionMemory: SESSION_MEMORY_MB,
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxHeaderListSize: MAX_HEADER_LIST_BYTES,
      },
    })
    this.#session.once('connect', () => {
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    })
    this.#session.on('remoteSettings', () => this.#settle())
    this.#session.on('goaway', (code, lastStream) => {
      this.#goawayCode = code
      this.#lastStream = lastStream
      this.#leave()
    })
    // Its streams tell of it.
    this.#session.on('error', (error) => {
      this.#error = error
      this.#leave()
    })
    this.#session.on('close', () => this.#closed())
    this.#settingsTimer = setTimeout(() => {
      this.destroy(new errors.ConnectTimeoutError('no SETTINGS in time'))
    }, options.settingsMs)
    this.#looking = setInterval(() => this.#look(), options.lookEveryMs ?? LOOK_EVERY_MS)
    this.#looking.unref()
  }

  get maxHeaderBytes(): number {
    return this.#options.maxHeaderBytes
  }

  /** How many streams its server has looked at, of a connection that was given up before it had looked at all; else null. */
  get looked(): number | null {
    const looked = Math.ceil(this.#lastStream / 2)
    return looked < this.#opened ? looked : null
  }

  get isReady(): boolean {
    return this.#settingsTimer === null
  }

  get hasRoom(): boolean {
    if (this.#isLeaving || this.#isAsked || this.#session.closed || this.#session.destroyed) return false
    return this.streams < this.limit
  }

  /** Streams that it takes at once. */
  get limit(): number {
    if (!this.isReady) return this.#options.earlyStreams
    const { maxConcurrentStreams = MAX_STREAMS } = this.#session.remoteSettings
    return Math.min(MAX_STREAMS, maxConcurrentStreams)
  }

  /** False: it takes no more requests, and nothing was sent. A request that cannot be said in HTTP/2 fails. */
  send(parts: RequestParts, handler: PooledHandler): boolean {
    const call = new StreamCall(handler, this)
    this.streams += 1
    this.#stopIdle()
    try {
      handler.onRequestStart?.(call, null)
    } catch {
      // Aborted while it waited.
      this.release()
      return true
    }
    if (call.aborted) {
      this.release()
      return true
    }
    try {
      call.start(this.#session, parts)
      this.#opened += 1
      return true
    } catch (thrown) {
      if (this.#session.closed || this.#session.destroyed) {
        this.streams -= 1
        this.#leave()
        return false
      }
      call.fail(thrown)
      this.release()
      return true
    }
  }

  release(): void {
    this.streams -= 1
    this.#startIdle()
    this.#options.events.onRoom(this)
  }

  /** Node gives a stream of a lost connection the code of a cancelled one. */
  endOf({ id = 0, rstCode = 0 }: ClientHttp2Stream, error: Error | null): Error {
    if (id > this.#lastStream) return new Http2Error(GOAWAY, error ?? undefined)
    return endingError(error, this.#session.destroyed ? this.#goawayCode : rstCode)
  }

  requireHttp1(): void {
    this.#options.events.onHttp1Required()
  }

  /** Takes no more requests, and ends when its streams have. */
  close(): void {
    this.#leave()
    if (!this.#session.closed) this.#session.close()
  }

  /** Node waits until the other side has taken what was written, or, after a GOAWAY, until it closes as well: it may do neither. */
  destroy(error?: Error): void {
    this.#session.destroy(error)
    this.#socket.destroy()
  }

  #settle(): void {
    if (this.#settingsTimer !== null) {
      clearTimeout(this.#settingsTimer)
      this.#settingsTimer = null
      this.#options.events.onReady(this)
      this.#startIdle()
    }
    this.#options.events.onRoom(this)
  }

  #startIdle(): void {
    if (this.streams > 0 || this.#session.closed || this.#session.destroyed) return
    if (this.#idleTimer !== null) this.#idleTimer.refresh()
    else this.#idleTimer = setTimeout(() => this.#endIdle(), this.#options.keepAliveMs).unref()
    this.#session.unref()
  }

  #stopIdle(): void {
    if (this.streams === 1) this.#session.ref()
  }

  #endIdle(): void {
    if (this.streams === 0) this.close()
  }

  /** Whether anybody is there; what comes next answers it. */
  get #isAsked(): boolean {
    return this.#silentLooks >= SILENT_LOOKS
  }

  #look(): void {
    if (this.#session.destroyed) {
      this.#socket.destroy()
      return
    }
    const { bytesRead } = this.#socket
    const wasAsked = this.#isAsked
    const isSilent = bytesRead === this.#readBefore && this.streams > 0
    this.#readBefore = bytesRead
    this.#silentLooks = isSilent ? this.#silentLooks + 1 : 0
    if (this.#silentLooks >= 2 * SILENT_LOOKS) this.destroy(new Http2Error(NO_PONG))
    else if (this.#isAsked !== wasAsked) this.#turn()
  }

  /** It has become silent, or is no longer. */
  #turn(): void {
    if (this.#isAsked) this.#session.ping(ignore)
    this.#options.events.onRoom(this)
  }

  #leave(): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#options.events.onLeaving(this)
  }

  #closed(): void {
    clearInterval(this.#looking)
    if (this.#settingsTimer !== null) clearTimeout(this.#settingsTimer)
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer)
    this.#leave()
    this.#options.events.onClosed(this, this.#error === null ? null : endingError(this.#error, this.#goawayCode))
  }
}

function ignore(): void {
  // An answer shows in the bytes that are read.
}
