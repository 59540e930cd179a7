// One request on the admin listener: its framing, its host, its key, its body, and its answer, in one form for all errors. It knows no
// route; routes/ says what is asked and answered.
import { GatewayError, toGatewayError } from '../../errors.js'
import { type JsonObject } from '../../model/json.js'
import { type ClientRequest, type ExchangeHandle } from '../../pipeline/client.js'
import { type HeaderList, type Sink, type StreamFormat } from '../../pipeline/sink.js'
import { type AddressTexts } from '../../server/caller/address-text.js'
import { FORWARDED_PROTO, type TrustedProxies } from '../../server/caller/client-address.js'
import { type FailedKeys } from '../../server/caller/failed-keys.js'
import { type HostNames } from '../../server/caller/host-names.js'
import { type HeadReader, isJsonContentType, type RequestHead } from '../../server/engine/request-head.js'
import { type ClientResponse, type ResponseGround } from '../../server/engine/response.js'
import { RequestBody } from '../../server/http/request-body.js'
import { HttpSink } from '../../server/http/sink.js'
import { type FrameReader } from '../../streams/reader.js'
import { type Log } from '../../telemetry/records.js'
import { type AdminKeys, type Operator } from '../admin-keys.js'
import { type Sessions } from '../sessions.js'
import { readSessionCookie, writeSessionCookie } from './session-cookie.js'

/** One configuration as requests see it. */
export type AdminView = {
  readonly keys: AdminKeys
  readonly hosts: HostNames
  /** On every answer. */
  readonly fixed: HeaderList
  readonly isTls: boolean
  /** One of them may end the TLS of browsers. */
  readonly proxies: Pick<TrustedProxies, 'saysTls'>
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
}

/** What all requests of the listener share. */
export type AdminGround = ResponseGround & {
  /** Replaced by a reload: read it once per request. */
  view: AdminView
  readonly heads: HeadReader
  readonly addresses: AddressTexts
  /** Null where failed keys are not limited. */
  readonly failedKeys: Pick<FailedKeys, 'check' | 'note'> | null
  readonly sessions: Sessions
  readonly createRequestId: () => string
  readonly scratch: Buffer
  readonly now: () => number
}

/** What is known of a request that is passed on, beside its body. */
export type PassedRequest = Pick<ClientRequest, 'requestId' | 'acceptedAtMs'> & {
  readonly origin: NonNullable<ClientRequest['origin']>
}

/** A key with its metadata is a few KB. */
export const MAX_BODY_BYTES = 256 * 1024
/** Of a request that shows no key before its body, so that strangers cannot hold much memory. An admin key in JSON is shorter. */
export const MAX_OPEN_BODY_BYTES = 16 * 1024
/** A rejected body up to this size is read to its end and the connection kept. */
const MAX_IGNORED_BODY_BYTES = 64 * 1024
/** An operator's page that takes nothing for this long is gone. */
const READER_STALL_MS = 30_000
/** Headers of a session, which the head must keep. */
export const COOKIE = 'cookie'
export const CSRF_TOKEN = 'x-csrf-token'
const NO_STORE = ['cache-control', 'no-store'] as const
const NO_BODY = new Uint8Array(0)
const MISDIRECTED = GatewayError.shared('misdirected')
const UNCOUNTED = Object.freeze({ grow: () => null, release: () => undefined })

export class AdminExchange {
  readonly head: RequestHead
  readonly requestId: string
  readonly view: AdminView
  readonly #ground: AdminGround
  readonly #response: ClientResponse
  readonly #sink: HttpSink
  readonly #acceptedAtMs: number
  #operator: Operator | null = null
  /** The client left before its answer was whole. */
  onLeave: (() => void) | null = null

