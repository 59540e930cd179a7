// The HTTP side of an exchange: one whole answer, or a stream that follows its log. It writes what the socket accepts and leaves the
// rest in the log; the engine never buffers more than two corks of it.
//
//   log -> #next -> #gather (one write) -> cork -> socket        blocked: wait for onWritable, at most readerStallMs
import {
  type Answer,
  type Delivery,
  type HeaderList,
  type QueuePlace,
  type Sink,
  type StreamFormat,
  type StreamHead,
} from '../../pipeline/sink.js'
import { type FrameReader } from '../../streams/reader.js'
import { type Transport } from '../../telemetry/records.js'
import { CHUNK_FRAMING_BYTES, type ClientResponse, CORK_BUDGET_BYTES, type RequestRest } from '../engine/response.js'

export type HttpSinkOptions = {
  readonly response: ClientResponse
  /** On every answer, whole or streamed. */
  readonly commonHeaders: readonly HeaderList[]
  readonly readerStallMs: number
  /** Where small frames of one tick are joined; shared by all sinks of the event loop, used only within a call. */
  readonly scratch: Buffer
  readonly now: () => number
  /** True while the gateway drains: then whole answers close their connection. */
  readonly isClosing: () => boolean
}

/** Bytes a scratch needs. */
export const SCRATCH_BYTES = CORK_BUDGET_BYTES

const JSON_TYPE: HeaderList = Object.freeze([['content-type', 'application/json'] as const])
const NO_HEADERS: readonly HeaderList[] = Object.freeze([])
const STREAM_HEADERS: HeaderList = Object.freeze([
  ['cache-control', 'no-cache, no-transform'] as const,
  ['x-accel-buffering', 'no'] as const,
])
/** An expected wait that is not known. */
const UNKNOWN = '-'
/** Less budget than this is not worth a chunk. */
const MIN_BUDGET_BYTES = 256
/**
 * The engine itself closes a socket 8 to 12 s after a write that failed, if nothing was taken since; an abort that long
 * after the last progress is its doing, not the client's.
 */
const ENGINE_STALL_MS = 7_500
/** Streams below this fit into any kernel's send buffer: their tail needs no probe. */
const TAIL_PROBE_BYTES = 16 * 1024

/** The sink of one request over HTTP, whether its answer streams or not. */
export class HttpSink implements Sink {
  readonly #response: ClientResponse
  readonly #readerStallMs: number
  readonly #scratch: Buffer
  readonly #now: () => number
  readonly #isClosing: () => boolean
  /** Bound once, when a stream begins: whole answers need neither. */
  #writeBatch: () => void = nothing
  #afterTurn: () => void = nothing
  /** Further headers of the next answer, such as `allow`. */
  extraHeaders: HeaderList | null = null
  /** The connection must not be used after the answer. */
  isLast = false
  /** What happens to the rest of the request then. */
  rest: RequestRest = 'none'
  /** What is not yet committed; nobody needs the headers of an open stream. */
  #commonHeaders: readonly HeaderList[]
  #head: StreamHead | null = null
  #transport: Transport | null = null
  #face: StreamFormat | null = null
  #isCommitted = false
  #reader: FrameReader | null = null
  #onDone: ((delivery: Delivery) => void) | null = null
  /** The rest of an entry that was begun: no keepalive may be sent before its end. */
  #rest: Uint8Array | null = null
  #isTailQueued = false
  #isTailProbed = false
  /** The stream has failed, and nothing in its form could say so. */
  #isCutDue = false
  #isBlocked = false
  #progressAtMs = 0
  #stallTimer: NodeJS.Timeout | null = null
  /** What the current cork may still hold. */
  #budget = CORK_BUDGET_BYTES
  /**
   * True until the event loop has turned once: so long we may run inside the engine's own cork of this socket, which ours
   * would only add to. Then all we write must fit into one.
   */
  #isFresh = true
  #isTurnDue = false

