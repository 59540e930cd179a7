// A scripted pipeline and surface: tests of the front end decide by script what becomes of each request.

import { GatewayError } from '../../src/errors.js'
import { type ErrorData } from '../../src/model/error.js'
import { NO_USAGE } from '../../src/model/usage.js'
import {
  type ClientRequest,
  type Credentials,
  type KeyIdentity,
  type Pipeline,
  type Rejection,
} from '../../src/pipeline/client.js'
import { type Delivery, type HeaderList, type Sink, type StreamFormat } from '../../src/pipeline/sink.js'
import { type Surface } from '../../src/protocols/contract/protocol.js'
import { StreamLog } from '../../src/streams/log.js'
import { type StreamEnd } from '../../src/streams/reader.js'
import { type Transport } from '../../src/telemetry/records.js'

export const CHAT_PATH = '/v1/chat/completions'

function unused(): never {
  throw new Error('not part of the front end')
}

/** A surface with one route and an envelope of its own, recognisable by `fake`. */
export const fakeSurface: Surface = {
  id: 'fake',
  routes: [{ method: 'POST', path: CHAT_PATH }],
  framing: 'sse',
  promptMembers: [],
  keepaliveFrame: ': ping\n',
  readFacts: unused,
  decodeRequest: unused,
  createEncoder: unused,
  encodeResponse: unused,
  encodeError: (error) => ({ status: error.status, body: envelope(error) }),
  encodeErrorFrame: (error) => `data: ${JSON.stringify(envelope(error))}\n\n`,
}

function envelope(error: ErrorData) {
  return { error: { message: error.message, type: 'fake', param: error.param, code: error.code } }
}

export const fakeFace: StreamFormat = {
  keepaliveFrame: fakeSurface.keepaliveFrame,
  encodeErrorFrame: (error) => fakeSurface.encodeErrorFrame(error, ''),
}

export const COMPLETE: StreamEnd = { outcome: 'complete', error: null, usage: NO_USAGE, usageSource: 'provider' }

/** One exchange in the hands of a test. */
export class FakeExchange {
  readonly request: ClientRequest
  readonly sink: Sink
  readonly log: StreamLog
  readonly deliveries: Delivery[] = []
  readonly delivered: Promise<Delivery>
  cancels = 0
  abandons = 0
  readonly cancelled: Promise<void>
  #deliver: (delivery: Delivery) => void = () => {}
  #cancel: () => void = () => {}

  constructor(request: ClientRequest, sink: Sink, capBytes: number) {
    this.request = request
    this.sink = sink
    this.log = new StreamLog({ capBytes, retainBytes: 0 }, () => {
      this.abandons += 1
    })
    this.delivered = new Promise((resolve) => {
      this.#deliver = resolve
    })
    this.cancelled = new Promise((resolve) => {
      this.#cancel = resolve
    })
  }

  get text(): string {
    return Buffer.from(this.request.body).toString()
  }

  cancel(): void {
    this.cancels += 1
    this.#cancel()
  }

  reply(status: number, body: string | Uint8Array, error: ErrorData | null = null): void {
    this.sink.reply({ status, headers: [], body: Buffer.from(body), error })
  }

  begin(transport: Transport = 'sse'): this {
    this.sink.begin(
      {
        headers: [['x-sluice-target', 'fake/model']],
        contentType: 'text/event-stream; charset=utf-8',
        transport,
      },
      fakeFace,
    )
    return this
  }

  follow(): this {
    this.sink.follow(
      (onReadable) => this.log.attach(onReadable),
      (delivery) => {
        this.deliveries.push(delivery)
        this.#deliver(delivery)
      },
    )
    return this
  }

  frame(data: string): void {
    this.log.append(Buffer.from(`data: ${data}\n\n`))
  }

  end(end: StreamEnd = COMPLETE): void {
    this.log.close(end)
  }
}

export type Script = (exchange: FakeExchange) => void

export class FakePipeline implements Pipeline {
  /** Keys that are let in; null lets all in. */
  keys: readonly string[] | null = null
  script: Script
  capBytes = 64 * 1024 * 1024
  readonly exchanges: FakeExchange[] = []
  readonly rejections: Rejection[] = []
  readonly seen: Credentials[] = []

  constructor(script: Script = (exchange) => exchange.reply(200, '{"ok":true}')) {
    this.script = script
  }

  authenticate(credentials: Credentials) {
    this.seen.push(credentials)
    const given = credentials.authorization.replace(/^Bearer /i, '') || credentials.vendorKey || credentials.apiKey
    if (this.keys !== null && !this.keys.includes(given)) throw new GatewayError('unauthenticated')
    return { index: this.keys === null ? -1 : this.keys.indexOf(given), name: given || null, owner: given || null }
  }

  renew(key: KeyIdentity) {
    if (this.keys !== null && !this.keys.includes(key.owner ?? '')) throw new GatewayError('unauthenticated')
    return key
  }

  limitHeaders(key: KeyIdentity): HeaderList {
    return key.name === null ? [] : [['x-ratelimit-limit-requests', '60']]
  }

  start(request: ClientRequest, sink: Sink) {
    const exchange = new FakeExchange(request, sink, this.capBytes)
    this.exchanges.push(exchange)
    this.script(exchange)
    return { cancel: () => exchange.cancel() }
  }

  reject(rejection: Rejection, sink: Sink): void {
    this.rejections.push(rejection)
    const { data } = rejection.error
    sink.reply({ status: data.status, headers: [], body: Buffer.from(JSON.stringify(envelope(data))), error: data })
  }
}
