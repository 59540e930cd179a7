// One HTTP request from its head to its sink: strict framing, credentials, content type, body, pipeline. Everything that
// fails on the way is answered by the pipeline's `reject`, so that log and metrics see it.
import { errorData, GatewayError, toGatewayError } from '../errors.js'
import { type ExchangeHandle, type KeyIdentity, type PathFacts, type Pipeline } from '../pipeline/client.js'
import { type HeaderList } from '../pipeline/sink.js'
import { type Surface, type SurfaceRoute } from '../protocols/protocol.js'
import { BodyCollector, type BodyEvents } from './body.js'
import { type HttpRequest, type HttpResponse } from './engine.js'
import { type HeaderPolicy } from './headers.js'
import { HttpSink } from './http-sink.js'
import { ClientResponse, type OpenCount } from './response.js'
import { type HeadReader, isJsonContentType, type RequestHead } from './strictness.js'

/** What all routes of one event loop share. */
export type Front = {
  readonly pipeline: Pipeline
  readonly heads: HeadReader
  readonly policy: HeaderPolicy
  readonly maxBodyBytes: number
  readonly readerStallMs: number
  readonly createRequestId: () => string
  readonly now: () => number
  readonly open: OpenCount
  /** Open WebSockets, to be told when the gateway goes. */
  readonly webSockets: Set<{ end(code: number, reason: string): void }>
  readonly scratch: Buffer
  readonly isClosing: () => boolean
}

export type Act = (exchange: HttpExchange, req: HttpRequest) => void
export type EngineRoute = (res: HttpResponse, req: HttpRequest) => void

/** A refused body up to this is read to its end and the connection kept; a longer one is not worth reading. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024

/** A route of the engine: it never throws, and it is never left without an abort handler or an answer. */
export function createRoute(front: Front, surface: Surface | null, act: Act): EngineRoute {
  return (res, req) => {
    const response = new ClientResponse(res, req.getMethod() === 'head', front.open)
    try {
      const exchange = new HttpExchange(front, surface, response, front.heads.read(req))
      exchange.run(act, req)
    } catch {
      response.cut()
    }
  }
}

/** POST of a surface: the credentials are looked up before a byte of the body is read. */
export const takeChat: Act = (exchange) => {
  const key = exchange.authenticate()
  exchange.readBody(key)
}

/** POST of one route of a surface. */
export function takeChatOn(route: SurfaceRoute): Act {
  const streams = route.streams === true
  const namesProvider = route.path.includes(PROVIDER_PART)
  if (!streams && !namesProvider) return takeChat
  return (exchange, req) => {
    const provider = namesProvider ? (req.getParameter(0) ?? '') : null
    const key = exchange.authenticate()
    exchange.path = { streams, provider, callerKey: namesProvider ? exchange.callerKey() : null }
    exchange.readBody(key)
  }
}

/** What stands in a route for the name of a provider. */
export const PROVIDER_PART = '{provider}'
/** Printable ASCII without blanks, and no longer than any vendor's: what else could be sent on in a header. */
const CALLER_KEY = /^[\x21-\x7e]{1,4096}$/

/** One request over HTTP until its body is handed to the pipeline or refused. */
export class HttpExchange implements BodyEvents {
  readonly head: RequestHead
  readonly requestId: string
  /** What the path says of the request, if it does. */
  path: PathFacts | null = null
  readonly #front: Front
  readonly #surface: Surface | null
  readonly #response: ClientResponse
  readonly #sink: HttpSink
  readonly #acceptedAtMs: number
  #key: KeyIdentity | null = null
  #body: BodyCollector | null = null
  #handle: ExchangeHandle | null = null

  constructor(front: Front, surface: Surface | null, response: ClientResponse, head: RequestHead) {
    this.#front = front
    this.#surface = surface
    this.#response = response
    this.head = head
    this.#acceptedAtMs = front.now()
    this.requestId = head.requestId === '' ? front.createRequestId() : head.requestId
    const { policy, readerStallMs, scratch, now, isClosing } = front
    const commonHeaders = [[['x-request-id', this.requestId] as const], policy.fixed, policy.corsOf(head.origin)]
    this.#sink = new HttpSink({ response, commonHeaders, readerStallMs, scratch, now, isClosing })
    response.onGone = () => this.#leave()
  }

  /** Lets the route act, unless the framing is at fault; what it throws is answered. */
  run(act: Act, req: HttpRequest): void {
    try {
      if (this.head.fault === null) act(this, req)
      else this.#refuseFraming(this.head.fault)
    } catch (thrown) {
      this.reject(thrown)
    }
  }