  constructor({ response, commonHeaders, readerStallMs, scratch, now, isClosing }: HttpSinkOptions) {
    this.#response = response
    this.#commonHeaders = commonHeaders
    this.#readerStallMs = readerStallMs
    this.#scratch = scratch
    this.#now = now
    this.#isClosing = isClosing
  }

  get transport(): Transport {
    return this.#transport ?? 'json'
  }

  /** The stream belongs to the sink now: an abort reaches the pipeline by `onDone`. */
  get isFollowing(): boolean {
    return this.#onDone !== null
  }

  reply(answer: Answer): void {
    // Not by concat, which costs 0.7 us (S1).
    const lists: HeaderList[] = []
    for (const list of this.#commonHeaders) lists.push(list)
    lists.push(answer.headers)
    if (!bearsContentType(answer.headers)) lists.push(JSON_TYPE)
    if (this.extraHeaders !== null) lists.push(this.extraHeaders)
    const isLast = this.isLast || this.#isClosing()
    this.#response.answer({ status: answer.status, headers: lists, body: answer.body, isLast, rest: this.rest })
  }

  begin(head: StreamHead, face: StreamFormat): void {
    if (!this.#isCommitted) this.#head = head
    this.#transport = head.transport
    this.#face = face
    this.#response.onWritable = () => this.#resume()
  }

  keepalive(): void {
    if (this.#face !== null) this.#insert(this.#face.keepaliveFrame)
  }

  queued({ position, etaMs }: QueuePlace): void {
    // The other framings have no comments.
    if (this.#transport === 'sse') this.#insert(`: queued ${position} ${etaMs ?? UNKNOWN}\n`)
  }

  follow(attach: (onReadable: () => void) => FrameReader, onDone: (delivery: Delivery) => void): void {
    this.#onDone = onDone
    this.#writeBatch = () => this.#write()
    this.#afterTurn = () => {
      this.#isTurnDue = false
      this.#isFresh = false
      this.#pump()
    }
    this.#reader = attach(() => this.#pump())
    if (this.#response.isDone) this.#settle('client_gone')
  }

  /** Writes between two frames, unless the socket is full. */
  #insert(text: string): void {
    if (this.#isBlocked || this.#rest !== null) return
    const bytes = Buffer.from(text)
    this.#response.cork(() => {
      this.#commit()
      this.#hand(bytes)
    })
  }

  /** The client left. No effect before `follow`, when the stream is not the sink's yet. */
  leave(): void {
    const stalledMs = this.#isBlocked ? this.#now() - this.#progressAtMs : 0
    this.#settle(stalledMs >= ENGINE_STALL_MS ? 'slow_reader' : 'client_gone')
  }

  /** Writes until the log is empty or the socket is full. */
  #pump(): void {
    if (this.#reader?.isCut) this.#cut(this.#reader.isMoved === true ? 'moved' : 'slow_reader')
    if (this.#reader === null || this.#isBlocked || this.#isTurnDue) return
    do {
      if (!this.#isFresh) this.#budget = CORK_BUDGET_BYTES
      this.#response.cork(this.#writeBatch)
    } while (this.#wantsMore())
    if (this.#isCutDue) this.#cut('delivered')
    else if (this.#isFresh && this.#budget < MIN_BUDGET_BYTES) this.#awaitTurn()
  }

  /** A batch that filled its cork may have left entries in the log, which does not notify again. */
  #wantsMore(): boolean {
    if (this.#reader === null || this.#isBlocked) return false
    const wasFull = this.#budget < MIN_BUDGET_BYTES
    return this.#isFresh ? this.#rest !== null && !wasFull : this.#rest !== null || wasFull
  }

  #awaitTurn(): void {
    if (this.#isTurnDue || this.#response.isDone) return
    this.#isTurnDue = true
    setImmediate(this.#afterTurn)
  }

  /** One cork: at most one write, then the end if it is reached. */
  #write(): void {
    this.#commit()
    const batch = this.#gather()
    if (batch !== null) this.#hand(batch)
    if (this.#isTailQueued && this.#rest === null && !this.#isBlocked && !this.#isCutDue) {
      this.#response.end()
      this.#settle('delivered')
    }
  }

  #commit(): void {
    const head = this.#head
    if (head === null) return
    this.#isCommitted = true
    const contentType = [['content-type', head.contentType] as const]
    this.#budget -= this.#response.commit([...this.#commonHeaders, STREAM_HEADERS, head.headers, contentType])
    this.#head = null
    this.#commonHeaders = NO_HEADERS
  }

  /** Joins what the log has, up to the budget; null when there is nothing, or no room. */
  #gather(): Uint8Array | null {
    if (this.#budget < MIN_BUDGET_BYTES) return null
    const room = this.#budget - CHUNK_FRAMING_BYTES
    let first: Uint8Array | null = null
    let length = 0
    while (length < room) {
      const piece = this.#next()
      if (piece === null) break
      const part = piece.length > room - length ? piece.subarray(0, room - length) : piece
      this.#rest = part === piece ? null : piece.subarray(part.length)
      if (first === null) first = part
      else {
        if (length === first.length) this.#scratch.set(first)
        this.#scratch.set(part, length)
      }
      length += part.length
    }
    if (first === null) return null
    return this.#holdTail(length === first.length ? first : this.#scratch.subarray(0, length))
  }

  /** The rest of an entry, the next entry, or the error frame that ends a failed stream; each once. */
  #next(): Uint8Array | null {
    const rest = this.#rest
    if (rest !== null) return rest
    const entry = this.#reader?.read() ?? null
    if (entry !== null || this.#isTailQueued) return entry
    const end = this.#reader?.end() ?? null
    if (end === null) return null
    this.#isTailQueued = true
    if (end.error === null || this.#face === null) return null
    this.#isCutDue = this.#transport === 'bytes'
    return this.#isCutDue ? null : Buffer.from(this.#face.encodeErrorFrame(end.error))
  }

  /**
   * Only a write shows whether the previous cork was sent. So the last byte of a long stream is sent in a separate cork: if that
   * blocks, the end waits for the client, and is not lost with what the engine drops 10 s later.
   */
  #holdTail(batch: Uint8Array): Uint8Array {
    const isDue = this.#isTailQueued && this.#rest === null && !this.#isTailProbed && batch.length > 1
    if (!isDue || this.#response.bytes < TAIL_PROBE_BYTES) return batch
    this.#isTailProbed = true
    // A copy: the batch may be the shared scratch.
    this.#rest = batch.slice(batch.length - 1)
    return batch.subarray(0, batch.length - 1)
  }

  #hand(bytes: Uint8Array): void {
    this.#budget -= bytes.length + CHUNK_FRAMING_BYTES
    if (!this.#response.write(bytes)) this.#block()
  }

  #block(): void {
    this.#isBlocked = true
    this.#progressAtMs = this.#now()
    if (this.#stallTimer !== null) this.#stallTimer.refresh()
    else {
      this.#stallTimer = setTimeout(() => {
        if (this.#isBlocked) this.#cut('slow_reader')
      }, this.#readerStallMs)
      this.#stallTimer.unref()
    }
  }

  #resume(): void {
    this.#isBlocked = false
    // Nothing else drains what the engine still holds; the pump's cork does so too, but it may have to wait.
    if (this.#isTurnDue || this.#reader === null) this.#response.cork(nothing)
    else this.#pump()
  }

  /** No end: a client would take it for that of the answer. */
  #cut(result: 'slow_reader' | 'moved' | 'delivered'): void {
    this.#response.cut()
    this.#settle(result)
  }

  #settle(result: Delivery['result']): void {
    const onDone = this.#onDone
    if (this.#stallTimer !== null) clearTimeout(this.#stallTimer)
    this.#stallTimer = null
    if (this.#reader === null || onDone === null) return
    const reader = this.#reader
    this.#reader = null
    this.#rest = null
    reader.detach()
    onDone({ result, bytes: this.#response.bytes })
  }
}

function bearsContentType(headers: HeaderList): boolean {
  // No destructuring, which would use an iterator.
  for (const header of headers) if (header[0] === 'content-type') return true
  return false
}

function nothing(): void {}
