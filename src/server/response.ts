// The one wrapper around the engine's response; nobody else touches `res`, which throws or kills the process when it is used
// after its end. It knows bytes and the engine's write rules, not what is being answered.
//
//   answer(...)                        head + whole body, by end() or, above one cork, by tryEnd() and onWritable
//   cork(() => commit, write, end)     a stream; one cork holds at most CORK_BUDGET_BYTES
import { STATUS_CODES } from 'node:http'
import { type HeaderList } from '../pipeline/sink.js'
import { type HttpResponse } from './engine.js'

/**
 * The engine's cork buffer is 16 KiB; what overflows it while the socket is full is lost in builds up to 20.63 (uWebSockets
 * 6b7f354). So all that goes into one cork, head and chunk framing included, stays below it.
 */
export const CORK_BUDGET_BYTES = 15 * 1024
/** Framing around one chunk: CRLF, up to six hex digits, CRLF. */
export const CHUNK_FRAMING_BYTES = 12
/** Headers beyond this are left out: the head must leave room in its cork. */
const MAX_HEAD_BYTES = 8 * 1024
/** Status line, date, server mark and length or coding, which the engine writes by itself. */
const ENGINE_HEAD_BYTES = 192
const HEADER_FRAMING_BYTES = 4
/** A header with one of these would end early and begin another. The engine does not check. */
const UNSAFE_VALUE = /[\0\r\n]/
/** The status that forbids a body; HEAD forbids one with any status. */
const NO_CONTENT = 204
const EMPTY = new Uint8Array(0)

/** Open responses of one event loop. */
export type OpenCount = { requests: number; sockets: number }

/** Takes a piece of a body, which is the engine's and gone after the call. */
export type TakeBody = (chunk: ArrayBuffer, isLast: boolean) => void

export type WholeAnswer = {
  readonly status: number
  readonly headers: readonly HeaderList[]
  readonly body: Uint8Array
  /** Close the connection after it: what follows on it cannot be trusted, or nothing shall. */
  readonly isLast: boolean
}

/** One response, safe to use at any time: after its end every call is a no-op. */
export class ClientResponse {
  readonly #res: HttpResponse
  readonly #isHead: boolean
  readonly #open: OpenCount
  #isDone = false
  #body: Uint8Array = EMPTY
  #takeBody: TakeBody | null = null
  /** The client left before the end; called once, never after an end of ours. */
  onGone: (() => void) | null = null
  /** A stream can take more; the callee must cork, even with nothing to write, or what the engine holds stays there. */
  onWritable: (() => void) | null = null
  /** Handed to the engine, framing included. */
  bytes = 0

  /** Registers for the abort, so it must come first in every route. `isHead`: answers bear no body. */
  constructor(res: HttpResponse, isHead: boolean, open: OpenCount) {
    this.#res = res
    this.#isHead = isHead
    this.#open = open
    open.requests += 1
    res.onAborted(() => this.#abort())
  }

  /** Ended, cut or left: nothing can be written any more. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** The other side's address, 4 or 16 bytes, none after the end. Of a proxy, where there is one. */
  get address(): Uint8Array {
    return this.#isDone ? EMPTY : new Uint8Array(this.#res.getRemoteAddress()).slice()
  }

  /** Asks for the request's body. */
  readBody(take: TakeBody): void {
    if (this.#isDone) return
    this.#takeBody = take
    this.#res.onData((chunk, isLast) => {
      const current = this.#takeBody
      if (isLast) this.#takeBody = null
      current?.(chunk, isLast)
    })
  }

