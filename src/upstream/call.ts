// One request to one upstream and its answer, as plain synchronous calls. Owns the time limits, the one retry on a stale keep-alive
// connection and those of a request that was refused unseen. Never follows a redirect, never pauses the parser, never reads the body.
//
//   call -> dispatch -> [onHead onBytes*] -> onEnd | onError          abort(): the socket closes, nothing more is called
import { type Dispatcher } from 'undici'
import { type ProviderConfig } from '../config/types.js'
import { GatewayError, toGatewayError } from '../errors.js'
import { type MediaHeaders, type ParameterHeaders } from './auth.js'
import { Deadlines, type TimeLimits } from './deadlines.js'
import { Decompressor, isCompressed } from './decompress.js'
import { failureOf, sendsAfter, timeoutFailure } from './failure.js'
import { type PoolLink } from './pool/pools.js'
import { type PooledHandler } from './pool/upstream-pool.js'
import { PROXY_AUTHENTICATION_REQUIRED, PROXY_AUTHENTICATION_STATUS, ProxyError } from './proxy.js'

export type UpstreamRequest = {
  readonly provider: ProviderConfig
  /** POST unless given. */
  readonly method?: 'GET' | 'POST' | 'DELETE' | undefined
  /** Below the provider's base URL; begins with `/`, may hold a query. */
  readonly path: string
  /** Parameter headers of the dialect that the client sent. */
  readonly headers: ParameterHeaders
  /** Must not change until the call is over: a retry sends it again. */
  readonly body: Uint8Array | readonly Uint8Array[]
  readonly isStream: boolean
  /** Where it is not JSON that is asked for and sent; absent or null: it is. */
  readonly media?: MediaHeaders | null
  /** Sent in place of the provider's configured key. */
  readonly callerKey?: string | null
  /** The owner of the request for the provider's `isolation`: the name of the gateway key; empty without keys. */
  readonly tenant?: string
}

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

/** All synchronous. `onConnected` where a connection is made, then `onHead`, then exactly one of `onEnd` and `onError`; nothing after `abort()`, nothing before `call` returned. */
export type CallHandler = {
  /** A connection was made for it, on which it is sent now. */
  onConnected(): void
  /** The final status, whatever it is: 1xx are skipped, 3xx are not followed. Lower-case header names. */
  onHead(status: number, headers: ResponseHeaders): void
  /** `chunk` is a view of the socket's read buffer: copy what is kept for long, as a view retains up to 64 KiB. */
  onBytes(chunk: Buffer): void
  /** The body ended according to HTTP. Only the answer's own end marker shows whether it is complete. */
  onEnd(): void
  onError(error: GatewayError): void
}

export type UpstreamCall = {
  /** Closes the upstream's socket at once. Idempotent; without effect after the end. */
  abort(): void
  /** A token (text, reasoning, tool arguments) has arrived: extends the time limits. */
  sawToken(): void
  /** Body bytes as received. */
  readonly bytesReceived: number
  /** The last attempt went out on a connection that had been open before. */
  readonly isReused: boolean
  /** 1, or more after the retry of a stale connection or of a request that was refused unseen. */
  readonly attempts: number
}

/** Its connections are not for everybody. */
export function isIsolated({ isolation = 'none' }: ProviderConfig): boolean {
  return isolation !== 'none'
}

/** With isolation, a caller with its own key is known only by that key, which is never stored: its connection is not reused. */
function ownerOf({ provider, callerKey = null, tenant = '' }: UpstreamRequest): unknown {
  if (!isIsolated(provider)) return null
  return callerKey === null ? tenant : Symbol('caller')
}

/** Only a proxy may send this status (RFC 9110 15.5.8). */
function proxyRefusal(): GatewayError {
  return failureOf(new ProxyError(PROXY_AUTHENTICATION_REQUIRED), 'before-head', 0)
}

/** The limits of one call; `maxResponseBytes` is that of the whole answer. */
export type CallLimits = TimeLimits & { readonly maxResponseBytes: number }
type Dispatch = { readonly link: PoolLink; readonly options: Dispatcher.DispatchOptions }

/** Thrown into undici to drop a request that was aborted while it waited: unlike an abort it does not close the new connection. */
const DROPPED = Object.freeze(new GatewayError('client_gone', { message: 'Aborted before it was sent.' }))
/** Aborting with one shared error spares a stack trace per abort. */
const ABORTED = Object.freeze(new GatewayError('client_gone', { message: 'Aborted.' }))

/** undici's handler object and the caller's handle in one: no closure and no promise per chunk. */
export class LiveCall implements UpstreamCall, PooledHandler {
  readonly #handler: CallHandler
  readonly #limits: CallLimits
  readonly #isStream: boolean
  readonly #connectMs: number
  readonly #deadlines: Deadlines
  readonly owner: unknown
  /** What a retry would send; null once none is possible, so that an open stream does not retain its prompt. */
  #dispatch: Dispatch | null = null
  #controller: Dispatcher.DispatchController | null = null
  #decompressor: Decompressor | null = null
  #isOver = false
  #isStarting = false
  #hasHead = false
  /** Any byte of an answer has arrived, even of an unfinished head. */
  #hasAnswer = false
  bytesReceived = 0
  isReused = false
  attempts = 0

