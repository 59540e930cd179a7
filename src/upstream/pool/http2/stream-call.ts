// One request on one HTTP/2 session, told to a handler as undici tells of one over HTTP/1.1. Bytes reach the handler within the read
// that brought them: the stream flows from the beginning, and is never paused by us.
//
//   response -> onResponseStart     data -> onResponseData     end, closed without an error -> onResponseEnd     else -> onResponseError
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import { type Dispatcher } from 'undici'
import errors from 'undici/lib/core/errors.js'
import { type PooledHandler } from '../upstream-pool.js'
import { HTTP1_REQUIRED } from './http2-error.js'

/** The connection of a stream, as far as the stream needs it. */
export type StreamOwner = {
  readonly maxHeaderBytes: number
  /** Why a stream of it ended before its answer did. */
  endOf(stream: ClientHttp2Stream, error: Error | null): Error
  /** A request was refused that HTTP/1.1 would serve. */
  requireHttp1(): void
  /** Its place is free again. */
  release(): void
}

/** What undici takes as headers and body, as calls make them. */
export type RequestParts = {
  readonly method: string
  readonly path: string
  /** Flat, lower-case names. */
  readonly headers: readonly string[]
  readonly body: readonly Uint8Array[]
}

export class StreamCall implements Dispatcher.DispatchController {
  readonly #handler: PooledHandler
  readonly #owner: StreamOwner
  #stream: ClientHttp2Stream | null = null
  #isOver = false
  #hasAnswer = false
  /** The other side has ended the stream, and not by a reset, after which Node ends it as well. */
  #isWhole = false
  aborted = false
  reason: Error | null = null
  paused = false

  constructor(handler: PooledHandler, owner: StreamOwner) {
    this.#handler = handler
    this.#owner = owner
  }

  /** @throws when the session takes no more requests; then nothing was sent, and no event follows */
  start(session: ClientHttp2Session, parts: RequestParts): void {
    const { body } = parts
    const stream = session.request(headersOf(parts), { endStream: body.length === 0 })
    this.#stream = stream
    const { push } = stream
    stream.push = (chunk, encoding) => {
      if (chunk === null && !stream.closed) this.#isWhole = true
      return push.call(stream, chunk, encoding)
    }
    stream.on('response', (headers) => this.#begin(headers))
    stream.on('data', (chunk: Buffer) => {
      if (!this.#isOver) this.#handler.onResponseData?.(this, chunk)
    })
    stream.on('end', () => this.#end())
    stream.on('error', (error) => this.#fail(error))
    stream.on('close', () => {
      this.#fail(null)
      this.#owner.release()
    })
    if (body.length === 0) return
    stream.cork()
    for (const piece of body) stream.write(piece)
    stream.end()
    stream.uncork()
  }

  /** It could not be begun. */
  fail(thrown: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#handler.onResponseError(this, thrown instanceof Error ? thrown : new Error(String(thrown)))
  }

  /** Resets the stream; the session stays. */
  abort(reason: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.aborted = true
    this.reason = reason
    this.#stream?.close(constants.NGHTTP2_CANCEL)
  }

  pause(): void {
    this.paused = true
    this.#stream?.pause()
  }

  resume(): void {
    this.paused = false
    this.#stream?.resume()
  }

  #begin({ ':status': status = 0, ...headers }: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    if (this.#isOver) return
    this.#hasAnswer = true
    this.#handler.onResponseStarted?.()
    if (bytesOf(headers) <= this.#owner.maxHeaderBytes) this.#handler.onResponseStart?.(this, status, headers)
    else {
      this.#isOver = true
      this.#handler.onResponseError(this, new errors.HeadersOverflowError())
      this.#stream?.close(constants.NGHTTP2_CANCEL)
    }
  }

  #end(): void {
    if (this.#isOver) return
    const stream = this.#stream
    if (stream === null || !this.#isWhole || (stream.rstCode ?? 0) !== 0) return
    this.#isOver = true
    this.#handler.onResponseEnd?.(this, {})
    // Nobody reads the rest of the request.
    if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL)
  }

  #fail(error: Error | null): void {
    const stream = this.#stream
    if (this.#isOver || stream === null) return
    this.#isOver = true
    const end = this.#owner.endOf(stream, error)
    if (!this.#hasAnswer && 'code' in end && end.code === HTTP1_REQUIRED) this.#owner.requireHttp1()
    this.#handler.onResponseError(this, end)
  }
}

/** Without the status; the limit is of names and values, as over HTTP/1.1. */
function bytesOf(headers: IncomingHttpHeaders): number {
  let bytes = 0
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (typeof value === 'string') bytes += name.length + value.length
    else for (const one of value ?? []) bytes += name.length + one.length
  }
  return bytes
}

/** Node takes a list for a name that comes more than once. */
function headersOf({ method, path, headers, body }: RequestParts): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = { ':method': method, ':path': path }
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]]
    const known = all[name]
    all[name] = known === undefined ? value : [known, value].flat()
  }
  if (body.length > 0) all['content-length'] = String(body.reduce((total, piece) => total + piece.length, 0))
  return all
}
