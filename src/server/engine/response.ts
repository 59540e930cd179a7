// The only wrapper around the engine's response. Nothing else uses `res`, which throws or kills the process when it is used after its
// end. It knows bytes and the engine's rules for writing, not the content of answers.
//
//   answer(...)                        head + whole body, by end() or, above one cork, by tryEnd() and onWritable
//   cork(() => commit, write, end)     a stream; one cork holds at most CORK_BUDGET_BYTES
import { type HeaderList } from '../../pipeline/sink.js'
import { DroppedRest } from './dropped-rest.js'
import { type HttpResponse } from './engine.js'
import { writeHead } from './response-head.js'
import { type TurnGuard, type Waiting } from './turn-guard.js'

/**
 * The engine's cork buffer is 16 KiB; what overflows it while the socket is full is lost in builds up to 20.63 (uWebSockets
 * 6b7f354). So all that goes into one cork, head and chunk framing included, stays below it.
 */
export const CORK_BUDGET_BYTES = 15 * 1024
/** Framing around one chunk: CRLF, up to six hex digits, CRLF. */
export const CHUNK_FRAMING_BYTES = 12
/** The status that forbids a body; HEAD forbids one with any status. */
const NO_CONTENT = 204
const EMPTY = new Uint8Array(0)
const CRLF = '\r\n'
/** For an error; with the head it must fit into one cork. */
const MAX_LINGERING_BODY_BYTES = 4 * 1024
/** Pieces of a body in one turn, a microsecond each, and how large they must be at least to be more. */
const MAX_PIECES_A_TURN = 4096
const LEAST_PIECE_BYTES = 64

/** Open responses of one event loop. */
export type OpenCount = { requests: number; sockets: number }

/** Takes a piece of a body, which belongs to the engine and is invalid after the call. */
export type TakeBody = (chunk: ArrayBuffer, isLast: boolean) => void

export type WholeAnswer = {
  readonly status: number
  readonly headers: readonly HeaderList[]
  readonly body: Uint8Array
  /** Close the connection after it: later data on it cannot be trusted, or is not wanted. */
  readonly isLast: boolean
  /** Of the request's body, before its connection is closed. */
  readonly rest: RequestRest
}

/** The rest of a request: nothing relevant, data to read and discard, or data that the engine may skip. */
export type RequestRest = 'none' | 'dropped' | 'skipped'

/** What a response needs of its event loop. */
export type ResponseGround = { readonly open: OpenCount; readonly guard: TurnGuard }

/** One response, safe to use at any time: after its end every call is a no-op. */
export class ClientResponse implements Waiting {
  readonly #res: HttpResponse
  readonly #isHead: boolean
  readonly #open: OpenCount
  readonly #guard: TurnGuard
  /** In which the engine last handed over something of the request: so long it may be about to read the next one. */
  #turn: number
  #isDone = false
  /** The answer that is sent when the turn is over. */
  #waiting: WholeAnswer | null = null
  #address: Uint8Array = EMPTY
  #dropped: DroppedRest | null = null
  #isReading = false
  #pieces = 0
  #pieceBytes = 0
  #body: Uint8Array = EMPTY
  #takeBody: TakeBody | null = null
  /** The client left before the end; called once, never after an end of ours. */
  onGone: (() => void) | null = null
  /** A stream can take more; the callee must cork, even with nothing to write, or what the engine holds stays there. */
  onWritable: (() => void) | null = null
  /** Handed to the engine, framing included. */
  bytes = 0

