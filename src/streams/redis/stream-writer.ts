// The one writer of a stored log: what of a stream is in Redis, and what has to go there next. It holds no frames; it reads those
// that the stream itself holds, as often as needed. What that no longer holds when its turn comes is a gap, which closes the log.
//
// A handle has the frames of another log, which holds them once for all of its handles: its writer sends the facts, the end and a sign
// of life. If that log breaks off, the handle becomes a log like any other.
//
//   open --(batches, the end)--> stored
//        --(a gap, or the log was closed in its place)--> the stream continues for the readers of its own node alone
import { type StreamEnd } from '../reader.js'
import { RemoteNodes } from './remote-nodes.js'
import { END_AT_GAP, encodeEnd } from './stored-end.js'

/** Plain JSON about a stream; the store reads no more of it. */
export type StoredFacts = { readonly id: string; readonly owner: string }

/** The frames that a stream holds. */
export type FrameSource = {
  readonly first: number
  readonly next: number
  /** Null if it is not held. */
  frame(number: number): Uint8Array | null
}

/** Redis has all of it; or not: the log was closed in the writer's place, or a part of it was lost before it could be stored. */
export type StoreResult = 'stored' | 'fenced' | 'gap'

export type WriterOptions = {
  readonly facts: StoredFacts
  readonly source: FrameSource
  /** From the end until the log is deleted. */
  readonly keepMs: number
  /** The first node has attached, or the last one has left. */
  readonly onRemoteReaders: (areThere: boolean) => void
  readonly onCancel: () => void
  /** Nothing more goes to Redis. */
  readonly onOver: (result: StoreResult) => void
}

/** What goes to Redis in one step. */
export type Batch = {
  readonly writer: StreamWriter
  /** What is before it leaves Redis, too. */
  readonly first: number
  readonly from: number
  readonly frames: readonly Uint8Array[]
  readonly bytes: number
  /** The log that has the frames of a handle, all before `from`; '' for a log that has its own. */
  readonly origin: string
  /** '' while the log stays open. */
  readonly ending: string
}

type Waiter = { readonly number: number; readonly resolve: (isStored: boolean) => void }

/** The writer's way to the queue of its event loop. */
export type WriterQueue = { mark(writer: StreamWriter): void; hurry(): void; forget(writer: StreamWriter): void }

/** A batch is larger only if its one frame is. */
const MAX_BATCH_BYTES = 16 * 1024
/** This much does not wait for the next turn of the queue. */
const HURRY_BYTES = 4 * 1024
/** Replies of the script beside the number of the next frame to store. */
const UNKNOWN = -1
const CLOSED = -2
/** Of a handle: the other log is not there yet, or will never have all of its frames. */
const AWAITED = -3
const BROKEN = -4
/** How often a handle looks for the other log, in turns of the queue: about two seconds. */
const MAX_LOOKS = 80

export class StreamWriter {
  readonly id: string
  readonly keepMs: number
  readonly remote: RemoteNodes
  readonly #options: WriterOptions
  readonly #queue: WriterQueue
  readonly #facts: string
  /** Redis has acknowledged a batch of this log. */
  #isKnown = false
  /** Number of the next frame that Redis does not have. */
  #acked = 0
  #ending = ''
  #pendingBytes = 0
  /** Of a handle; null for a log that has its own frames. */
  #origin: string | null = null
  #looks = 0
  /** A handle has grown since Redis last heard of it. */
  #isStale = false
  #isMarked = false
  #result: StoreResult | null = null
  #waiters: Waiter[] = []

  constructor(options: WriterOptions, queue: WriterQueue) {
    this.#options = options
    this.#queue = queue
    this.#facts = JSON.stringify(options.facts)
    this.id = options.facts.id
    this.keepMs = options.keepMs
    this.remote = new RemoteNodes(options.onRemoteReaders)
  }

  /** More may go to Redis, now or once it is available. */
  get isOpen(): boolean {
    return this.#result === null
  }

  /** What Redis is told with the batch: '' if it knows. */
  get factsToTell(): string {
    return this.#isKnown ? '' : this.#facts
  }