  /** The whole answer at once. No effect after the end. */
  answer(answer: WholeAnswer): void {
    if (!this.#isDone) this.#res.cork(() => this.#writeAnswer(answer))
  }

  /** Joins the writes of `write` into one. No effect after the end. */
  cork(write: () => void): void {
    if (!this.#isDone) this.#res.cork(write)
  }

  /** Inside a cork, before the first `write`: status 200 and the headers. Returns about how many bytes they take. */
  commit(headers: readonly HeaderList[]): number {
    if (this.#isDone) return 0
    // Registered before the first write: without it the engine closes a stream 10 s after its first backpressure.
    this.#res.onWritable(() => {
      this.onWritable?.()
      return true
    })
    return this.#writeHead(200, headers)
  }

  /** Inside a cork. False: the engine has taken the bytes, but wants no more before `onWritable`. */
  write(bytes: Uint8Array): boolean {
    if (this.#isDone) return true
    this.bytes += bytes.length + CHUNK_FRAMING_BYTES
    return this.#res.write(bytes)
  }

  /** Inside a cork: ends a stream well. */
  end(): void {
    if (this.#isDone) return
    this.#finish()
    this.#res.end()
  }

  /** Closes the connection where it stands; the client sees a stream without its end. */
  cut(): void {
    if (this.#isDone) return
    this.#finish()
    this.#res.close()
  }

  /** Turns the connection into a WebSocket by `upgrade`; nothing of the response is left. */
  upgrade(upgrade: () => void): void {
    if (this.#isDone) return
    this.#finish()
    upgrade()
  }

  #abort(): void {
    if (this.#isDone) return
    const { onGone } = this
    this.#finish()
    onGone?.()
  }

  #finish(): void {
    this.#isDone = true
    this.#body = EMPTY
    this.onGone = null
    this.onWritable = null
    this.#open.requests -= 1
  }

  #writeAnswer(answer: WholeAnswer): void {
    const headBytes = this.#writeHead(answer.status, answer.headers)
    const { body, isLast } = answer
    if ((this.#isHead || answer.status === NO_CONTENT) && !isLast) {
      this.#finish()
      // Without arguments: older builds take an undefined length for 2^63 and never finish.
      this.#res.endWithoutBody()
    } else if (this.#isHead || answer.status === NO_CONTENT) {
      this.#finish()
      this.#res.end(EMPTY, true)
    } else if (headBytes + body.length <= CORK_BUDGET_BYTES) {
      this.#finish()
      this.bytes += body.length
      this.#res.end(body, isLast)
    } else {
      this.#body = body
      this.#res.onWritable((offset) => this.#continueBody(offset))
      this.#continueBody(0)
    }
  }

  /** tryEnd takes what the socket takes and tells the offset to go on from. */
  #continueBody(offset: number): boolean {
    if (this.#isDone) return true
    const body = this.#body
    const [isTaken, isComplete] = this.#res.tryEnd(offset === 0 ? body : body.subarray(offset), body.length)
    if (isComplete) {
      this.bytes += body.length
      this.#finish()
    }
    return isTaken
  }

  /**
   * All headers in one call: each crossing into the engine costs 0.25 us, and an answer has fourteen. The engine writes a
   * value as it is, so what stands between two headers may be part of it; each value was looked at alone before.
   */
  #writeHead(status: number, lists: readonly HeaderList[]): number {
    const res = this.#res
    let headBytes = ENGINE_HEAD_BYTES
    let firstName = ''
    let block = ''
    res.writeStatus(STATUS_LINES.get(status) ?? `${status} Unknown`)
    for (const list of lists) {
      for (const header of list) {
        // Not taken apart by a pattern: that asks an iterator.
        const name = header[0]
        const value = header[1]
        // Header values are ASCII but for a rare name of configuration: near enough for a budget with kilobytes to spare.
        const length = name.length + value.length + HEADER_FRAMING_BYTES
        if (UNSAFE_VALUE.test(value) || headBytes + length > MAX_HEAD_BYTES) continue
        headBytes += length
        if (firstName === '') {
          firstName = name
          block = value
        } else block += `\r\n${name}: ${value}`
      }
    }
    if (firstName !== '') res.writeHeader(firstName, block)
    this.bytes += headBytes
    return headBytes
  }
}

const STATUS_LINES: ReadonlyMap<number, string> = new Map(
  Object.entries(STATUS_CODES).map(([status, text]) => [Number(status), `${status} ${text ?? ''}`]),
)
