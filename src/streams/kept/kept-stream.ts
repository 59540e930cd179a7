// A stream that is held from its first frame, so that a client that lost its connection reads on where it was. The pipeline's side
// appends and closes; clients' sinks are its readers, each at its own number. It goes on for a grace time without any reader.
//
//   kept sink --append--> [ 0 | 1 | 2 | ... ] --read--> first client     --read--> the same client, back with a cursor
//                          ^first      ^next            no reader: grace, then abandoned
import { type FrameReader, type StreamEnd } from '../reader.js'
import { FrameStore } from './frame-store.js'
import { KeptReader, type KeptSource } from './kept-reader.js'
import { NumberedFrames } from './numbered-frames.js'
import { type AttachOptions, type KeptFacts, MAX_READERS, type ReadableLog } from './readable-log.js'

/** The memory that a stream may take, as its registry grants it. */
export type KeptRoom = {
  /** Reserves up to `bytes` in total; false if there is no room, and nothing has changed. */
  claim(bytes: number): boolean
  /** Gives back what is reserved above `bytes`. */
  shrink(bytes: number): void
}

export type Timers = {
  nowMs(): number
  /** Runs `act` once after so long; returns how to call it off. */
  after(delayMs: number, act: () => void): () => void
}

export type KeptOptions = {
  /** How long it goes on without a reader. */
  readonly graceMs: number
  /** Frames beyond it are dropped, the oldest first. */
  readonly maxStreamBytes: number
  /** A reader that lags behind by more is cut. */
  readonly maxLagBytes: number
  readonly room: KeptRoom
  readonly timers: Timers
  /** Puts a reader whose client can come back under the control of those who may send it away; null: its readers stay. */
  readonly movable: ((stream: KeptStream, reader: FrameReader, options: AttachOptions) => FrameReader) | null
  /** The last reader left a grace ago, or it was cancelled: whoever appends stops, and closes it. Let go of at its end. */
  onAbandoned: () => void
  readonly onEnded: (stream: KeptStream) => void
  readonly onCancelled: (stream: KeptStream) => void
}

/** What the object, its facts and its place in the registry take beside frames. */
export const STREAM_COST_BYTES = 2048

/** A kept stream of this event loop. */
export class KeptStream implements ReadableLog, KeptSource {
  readonly facts: KeptFacts
  readonly #options: KeptOptions
  readonly #store = new FrameStore()
  /** Clients and observers. */
  readonly #readers: KeptReader[] = []
  #clients = 0
  /** Bound when it is first needed: many streams need neither. */
  #flush: (() => void) | null = null
  #frames: NumberedFrames | null
  #claimedBytes: number
  #graceMs: number
  #stopGrace: (() => void) | null = null
  #isFlushDue = false
  #areNoticesHeld = false
  #isNoticeDue = false
  #isTrimDue = false
  #end: StreamEnd | null = null

  /** The room for its own cost is already reserved. Without a reader its grace has begun. */
  constructor(facts: KeptFacts, options: KeptOptions) {
    this.facts = facts
    this.#options = options
    this.#claimedBytes = STREAM_COST_BYTES
    this.#graceMs = options.graceMs
    this.#frames = new NumberedFrames(facts.framing, (source, start, frames) => this.#store.push(source, start, frames))
    this.#startGrace()
  }

  get first(): number {
    return this.#store.first
  }

  get next(): number {
    return this.#store.next
  }

  get streamEnd(): StreamEnd | null {
    return this.#end
  }

  /** Clients that read it. */
  get readerCount(): number {
    return this.#clients
  }

  get isCrowded(): boolean {
    return this.#clients >= MAX_READERS
  }

  /** One of them would not know how to come back. */
  get hasFixedReader(): boolean {
    return this.#readers.some(({ isClient, canReturn }) => isClient && !canReturn)
  }

  /** One of them knows how to come back. */
  get hasReturningReader(): boolean {
    return this.#readers.some(({ isClient, canReturn }) => isClient && canReturn)
  }

  /** Memory that it holds. */
  get heldBytes(): number {
    return STREAM_COST_BYTES + this.#store.heldBytes
  }