  constructor(ground: AdminGround, response: ClientResponse, head: RequestHead) {
    this.#ground = ground
    this.#response = response
    this.head = head
    this.view = ground.view
    this.requestId = head.requestId === '' ? ground.createRequestId() : head.requestId
    this.#acceptedAtMs = ground.now()
    ground.guard.noteRequest(this.#acceptedAtMs)
    const { scratch, now } = ground
    const commonHeaders = [[['x-request-id', this.requestId] as const, NO_STORE], this.view.fixed]
    const isClosing = (): boolean => false
    this.#sink = new HttpSink({ response, commonHeaders, readerStallMs: READER_STALL_MS, scratch, now, isClosing })
    response.onGone = () => {
      this.#sink.leave()
      this.onLeave?.()
    }
  }

  get isOver(): boolean {
    return this.#response.isDone
  }

  /** The operator, once it is identified. */
  get operator(): Operator {
    if (this.#operator === null) throw new GatewayError('internal')
    return this.#operator
  }

  /** @throws invalid_request for framing that cannot be trusted, misdirected for the name of another host */
  checkHead(): void {
    const { fault, host } = this.head
    if (fault !== null) {
      this.#closeAfter()
      throw new GatewayError('invalid_request', { message: fault })
    }
    if (!this.view.hosts.has(host)) throw MISDIRECTED
  }

  /** @throws unauthenticated; rate_limited for an address that tries keys, with a valid one as well */
  identify(): void {
    const { authorization, isCredentialDoubled } = this.head
    this.#ground.failedKeys?.check(this.#response.address)
    if (authorization === '' && this.#cookie !== '') {
      this.#operator = this.#operatorOfSession(this.view.keys)
      if (this.#operator !== null) return
      throw new GatewayError('unauthenticated', { message: 'The session has ended, or x-csrf-token is not its token.' })
    }
    this.#operator = isCredentialDoubled ? null : this.view.keys.find(authorization)
    if (this.#operator === null) throw this.#refusal(authorization)
  }

  /** Whether its key or its session would be accepted now as well: an answer may take as long as a stream does. */
  get isStillKnown(): boolean {
    const { keys } = this.#ground.view
    const { authorization } = this.head
    return (authorization === '' ? this.#operatorOfSession(keys) : keys.find(authorization)) !== null
  }

  /**
   * Opens a session for the browser that sent this key.
   * @throws unauthenticated, rate_limited, as with a key in a header
   */
  openSession(key: string): { readonly operator: Operator; readonly token: string; readonly headers: HeaderList } {
    this.#ground.failedKeys?.check(this.#response.address)
    const found = this.view.keys.findKey(key)
    if (found === null) throw this.#refusal(key)
    const { cookie, token } = this.#ground.sessions.open(found.keySha256)
    return { operator: found.operator, token, headers: this.#cookieHeader(cookie) }
  }

  /** Ends the session of this request; returns the headers that take its cookie away, none if there is no session. */
  endSession(): HeaderList {
    const cookie = this.#cookie
    if (cookie === '' || this.head.authorization !== '') return []
    this.#ground.sessions.end(cookie)
    return this.#cookieHeader('')
  }

  get #cookie(): string {
    return readSessionCookie(this.head.parameterHeaders[COOKIE] ?? '', this.head.host)
  }

  #cookieHeader(cookie: string): HeaderList {
    const { host, forwarded, parameterHeaders } = this.head
    const { isTls, proxies } = this.view
    const said = { proto: parameterHeaders[FORWARDED_PROTO] ?? '', forwarded }
    const isBehindTls = isTls || proxies.saysTls(this.#response.address, said)
    return [['set-cookie', writeSessionCookie(cookie, { host, isTls: isBehindTls })]]
  }

  /** A key that a reload has removed has no sessions any more. */
  #operatorOfSession(keys: AdminKeys): Operator | null {
    const token = this.head.parameterHeaders[CSRF_TOKEN] ?? ''
    const keySha256 = this.#ground.sessions.find({ cookie: this.#cookie, token })
    return keySha256 === null ? null : keys.findDigest(keySha256)
  }

  /** A request without a key is not a guess. */
  #refusal(key: string): GatewayError {
    const { failedKeys, addresses } = this.#ground
    const { address } = this.#response
    if (key !== '') {
      failedKeys?.note(address)
      this.view.log.warn({ address: addresses.of(address) }, 'admin key refused')
    }
    return new GatewayError('unauthenticated', { message: 'Missing or unknown admin key.' })
  }

  /**
   * Calls `take` with the whole body; to be called within the engine's own call. Anything wrong with it is answered.
   * @throws unsupported_media_type, payload_too_large
   */
  readBody(take: (body: Uint8Array) => void, maxBytes = MAX_BODY_BYTES): void {
    const { contentType, contentLength, contentEncoding } = this.head
    const isEmpty = contentLength <= 0 && !this.head.isChunked
    if (!isEmpty && (!isJsonContentType(contentType) || contentEncoding !== '')) {
      throw new GatewayError('unsupported_media_type')
    }
    if (contentLength > maxBytes) throw new GatewayError('payload_too_large')
    const body = new RequestBody(contentLength, maxBytes, {
      reserve: () => UNCOUNTED,
      onNoRoom: (refusal) => this.reject(refusal),
      onTooLarge: () => this.reject(new GatewayError('payload_too_large')),
      onBody: take,
    })
    this.#response.readBody((chunk, isLast) => body.push(chunk, isLast))
  }

  /** `body`: null for an answer without one. */
  answer(status: number, body: object | string | Uint8Array | null, headers: HeaderList = []): void {
    if (this.#isBodyLong()) this.#closeAfter()
    const bytes = body === null ? NO_BODY : bytesOf(body)
    this.#sink.reply({ status, headers, body: bytes, error: null })
  }

  /** Answers an error in the one form that this API has. */
  reject(thrown: unknown, headers: HeaderList = []): void {
    const { data, cause } = toGatewayError(thrown)
    if (data.code === 'internal') this.view.log.error({ id: this.requestId, cause }, 'admin request failed')
    if (data.code === 'payload_too_large') this.#closeAfter()
    const { code, message, param, status, retryAfterMs } = data
    const wait: HeaderList =
      retryAfterMs === null ? [] : [['retry-after', String(Math.ceil(retryAfterMs / 1000))] as const]
    this.answer(status, errorBody({ code, message, param }), [...wait, ...headers])
  }

  /** Answers with a stream of server-sent events, until the reader ends. */
  follow(attach: (onReadable: () => void) => FrameReader): void {
    const head = { headers: [], contentType: 'text/event-stream; charset=utf-8', transport: 'sse' } as const
    this.#sink.begin(head, EVENTS)
    // So that an open stream can be told from a listener that hangs.
    this.#sink.keepalive()
    this.#sink.follow(attach, () => this.onLeave?.())
  }

  /** Lets a request of a client's API answer here, as it would answer that client. */
  passOn(start: (request: PassedRequest, sink: Sink) => ExchangeHandle): void {
    const { method, path, agent } = this.head
    const origin = { method, path, address: this.#ground.addresses.of(this.#response.address), agent }
    const handle = start({ requestId: this.requestId, acceptedAtMs: this.#acceptedAtMs, origin }, this.#sink)
    this.onLeave = () => handle.cancel()
  }

  /** Within a stream: shows that the listener is still there. */
  keepalive(): void {
    this.#sink.keepalive()
  }

  #isBodyLong(): boolean {
    return this.head.isChunked || this.head.contentLength > MAX_IGNORED_BODY_BYTES
  }

  #closeAfter(): void {
    this.#sink.isLast = true
    this.#sink.rest = 'dropped'
  }
}

function bytesOf(body: object | string | Uint8Array): Uint8Array {
  if (body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** The form of all errors. */
export function errorBody(error: {
  readonly code: string
  readonly message: string
  readonly param: string | null
}): JsonObject {
  return { error: { code: error.code, message: error.message, param: error.param } }
}

/** What ends a stream is an event of its own. */
const EVENTS: StreamFormat = Object.freeze({ keepaliveFrame: ': keepalive\n\n', encodeErrorFrame: () => '' })