  /** Registers for the abort, so it must come first in every route. `isHead`: answers bear no body. */
  constructor(res: HttpResponse, isHead: boolean, { open, guard }: ResponseGround) {
    this.#res = res
    this.#isHead = isHead
    this.#open = open
    this.#guard = guard
    this.#turn = guard.enter()
    open.requests += 1
    res.onAborted(() => this.#abort())
  }

  /** Ended, cut or left: nothing can be written any more. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** The answer is complete, though part of it may still wait to be sent. */
  get isAnswered(): boolean {
    return this.#isDone || this.#waiting !== null
  }

  /** The other side's address, 4 or 16 bytes, none after the end. Of a proxy, where there is one. */
  get address(): Uint8Array {
    return new Uint8Array(this.peer).slice()
  }

  /** The same in the engine's own memory, to be read at once. */
  get peer(): ArrayBuffer {
    return this.#isDone ? EMPTY.buffer : this.#res.getRemoteAddress()
  }

  /** Reads the request's body. */
  readBody(take: TakeBody): void {
    if (this.#isDone) return
    this.#takeBody = take
    this.#read()
  }

  /**
   * The whole answer at once, or when the turn is over: if the turn is crowded, or the connection closes after this answer,
   * the engine must not serve what follows the request in the bytes that it is reading. No effect after the end.
   */
  answer(answer: WholeAnswer): void {
    if (this.isAnswered) return
    const { isCrowded } = this.#guard
    const { isLast, rest } = answer
    const isWaiting = (isCrowded || (isLast && rest !== 'skipped')) && this.#guard.isNow(this.#turn)
    // While the answer waits, the engine must not parse a body without a limit either: it would read until the socket is drained.
    if (rest === 'dropped' || (isWaiting && rest === 'skipped')) this.#drop()
    if (isWaiting) {
      if (isCrowded) this.#address = this.address
      this.#waiting = answer
      this.#guard.wait(this)
    } else this.#send(answer)
  }

  /** The turn is over. */
  proceed(): void {
    const answer = this.#waiting
    this.#waiting = null
    if (answer !== null && !this.#isDone) this.#send(answer)
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

  /** Inside a cork. False: the engine has taken the bytes, but accepts no more before `onWritable`. */
  write(bytes: Uint8Array): boolean {
    if (this.#isDone) return true
    this.bytes += bytes.length + CHUNK_FRAMING_BYTES
    return this.#res.write(bytes)
  }

  /** Inside a cork: ends a stream successfully. */
  end(): void {
    if (this.#isDone) return
    this.#finish()
    this.#res.end()
  }

  /** Closes the connection in mid-answer; the client sees an incomplete stream. */
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

  /** The engine takes one handler for a body. */
  #read(): void {
    if (this.#isReading) return
    this.#isReading = true
    this.#res.onData((chunk, isLast) => this.#takePiece(chunk, isLast))
  }

  #takePiece(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#dropped !== null) {
      this.#dropped.drop(chunk.byteLength, isLast)
      return
    }
    if (this.#isDone) return
    const turn = this.#guard.enter()
    if (turn !== this.#turn) {
      this.#turn = turn
      this.#pieces = 0
      this.#pieceBytes = 0
    }
    this.#pieces += 1
    this.#pieceBytes += chunk.byteLength
    if (isPieceFlood(this.#pieces, this.#pieceBytes)) {
      this.#refusePieces()
      return
    }
    const take = this.#takeBody
    if (isLast) this.#takeBody = null
    take?.(chunk, isLast)
  }

  /** At once, within the parser: the engine would come back to the loop only when the client pauses. */
  #refusePieces(): void {
    this.#guard.noteFlood('chunks', this.address)
    const { onGone } = this
    this.#finish()
    this.#res.cork(() => {
      this.#res.writeStatus('400 Bad Request')
      this.#res.end(EMPTY, true)
    })
    onGone?.()
  }

  /** The rest of the body is read and discarded from now on. */
  #drop(): void {
    this.#takeBody = null
    this.#dropped = new DroppedRest({
      guard: this.#guard,
      close: () => {
        this.#finish()
        this.#res.close()
      },
      breakOff: () => this.#breakOff(),
    })
    this.#read()
  }

  #breakOff(): void {
    this.#guard.noteFlood('chunks', new Uint8Array(this.#res.getRemoteAddress()).slice())
    const answer = this.#waiting
    this.#finish()
    this.#res.cork(() => {
      if (answer !== null) this.#writeHead(answer.status, answer.headers)
      // After an answer that is already sent these bytes are superfluous; a client that floods does not read them.
      this.#res.end(answer === null || this.#isHead ? EMPTY : answer.body, true)
    })
  }

  #send(answer: WholeAnswer): void {
    if (answer.rest === 'dropped' && answer.body.length <= MAX_LINGERING_BODY_BYTES) {
      this.#res.cork(() => this.#writeLingering(answer))
      this.#dropped?.start()
      this.#settleOpen()
    } else this.#res.cork(() => this.#writeAnswer(answer))
  }

  #writeHead(status: number, headers: readonly HeaderList[]): number {
    const headBytes = writeHead(this.#res, status, headers)
    this.bytes += headBytes
    return headBytes
  }

  #abort(): void {
    this.#dropped?.stop()
    if (this.#isDone) return
    const { onGone } = this
    // A client cannot leave within the turn that reads its request: the engine has found another request behind it.
    if (this.#address.length > 0 && this.#guard.isNow(this.#turn)) this.#guard.noteFlood('requests', this.#address)
    this.#finish()
    onGone?.()
  }

  #finish(): void {
    this.#settleOpen()
    this.#dropped?.stop()
  }

  /** Nothing more is written, but the connection may still be read. */
  #settleOpen(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#waiting = null
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

  /**
   * A whole answer that does not end the response, as the engine closes a connection with its last answer at once: length and
   * body go out in the head's last header, whose CRLF is a part of the body.
   */
  #writeLingering(answer: WholeAnswer): void {
    const { status, headers, body } = answer
    const isBodiless = this.#isHead || status === NO_CONTENT
    const length = body.length + CRLF.length
    const lines = isBodiless ? '' : `content-length: ${length}\r\n`
    const head = `close\r\n${lines}date: ${new Date().toUTCString()}\r\n`
    this.#writeHead(status, headers)
    this.#res.writeHeader('connection', isBodiless ? head : Buffer.concat([Buffer.from(`${head}${CRLF}`), body]))
    this.bytes += head.length + body.length
  }

  /** tryEnd writes what the socket accepts and returns the offset to continue from. */
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
}

function isPieceFlood(pieces: number, bytes: number): boolean {
  return pieces > MAX_PIECES_A_TURN && bytes < pieces * LEAST_PIECE_BYTES
}