  constructor(request: UpstreamRequest, handler: CallHandler, limits: CallLimits) {
    this.#handler = handler
    this.#limits = limits
    this.#isStream = request.isStream
    this.#connectMs = request.provider.timeouts.connectMs
    this.owner = ownerOf(request)
    this.#deadlines = new Deadlines(limits, request.isStream, (limit) => {
      this.#fail(timeoutFailure(limit.kind, limit.limitMs))
    })
  }

  start(link: PoolLink, options: Dispatcher.DispatchOptions): void {
    this.#dispatch = { link, options }
    this.#send()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  failLater(error: GatewayError): void {
    queueMicrotask(() => this.#fail(error))
  }

  abort(): void {
    if (this.#isOver) return
    this.#close()
    this.#controller?.abort(ABORTED)
  }

  sawToken(): void {
    if (!this.#isOver) this.#deadlines.sawToken()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#isOver) throw DROPPED
    this.#controller = controller
    this.isReused = this.#dispatch?.link.isConnecting === false
    if (!this.isReused) this.#handler.onConnected()
  }

  onResponseStarted(): void {
    this.#hasAnswer = true
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (this.#isOver || status < 200) return
    this.#hasHead = true
    // They were parsed. undici would hold a buffer for each until the end of the answer: 3 KB of an open stream.
    controller.rawHeaders = null
    this.#dispatch = null
    const error = status === PROXY_AUTHENTICATION_STATUS ? proxyRefusal() : this.#openBody(headers)
    if (error !== null) this.#fail(error)
    else this.#handler.onHead(status, headers)
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#isOver) return
    this.bytesReceived += chunk.length
    // A whole answer's bytes are its tokens: once it has begun, it must not pause either.
    if (!this.#isStream) this.#deadlines.sawToken()
    if (!this.#isStream && this.bytesReceived > this.#limits.maxResponseBytes) this.#fail(this.#tooLarge())
    else if (this.#decompressor !== null) this.#decompressor.write(chunk)
    else this.#handler.onBytes(chunk)
  }

  onResponseEnd(): void {
    if (this.#isOver) return
    if (this.#decompressor !== null) this.#decompressor.end()
    else this.#end()
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.#isOver) return
    if (this.#mayRetry(error)) {
      this.#retry()
      return
    }
    const phase = this.#hasHead ? 'after-head' : 'before-head'
    const failure = failureOf(error, phase, this.#connectMs)
    if (this.#isStarting) this.failLater(failure)
    else this.#fail(failure)
  }

  #send(): void {
    const dispatch = this.#dispatch
    if (dispatch === null) return
    this.attempts += 1
    this.#isStarting = true
    dispatch.link.pool.dispatch(dispatch.options, this)
    this.#isStarting = false
  }

  #mayRetry(error: Error): boolean {
    // undici checks an idle connection for a turn before it sends: a request on one that is reset by then was never sent.
    const isUnsent = this.#controller === null
    return !this.#hasAnswer && this.attempts < sendsAfter(error, this.isReused || isUnsent)
  }

  #retry(): void {
    const dispatch = this.#dispatch
    this.#controller = null
    this.isReused = false
    if (dispatch === null) return
    this.attempts += 1
    dispatch.link.pool.dispatchAgain(dispatch.options, this)
  }

  /** Decides how the body is read; an error when it cannot be. */
  #openBody(headers: ResponseHeaders): GatewayError | null {
    if (!this.#isStream && Number(headers['content-length']) > this.#limits.maxResponseBytes) return this.#tooLarge()
    if (!isCompressed(headers['content-encoding'])) return null
    try {
      this.#decompressor = new Decompressor(headers['content-encoding'], this.#limits.maxResponseBytes, {
        onBytes: (chunk) => this.#handler.onBytes(chunk),
        onEnd: () => this.#end(),
        onError: (error) => this.#fail(error),
      })
      return null
    } catch (error) {
      return toGatewayError(error)
    }
  }

  #end(): void {
    if (this.#isOver) return
    this.#close()
    this.#handler.onEnd()
  }

  #fail(error: GatewayError): void {
    if (this.#isOver) return
    this.#close()
    this.#controller?.abort(ABORTED)
    this.#handler.onError(error)
  }

  #close(): void {
    this.#isOver = true
    this.#dispatch?.link.pool.forget(this)
    this.#dispatch = null
    this.#deadlines.stop()
    this.#decompressor?.destroy()
  }

  #tooLarge(): GatewayError {
    const message = `The provider sent a response of more than ${this.#limits.maxResponseBytes} bytes.`
    return new GatewayError('upstream_malformed', { message, retryable: false })
  }
}
