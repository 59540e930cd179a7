// A call to a provider whose credentials expire: it waits for them, then it is the call that `send` makes. If the upstream refuses them
// and others may help, the same request is sent once more, before anything of the refusal is reported. Its time limits include all that.
//
//   authorizing -> sent -> head: passed on            refused, with other credentials at hand -> authorizing, once
//        '-- no credentials, no time: onError
import { type Timeouts } from '../../config/types.js'
import { type GatewayError, toGatewayError } from '../../errors.js'
import { type CallHandler, type ResponseHeaders, type UpstreamCall } from '../call.js'
import { Deadlines, type TimeLimits } from '../deadlines.js'
import { timeoutFailure } from '../failure.js'
import { type Authorization, type Outgoing } from './authorizer.js'
import { type Credentials } from './credentials.js'

export type AuthorizedRequest = {
  readonly credentials: Credentials
  readonly outgoing: Outgoing
  readonly timeouts: Timeouts
  readonly isStream: boolean
  /** Sends it with these further headers; never throws. */
  readonly send: (headers: readonly string[], to: TimeLimits & { readonly handler: CallHandler }) => UpstreamCall
}

const UNAUTHENTICATED = 401
const FORBIDDEN = 403

export class AuthorizedCall implements UpstreamCall, CallHandler {
  readonly #handler: CallHandler
  /** Null once it cannot be sent again, so that an open stream does not retain its prompt. */
  #request: AuthorizedRequest | null
  #call: UpstreamCall | null = null
  #sent: Authorization | null = null
  readonly #startedAtMs = performance.now()
  /** Null while a call is under way, which has its own. */
  #deadlines: Deadlines | null = null
  #hasRepeated = false
  #isOver = false

  constructor(request: AuthorizedRequest, handler: CallHandler) {
    this.#request = request
    this.#handler = handler
    this.#authorize(request)
  }

  get bytesReceived(): number {
    return this.#call?.bytesReceived ?? 0
  }

  get isReused(): boolean {
    return this.#call?.isReused ?? false
  }

  get attempts(): number {
    return this.#call?.attempts ?? 0
  }

  abort(): void {
    if (this.#isOver) return
    this.#close()
    this.#call?.abort()
  }

  sawToken(): void {
    this.#call?.sawToken()
  }

  onConnected(): void {
    this.#handler.onConnected()
  }

  onHead(status: number, headers: ResponseHeaders): void {
    if (this.#isOver) return
    const isRefused = status === UNAUTHENTICATED || status === FORBIDDEN
    if (isRefused && this.#repeats(status, headers)) return
    this.#request = null
    this.#handler.onHead(status, headers)
  }

  onBytes(chunk: Buffer): void {
    if (!this.#isOver) this.#handler.onBytes(chunk)
  }

  onEnd(): void {
    if (this.#isOver) return
    this.#close()
    this.#handler.onEnd()
  }

  onError(error: GatewayError): void {
    if (this.#isOver) return
    this.#close()
    this.#handler.onError(error)
  }

  #authorize(request: AuthorizedRequest): void {
    const { credentials, outgoing, timeouts, isStream } = request
    this.#deadlines = new Deadlines({ timeouts, startedAtMs: this.#startedAtMs }, isStream, ({ kind, limitMs }) =>
      this.onError(timeoutFailure(kind, limitMs)),
    )
    credentials.authorize(outgoing).then(
      (authorization) => this.#send(request, authorization),
      (thrown: unknown) => this.onError(toGatewayError(thrown)),
    )
  }

  #send({ timeouts, send }: AuthorizedRequest, authorization: Authorization): void {
    this.#stopWaiting()
    if (this.#isOver) return
    this.#sent = authorization
    this.#call = send(authorization.headers, { handler: this, timeouts, startedAtMs: this.#startedAtMs })
  }

  #repeats(status: number, headers: ResponseHeaders): boolean {
    const request = this.#request
    const { date } = headers
    if (request === null || this.#sent === null || this.#hasRepeated) return false
    if (!request.credentials.mayHelpAgain(this.#sent, status, typeof date === 'string' ? date : null)) return false
    this.#hasRepeated = true
    this.#call?.abort()
    this.#authorize(request)
    return true
  }

  #close(): void {
    this.#isOver = true
    this.#request = null
    this.#stopWaiting()
  }

  #stopWaiting(): void {
    this.#deadlines?.stop()
    this.#deadlines = null
  }
}
