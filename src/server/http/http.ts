// One HTTP request from its head to its sink: strict framing, content type, body, pipeline. The pipeline's `reject` answers every
// failure on the way, so that log and metrics see it. credentials.ts authenticates.
import { errorData, GatewayError, toGatewayError } from '../../errors.js'
import { type ExchangeHandle, type KeyIdentity, type PathFacts } from '../../pipeline/client.js'
import { type HeaderList, type Sink } from '../../pipeline/sink.js'
import { type Surface } from '../../protocols/contract/protocol.js'
import { shownStreamIds } from '../../streams/kept/stream-id.js'
import { type ClientOrigin } from '../../telemetry/records.js'
import { type FrontView, type Reservation, refuseEarly, type ServerContext, type SharingDesk } from '../context.js'
import { type HttpRequest, type HttpResponse } from '../engine/engine.js'
import { isForm, isJsonContentType, type RequestHead } from '../engine/request-head.js'
import { ClientResponse } from '../engine/response.js'
import { ACCEPTED_CODINGS, bodyTooLarge, type Coding, codingOf } from '../inflate.js'
import { type Asking, hasCredential, identify } from './credentials.js'
import { type BodyEvents, RequestBody } from './request-body.js'
import { asksToKeep, isKept, mayShare, sharingRequestOf } from './sharing-request.js'
import { HttpSink } from './sink.js'

export type Act = (exchange: HttpExchange, req: HttpRequest) => void
export type EngineRoute = (res: HttpResponse, req: HttpRequest) => void

/** A rejected body up to this size is read to its end and the connection kept; a longer one is not read. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024

/** A route of the engine: it never throws, and it is never left without an abort handler or an answer. */
export function createRoute(front: ServerContext, surface: Surface | null, act: Act): EngineRoute {
  return (res, req) => {
    const method = req.getMethod()
    const response = new ClientResponse(res, method === 'head', front)
    try {
      const exchange = new HttpExchange(front, surface, response, front.heads.read(req, method))
      if (surface?.keyParameter !== undefined) exchange.queryKey = req.getQuery(surface.keyParameter) ?? ''
      exchange.run(act, req)
    } catch {
      response.cut()
    }
  }
}

/** POST of a surface: the caller is authenticated and admitted before a byte of the body is read. */
export function createTakeChat(takeBody: TakeBody | null): Act {
  return (exchange) => {
    const key = exchange.authenticate()
    const refusal = exchange.refusal(key)
    if (refusal === null) exchange.readBody(key, takeBody)
    else exchange.reject(refusal)
  }
}

/** Handles a body that does not simply start an exchange; false if it does. */
export type TakeBody = (exchange: HttpExchange, body: Uint8Array<ArrayBuffer>, key: KeyIdentity) => boolean

export type StartOptions = {
  /** Another sink before the client's own. */
  readonly wrap?: (sink: Sink) => Sink
  /** Where it is decided whether its answer is shared; by default what the view opens for it. */
  readonly desk?: SharingDesk | undefined
}

/** One request over HTTP until its body is passed to the pipeline or rejected. */
export class HttpExchange implements Asking, BodyEvents {
  readonly head: RequestHead
  readonly requestId: string
  /** The API in whose form errors are answered; null for the plain routes. */
  readonly surface: Surface | null
  /** The client left before its answer was whole. */
  onLeave: (() => void) | null = null
  /** The configuration it began with. */
  readonly view: FrontView
  /** For the log. */
  readonly origin: ClientOrigin
  /** What the path specifies about the request, if anything. */
  path: PathFacts | null = null
  /** The key in its query, where its API has one there; never shown, never logged. */
  queryKey = ''
  /** Receives a refusal instead of an HTTP answer. */
  refusalSink: Sink | null = null
  readonly #front: ServerContext
  readonly #response: ClientResponse
  readonly #sink: HttpSink
  readonly #acceptedAtMs: number
  #key: KeyIdentity | null = null
  #takeBody: TakeBody | null = null
  #body: RequestBody | null = null
  #coding: Coding | null = null
  /** The reservation of a body that waits to be decompressed; null if none does. */
  #packed: Reservation | null = null
  #handle: ExchangeHandle | null = null
  #desk: SharingDesk | null = null
  /** The content type of a body that is a form. */
  #formType: string | null = null
  #isRejected = false
  #isBodyRead = false