  /**
   * Looks up who asks. `authorization` stands in where the request has no credential of its own.
   * @throws unauthenticated
   */
  authenticate(authorization = ''): KeyIdentity {
    const { head } = this
    if (head.isCredentialDoubled) throw new GatewayError('unauthenticated')
    const hasOwn = authorization === '' || head.authorization !== '' || head.apiKey !== ''
    this.#key = this.#front.pipeline.authenticate(hasOwn ? head : { authorization, apiKey: '' })
    return this.#key
  }

  /**
   * The caller's own key with a provider: an `x-api-key` that is no gateway key. Null where there is none.
   * @throws invalid_request when it cannot be a key
   */
  callerKey(): string | null {
    const { apiKey } = this.head
    if (apiKey === '' || this.#isGatewayKey(apiKey)) return null
    if (CALLER_KEY.test(apiKey)) return apiKey
    throw new GatewayError('invalid_request', { message: 'The X-API-Key header holds what no key does.' })
  }

  #isGatewayKey(apiKey: string): boolean {
    try {
      return this.#front.pipeline.authenticate({ authorization: '', apiKey }).index >= 0
    } catch {
      return false
    }
  }

  /**
   * Reads the body and starts the exchange.
   * @throws unsupported_media_type, payload_too_large
   */
  readBody(key: KeyIdentity): void {
    const { contentType, contentLength } = this.head
    if (!isJsonContentType(contentType)) throw new GatewayError('unsupported_media_type')
    if (contentLength > this.#front.maxBodyBytes) throw new GatewayError('payload_too_large')
    this.#key = key
    const body = new BodyCollector(contentLength, this.#front.maxBodyBytes, this)
    this.#body = body
    this.#response.readBody((chunk, isLast) => body.push(chunk, isLast))
  }

  onBody(body: Uint8Array<ArrayBuffer>): void {
    this.#body = null
    try {
      if (body.length === 0) throw new GatewayError('invalid_request', { message: 'The body is empty.' })
      this.#start(body)
    } catch (thrown) {
      this.reject(thrown)
    }
  }

  onTooLarge(): void {
    this.reject(new GatewayError('payload_too_large'))
  }

  /** Answers an error in the surface's envelope; whatever of the body is still to come is not read, or not far. */
  reject(thrown: unknown, headers: HeaderList | null = null): void {
    const error = toGatewayError(thrown)
    const { requestId } = this
    const requestBytes = this.#body?.receivedBytes ?? 0
    this.#sink.extraHeaders = headers
    if (this.#isBodyLong() || error.data.code === 'payload_too_large') this.#sink.isLast = true
    const rejection = {
      requestId,
      surface: this.#surface,
      key: this.#key,
      error,
      requestBytes,
      acceptedAtMs: this.#acceptedAtMs,
    }
    try {
      this.#front.pipeline.reject(rejection, this.#sink)
    } catch {
      this.answer(500, FALLBACK_BODY)
    }
  }

  /** Answers a route that is no exchange: health, models, metrics. */
  answer(status: number, body: Uint8Array, headers: HeaderList = []): void {
    if (this.#isBodyLong()) this.#sink.isLast = true
    this.#sink.reply({ status, headers, body, error: null })
  }

  /**
   * Refuses a request whose end nobody can tell, and closes its connection. Not at once: while the answer is pending the
   * engine closes the connection itself if it finds a further request in the bytes behind this one.
   */
  #refuseFraming(reason: string): void {
    this.#sink.isLast = true
    setImmediate(() => {
      if (!this.#response.isDone) this.reject(new GatewayError('invalid_request', { message: reason }))
    })
  }

  #start(body: Uint8Array<ArrayBuffer>): void {
    const surface = this.#surface
    const key = this.#key
    if (surface === null || key === null) throw new GatewayError('internal')
    const { requestId } = this
    const { parameterHeaders } = this.head
    const acceptedAtMs = this.#acceptedAtMs
    const request = { requestId, surface, key, body, parameterHeaders, acceptedAtMs, path: this.path }
    this.#handle = this.#front.pipeline.start(request, this.#sink)
  }

  #isBodyLong(): boolean {
    return this.head.isChunked || this.head.contentLength > MAX_IGNORED_BODY_BYTES
  }

  #leave(): void {
    if (this.#sink.isFollowing) this.#sink.leave()
    else this.#handle?.cancel()
    const body = this.#body
    if (body === null) return
    // It was never an exchange, but it was a request: the log and the count shall have it.
    this.reject(new GatewayError('client_gone'))
    body.stop()
  }
}

const FALLBACK_BODY = Buffer.from(
  JSON.stringify({
    error: { message: errorData('internal').message, type: 'server_error', param: null, code: 'internal' },
  }),
)