  /** The stream has one frame more. */
  appended(bytes: number): void {
    if (!this.isOpen) return
    if (this.#origin !== null) {
      this.#isStale = true
      return
    }
    this.#pendingBytes += bytes
    if (!this.#isMarked) this.mark()
    if (this.#pendingBytes >= HURRY_BYTES) this.#queue.hurry()
  }

  /** It has no frames yet, and all that come are those of another log. */
  follow(origin: string): void {
    this.#origin = origin
    this.mark()
  }

  /** From time to time: Redis may have lost a handle, or the log whose frames it has. */
  beat(): void {
    if (this.#isStale) this.mark()
    this.#isStale = false
  }

  /** The stream has ended; its last frames and the end go out at once. */
  close(end: StreamEnd): void {
    if (!this.isOpen || this.#ending !== '') return
    this.#ending = encodeEnd(end)
    this.mark()
    this.#queue.hurry()
  }

  /** A reader elsewhere cancels the stream. */
  cancel(): void {
    this.#options.onCancel()
  }

  /** Puts it into the queue, with something to say or only as a sign of life. */
  mark(): void {
    if (!this.isOpen) return
    this.#isMarked = true
    this.#queue.mark(this)
  }

  /** Resolves when Redis has the frames before `number`: true; false if it never will have them. */
  stored(number: number): Promise<boolean> {
    if (this.#isKnown && this.#acked >= number) return Promise.resolve(true)
    if (!this.isOpen) return Promise.resolve(false)
    if (this.#origin !== null) this.mark()
    return new Promise((resolve) => this.#waiters.push({ number, resolve }))
  }

  /** What is to be sent next. */
  batch(): Batch {
    this.#isMarked = false
    this.#pendingBytes = 0
    const { source } = this.#options
    const origin = this.#origin ?? ''
    const part = { writer: this, bytes: 0, frames: [], origin }
    if (origin !== '') return { ...part, first: 0, from: source.next, ending: this.#ending }
    if (!this.#isKnown) this.#acked = source.first
    const from = this.#acked
    const frames: Uint8Array[] = []
    let bytes = 0
    while (from + frames.length < source.next && bytes < MAX_BATCH_BYTES) {
      const frame = source.frame(from + frames.length)
      if (frame === null) break
      if (frames.length > 0 && bytes + frame.length > MAX_BATCH_BYTES) break
      frames.push(frame)
      bytes += frame.length
    }
    const isGap = from < source.first || (frames.length === 0 && from < source.next)
    if (isGap) return { ...part, first: 0, from, ending: END_AT_GAP }
    const isAll = from + frames.length === source.next
    return { ...part, first: source.first, from, frames, bytes, ending: isAll ? this.#ending : '' }
  }

  /** The script's reply to a batch. */
  settle(reply: number, batch: Batch): void {
    if (!this.isOpen) return
    const { from, frames, ending } = batch
    if (reply === CLOSED) this.#end('fenced')
    else if (reply === UNKNOWN) {
      // Redis has lost its data: the log begins anew with what is held.
      this.#isKnown = false
      this.mark()
    } else if (batch.origin !== '') this.#settleHandle(reply, batch)
    else {
      this.#isKnown = true
      this.#acked = reply
      this.#tellWaiters()
      const isTaken = reply === from + frames.length
      if (isTaken && ending === END_AT_GAP) this.#end('gap')
      else if (isTaken && ending !== '') this.#end('stored')
      else if (reply < this.#options.source.next || this.#ending !== '') this.mark()
    }
  }

  #settleHandle(reply: number, { from, ending }: Batch): void {
    if (reply === AWAITED || reply === BROKEN) {
      this.#looks += 1
      const isLost = reply === BROKEN || this.#looks >= MAX_LOOKS
      if (isLost) {
        this.#origin = null
        this.#isKnown = false
      }
      this.mark()
      return
    }
    this.#isKnown = true
    this.#looks = 0
    this.#acked = reply
    this.#tellWaiters()
    if (ending !== '' && reply === from) this.#end('stored')
    else if (this.#ending !== '' || this.#waiters.length > 0) this.mark()
  }

  #end(result: StoreResult): void {
    this.#result = result
    this.#queue.forget(this)
    this.remote.clear()
    this.#tellWaiters()
    this.#options.onOver(result)
  }

  #tellWaiters(): void {
    if (this.#waiters.length === 0) return
    this.#waiters = this.#waiters.filter(({ number, resolve }) => {
      if (this.#acked < number && this.isOpen) return true
      resolve(this.#acked >= number)
      return false
    })
  }
}
