// One upstream call in the hands of the test.
import { type Timeouts } from '../../src/config/types.js'
import { GatewayError } from '../../src/errors.js'
import { type CallHandler, type UpstreamCall, type UpstreamRequest } from '../../src/upstream/call.js'
import { STREAMS, WHOLES, type Wire } from './pipeline-wires.js'

/** One upstream call in the hands of the test. After `abort` it is silent, as the real one is. */
export class FakeCall implements UpstreamCall {
  readonly request: UpstreamRequest
  readonly timeouts: Timeouts
  readonly #handler: CallHandler
  bytesReceived = 0
  isReused = false
  attempts = 1
  tokens = 0
  aborts = 0
  hasHead = false
  /** Aborted, ended or failed. */
  isOver = false
  isEnded = false

  constructor(request: UpstreamRequest, handler: CallHandler, timeouts: Timeouts) {
    this.request = request
    this.timeouts = timeouts
    this.#handler = handler
  }

  abort(): void {
    if (!this.isOver) this.aborts += 1
    this.isOver = true
  }

  sawToken(): void {
    this.tokens += 1
  }

  get wire(): Wire {
    return this.request.provider.protocol as Wire
  }

  /** A connection was made for it. */
  connected(): this {
    if (!this.isOver) this.#handler.onConnected()
    return this
  }

  head(status = 200, headers: Readonly<Record<string, string>> = { 'content-type': 'text/event-stream' }): this {
    if (this.isOver || this.hasHead) return this
    this.hasHead = true
    this.#handler.onHead(status, headers)
    return this
  }

  send(...parts: readonly string[]): this {
    for (const part of parts) if (!this.isOver && this.hasHead) this.#handler.onBytes(Buffer.from(part))
    return this
  }

  end(): this {
    if (this.isOver || !this.hasHead) return this
    this.isOver = true
    this.isEnded = true
    this.#handler.onEnd()
    return this
  }

  fail(error: GatewayError): this {
    if (this.isOver) return this
    this.isOver = true
    this.isEnded = true
    this.#handler.onError(error)
    return this
  }

  cut(): this {
    return this.fail(new GatewayError(this.hasHead ? 'upstream_cut' : 'upstream_unreachable'))
  }

  timeOut(): this {
    return this.fail(new GatewayError('upstream_timeout'))
  }

  /** The whole stream and its end. */
  stream(): this {
    const { head, content, finish, marker } = STREAMS[this.wire]
    return this.head()
      .send(head, ...content, finish, marker)
      .end()
  }

  /** A whole answer and its end. */
  whole(body = WHOLES[this.wire]): this {
    return this.head(200, { 'content-type': 'application/json' }).send(body).end()
  }
}