  /**
   * Copies whole frames in the client's framing. Each one with data gets the next number.
   * @throws upstream_malformed for a frame that is too large
   */
  append(frames: Uint8Array): void {
    if (this.#frames === null) return
    const before = this.#store.next
    try {
      this.#frames.push(frames)
    } catch (thrown) {
      this.#frames = null
      throw thrown
    }
    if (this.#store.next > before) this.#noteGrowth()
  }

  /**
   * Appends all that a reader has and returns how many bytes that were.
   * @throws upstream_malformed for a frame that is too large
   */
  takeFrom(reader: FrameReader): number {
    let bytes = 0
    for (let entry = reader.read(); entry !== null; entry = reader.read()) {
      bytes += entry.length
      this.append(entry)
    }
    return bytes
  }

  /**
   * Until `releaseNotices` its readers are not notified, then at once rather than in a microtask of their own: for a caller that is
   * itself notified once per tick, so that what it appends and the end reach a client in one write (bench/micro/kept).
   */
  holdNotices(): void {
    this.#areNoticesHeld = true
  }

  releaseNotices(): void {
    this.#areNoticesHeld = false
    if (!this.#isNoticeDue) return
    this.#isNoticeDue = false
    this.#notifyReaders()
  }

  /** Only the first end counts. Readers still get what they have not read. */
  close(end: StreamEnd): void {
    if (this.#end !== null) return
    this.#frames?.end()
    this.#frames = null
    this.#end = end
    this.#store.seal()
    this.#shrink()
    this.#stopWaiting()
    // Behind it are the exchange and its request, which an ended stream must not hold for its retention.
    this.#options.onAbandoned = nothing
    this.#scheduleFlush()
    this.#options.onEnded(this)
  }

  /** For every reader: the upstream is silent. */
  keepalive(): void {
    for (const reader of [...this.#readers]) reader.keepalive()
  }

  attach(options: AttachOptions): FrameReader {
    this.#stopWaiting()
    this.#clients += 1
    const reader = this.#join(options, true)
    return (options.canReturn === true ? this.#options.movable?.(this, reader, options) : null) ?? reader
  }

  /** Counts as a client that does not read here: its clients read a copy. Returns what ends it. */
  hold(): () => void {
    this.#stopWaiting()
    this.#clients += 1
    let isHeld = true
    return () => {
      if (isHeld) this.#leave()
      isHeld = false
    }
  }

  /** Reads along for a copy of the stream elsewhere: it is no client, so it stops no grace, and is cut only by what is dropped. */
  observe(options: Pick<AttachOptions, 'offset' | 'onReadable' | 'onKeepalive'>): FrameReader {
    return this.#join(options, false)
  }

  cancel(): void {
    if (this.#end === null) this.#options.onAbandoned()
    else this.#options.onCancelled(this)
  }

  /** Nobody can come back any more: from now on it goes on only as long as it is read. */
  endGrace(): void {
    this.#graceMs = 0
    if (this.#clients > 0 || this.#end !== null) return
    this.#stopWaiting()
    this.#options.onAbandoned()
  }

  /** Only for KeptReader. */
  readFor(reader: KeptReader): Uint8Array | null {
    if (reader.isCut) return null
    return reader.takesRuns ? this.#store.readRun(reader.cursor) : this.#store.read(reader.cursor)
  }

  /** Only for KeptReader. */
  endFor(reader: KeptReader): StreamEnd | null {
    return reader.isCut || reader.offset < this.#store.next ? null : this.#end
  }

  /** Only for KeptReader. */
  detach(reader: KeptReader): void {
    const at = this.#readers.indexOf(reader)
    if (at < 0) return
    this.#readers.splice(at, 1)
    if (this.#isOverClaim()) this.#scheduleTrim()
    if (reader.isClient) this.#leave()
  }

  #leave(): void {
    this.#clients -= 1
    if (this.#clients === 0 && this.#end === null) this.#startGrace()
  }

  #join(options: Omit<AttachOptions, 'how'>, isClient: boolean): KeptReader {
    const { offset, onReadable, onKeepalive = nothing, canReturn = false, takesRuns = false } = options
    const callbacks = { onReadable, onKeepalive }
    // Only what comes from now on makes it late: it may have much to catch up on.
    const { totalBytes: joinedAtBytes } = this.#store
    const cursor = this.#store.cursorAt(offset)
    const reader = new KeptReader(this, { cursor, callbacks, joinedAtBytes, isClient, canReturn, takesRuns })
    reader.isCut = offset < this.#store.first
    this.#readers.push(reader)
    if (this.#store.next > offset || this.#end !== null || reader.isCut) this.#scheduleFlush()
    return reader
  }

  #noteGrowth(): void {
    if (this.#isOverClaim()) {
      const { heldBytes } = this
      if (this.#options.room.claim(heldBytes)) this.#claimedBytes = roundUp(heldBytes)
      else this.#scheduleTrim()
    }
    if (this.heldBytes > this.#options.maxStreamBytes) this.#scheduleTrim()
    if (this.#readers.length > 0) this.#scheduleFlush()
  }

  #startGrace(): void {
    this.#stopGrace = this.#options.timers.after(this.#graceMs, () => {
      this.#stopGrace = null
      this.#options.onAbandoned()
    })
  }

  #stopWaiting(): void {
    this.#stopGrace?.()
    this.#stopGrace = null
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue) return
    if (this.#areNoticesHeld) {
      this.#isNoticeDue = true
      return
    }
    this.#isFlushDue = true
    this.#flush ??= () => this.#notifyReaders()
    queueMicrotask(this.#flush)
  }

  #notifyReaders(): void {
    this.#isFlushDue = false
    const only = this.#readers[0]
    // A reader may detach itself or others when notified, so this walks over a copy.
    if (this.#readers.length === 1 && only !== undefined) only.notify()
    else for (const reader of [...this.#readers]) reader.notify()
    for (const reader of this.#readers) if (this.#isLate(reader)) this.#scheduleTrim()
  }

  #isLate({ cursor, joinedAtBytes, isClient }: KeptReader): boolean {
    return isClient && this.#store.totalBytes - Math.max(cursor.position, joinedAtBytes) > this.#options.maxLagBytes
  }

  #isOverClaim(): boolean {
    return this.heldBytes > this.#claimedBytes
  }

  /** At the end of the turn: within it readers may catch up, so that even a frame beyond all limits reaches those who take it. */
  #scheduleTrim(): void {
    if (this.#isTrimDue) return
    this.#isTrimDue = true
    setImmediate(() => this.#trim())
  }

  /**
   * Drops what exceeds its own cap, and what found no room; but for want of room nothing that a reader within its lag still needs:
   * a stream that is not kept would hold that as well.
   */
  #trim(): void {
    this.#isTrimDue = false
    for (const reader of this.#readers) if (this.#isLate(reader)) reader.isCut = true
    while (this.heldBytes > this.#options.maxStreamBytes && this.#store.secondFirst !== null) this.#store.dropFirst()
    while (this.#isOverClaim() && this.#isReadByAll(this.#store.secondFirst)) this.#store.dropFirst()
    this.#shrink()
    for (const reader of [...this.#readers]) {
      if (reader.offset < this.#store.first) reader.isCut = true
      if (reader.isCut) reader.notify()
    }
  }

  /** All readers are beyond the frames before this one. */
  #isReadByAll(before: number | null): boolean {
    return (
      before !== null && this.#readers.every(({ isClient, isCut, offset }) => !isClient || isCut || offset >= before)
    )
  }

  #shrink(): void {
    const wanted = roundUp(this.heldBytes)
    if (wanted >= this.#claimedBytes) return
    this.#claimedBytes = wanted
    this.#options.room.shrink(wanted)
  }
}

/** Memory is counted in such units, so a claim covers the rest of one. */
const CLAIM_UNIT_BYTES = 1024

function roundUp(bytes: number): number {
  return Math.ceil(bytes / CLAIM_UNIT_BYTES) * CLAIM_UNIT_BYTES
}

function nothing(): void {}