  constructor(front: ServerContext, surface: Surface | null, response: ClientResponse, head: RequestHead) {
    this.#front = front
    this.surface = surface
    this.#response = response
    this.head = head
    this.view = front.view
    this.#acceptedAtMs = front.now()
    const { method, path, agent } = head
    this.origin = {
      method,
      path: shownStreamIds(path),
      address: this.view.proxies.clientText(response, head, front.addresses),
      agent,
    }
    front.guard.noteRequest(this.#acceptedAtMs)
    this.requestId = head.requestId === '' ? front.createRequestId() : head.requestId
    const { scratch, now, isClosing } = front
    const { policy, readerStallMs } = this.view
    const commonHeaders = [idHeaders(this.requestId, surface), policy.fixed, policy.corsOf(head.origin)]
    this.#sink = new HttpSink({ response, commonHeaders, readerStallMs, scratch, now, isClosing })
    response.onGone = () => this.#leave()
  }

  /** The client has left, or has its answer. */
  get isOver(): boolean {
    return this.#response.isDone
  }

  /** The client's address, 4 or 16 bytes, as far as the trusted proxies report it; empty after the end. */
  get clientAddress(): Uint8Array {
    return this.view.proxies.clientOf(this.#response.address, this.head)
  }

  /** Runs the route, unless the framing is invalid or the host is another; thrown errors are answered. */
  run(act: Act, req: HttpRequest): void {
    try {
      const { fault, host } = this.head
      if (fault !== null) {
        this.#closeAfter()
        throw new GatewayError('invalid_request', { message: fault })
      }
      if (this.view.hosts?.has(host) === false) throw MISDIRECTED
      act(this, req)
    } catch (thrown) {
      this.reject(thrown)
    }
  }

  /**
   * Identifies the caller. `authorization` is used if the request has no credential.
   * @throws unauthenticated; rate_limited for an address that tries keys
   */
  authenticate(authorization = this.queryKey === '' ? '' : `Bearer ${this.queryKey}`): KeyIdentity {
    this.#key = identify(this, this.#front.failedKeys, authorization)
    return this.#key
  }

  /** The error if new work is not accepted. Returned and not thrown, since refusals come in floods. */
  refusal(key: KeyIdentity): GatewayError | null {
    return refuseEarly(this.#front, this.view, key)
  }

  /**
   * Reads the body and starts the exchange.
   * @throws unsupported_media_type, payload_too_large, invalid_request
   */
  readBody(key: KeyIdentity, takeBody: TakeBody | null): void {
    const { contentType, contentEncoding, contentLength } = this.head
    this.#formType = this.surface?.endpoint?.readForm !== undefined && isForm(contentType) ? contentType : null
    if (this.#formType === null && !isJsonContentType(contentType)) throw new GatewayError('unsupported_media_type')
    const coding = codingOf(contentEncoding)
    if (coding === undefined) {
      this.reject(UNKNOWN_CODING, ACCEPT_ENCODING)
      return
    }
    this.#coding = coding
    if (this.head.isIdempotencyKeyDoubled) throw idempotencyKeyDoubled()
    if (contentLength > this.#front.maxBodyBytes) throw bodyTooLarge(this.#front.maxBodyBytes)
    this.#key = key
    this.#takeBody = takeBody
    const body = new RequestBody(contentLength, this.#front.maxBodyBytes, this)
    this.#body = body
    this.#response.readBody((chunk, isLast) => body.push(chunk, isLast))
  }

  onBody(body: Uint8Array<ArrayBuffer>): void {
    this.#body = null
    this.#isBodyRead = true
    const coding = this.#coding
    if (coding === null || body.length === 0) {
      this.#takeWhole(body)
      return
    }
    const packed = this.reserve()
    const refusal = packed.grow(body.length)
    if (refusal !== null) {
      this.reject(refusal)
      return
    }
    this.#packed = packed
    this.#front.inflater.inflate({
      ...{ coding, body, keyIndex: (this.#key ?? NO_KEY).index },
      isWanted: () => !this.isOver,
      onDone: (result) => {
        this.#packed = null
        packed.release()
        if (result instanceof GatewayError) this.reject(result)
        else this.#takeWhole(result)
      },
    })
  }

  #takeWhole(body: Uint8Array<ArrayBuffer>): void {
    try {
      if (body.length === 0) throw new GatewayError('invalid_request', { message: 'The body is empty.' })
      const takeBody = this.#takeBody
      if (this.#key === null || takeBody === null || !takeBody(this, body, this.#key)) this.start(body)
    } catch (thrown) {
      this.reject(thrown)
    }
  }

  reserve(): Reservation {
    return this.view.reserve(this.#key ?? NO_KEY)
  }

  onNoRoom(refusal: GatewayError): void {
    this.reject(refusal)
  }

  onTooLarge(): void {
    this.reject(bodyTooLarge(this.#front.maxBodyBytes))
  }

  /** Answers an error in the surface's envelope; the rest of the body is not read, or only up to a limit. */
  reject(thrown: unknown, headers: HeaderList | null = null, surface = this.surface): void {
    const error = toGatewayError(thrown)
    const { requestId } = this
    const requestBytes = this.#body?.receivedBytes ?? 0
    this.#isRejected = true
    this.#sink.extraHeaders = headers
    if (this.#isBodyLong() || error.data.code === 'payload_too_large') this.#closeAfter()
    const rejection = {
      requestId,
      surface,
      key: this.#key,
      hasKey: this.queryKey !== '' || hasCredential(this.head),
      error,
      requestBytes,
      acceptedAtMs: this.#acceptedAtMs,
      origin: this.origin,
      parameterHeaders: this.head.parameterHeaders,
    }
    try {
      this.view.pipeline.reject(rejection, this.refusalSink ?? this.#sink)
    } catch {
      this.answer(500, FALLBACK_BODY)
    }
  }

  /** Answers a route without an exchange: health, models, metrics. With a valid key the answer has its limit headers. */
  answer(status: number, body: Uint8Array, headers: HeaderList = []): void {
    if (this.#isBodyLong()) this.#closeAfter()
    const limits = this.#key === null ? [] : this.view.pipeline.limitHeaders(this.#key)
    this.#sink.reply({ status, headers: [...limits, ...headers], body, error: null })
  }

  /** Begins the exchange. */
  start(body: Uint8Array<ArrayBuffer>, { wrap = asItIs, desk }: StartOptions = {}): void {
    const { surface } = this
    const key = this.#key
    if (surface === null || key === null) throw new GatewayError('internal')
    const { requestId } = this
    const { parameterHeaders } = this.head
    const acceptedAtMs = this.#acceptedAtMs
    const { path, origin } = this
    const { keeping } = this.view
    const sink = wrap(this.#sink)
    const keepAs = { key, surfaceId: surface.id, requestId, hasIds: asksToKeep(this.head) }
    const kept = isKept(this) ? keeping?.keep(sink, keepAs) : undefined
    const opened = desk ?? (mayShare(this) ? this.view.sharing?.open(sharingRequestOf(this, key, surface)) : null)
    const sharing = opened ?? null
    const formType = this.#formType
    // Member by member: spreads take 2 us (V8 11.3).
    const request = { requestId, surface, key, body, parameterHeaders, acceptedAtMs, path, origin, sharing, formType }
    this.#desk = sharing
    this.#handle = this.view.pipeline.start(request, kept ?? sink)
    kept?.hold(this.#handle)
    sharing?.hold(this.#handle)
  }

  /** Of the client's connection. */
  get clientSink(): Sink {
    return this.#sink
  }

  /** Of a body that is not read to its end. Chunks without a key are not worth a call for each. */
  #closeAfter(): void {
    const sink = this.#sink
    sink.isLast = true
    if (this.#isBodyRead) return
    const isTrusted = this.#key !== null || this.head.fault !== null
    sink.rest = this.head.isChunked && !isTrusted ? 'skipped' : 'dropped'
  }

  #isBodyLong(): boolean {
    return this.head.isChunked || this.head.contentLength > MAX_IGNORED_BODY_BYTES
  }

  #leave(): void {
    const { isFollowing } = this.#sink
    const goesOn = !isFollowing && this.#desk?.clientLeft() === true
    if (!goesOn) this.onLeave?.()
    if (isFollowing) this.#sink.leave()
    else if (!goesOn) this.#handle?.cancel()
    const body = this.#body
    if (body === null && this.#packed === null) return
    // It was never an exchange, but it was a request: it is logged and counted.
    if (!this.#isRejected) this.reject(new GatewayError('client_gone'))
    body?.stop()
    this.#packed?.release()
  }
}

function idempotencyKeyDoubled(): GatewayError {
  const message = 'Duplicate Idempotency-Key header; a request may have only one.'
  return new GatewayError('invalid_request', { message, param: 'Idempotency-Key' })
}

/** The request id as all clients find it, and as those of this surface look for it. */
function idHeaders(requestId: string, surface: Surface | null): HeaderList {
  const ours = ['x-request-id', requestId] as const
  const name = surface?.requestIdHeader
  return name === undefined ? [ours] : [ours, [name, requestId]]
}

/** For a body whose caller was not identified; this never happens. */
const NO_KEY: KeyIdentity = Object.freeze({ index: -1, name: null, owner: null })

function asItIs(sink: Sink): Sink {
  return sink
}

const MISDIRECTED = GatewayError.shared('misdirected')
const UNKNOWN_CODING = GatewayError.shared('unsupported_media_type', {
  message: `Unsupported Content-Encoding; accepted are none, ${ACCEPTED_CODINGS}.`,
})
const ACCEPT_ENCODING: HeaderList = Object.freeze([['accept-encoding', ACCEPTED_CODINGS] as const])

const FALLBACK_BODY = Buffer.from(
  JSON.stringify({
    error: { message: errorData('internal').message, type: 'server_error', param: null, code: 'internal' },
  }),
)
