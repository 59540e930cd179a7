// A reader of a stored log on a node that does not write it. It holds at most one page of frames and asks for the next when it has
// read them, so a slow client costs a page, and what it has not read waits in Redis.
import { type StreamEnd } from '../reader.js'
import { decodeEnd } from './stored-end.js'
import { type StoredState } from './stored-log.js'

/** What a read of a log returns. */
export type Page = StoredState & { readonly batches: readonly StoredBatch[] }

export type StoredBatch = { readonly from: number; readonly lengths: readonly number[]; readonly bytes: Uint8Array }

export type ReaderOwner = {
  /** It has read all it holds, and there is more. */
  want(reader: StoredReader): void
  leave(reader: StoredReader): void
}

/** Without an answer of Redis a reader waits for so many leases; then its client is better off somewhere else. */
const PATIENCE_LEASES = 3

/** What a client's side asks for. */
export type ReadOptions = {
  readonly offset: number
  readonly onReadable: () => void
  /** Nothing came for long. */
  readonly onKeepalive?: () => void
}

export type StoredReaderOptions = {
  readonly owner: ReaderOwner
  /** Hears what Redis says of the log. */
  readonly log: { note(state: StoredState): void }
  readonly nowMs: number
  /** If Redis has lost its data, the writer stores its log again within a lease; so long a reader waits for one that is missing. */
  readonly leaseMs: number
}

export class StoredReader {
  readonly id: string
  readonly #options: ReadOptions
  readonly #owner: ReaderOwner
  readonly #log: StoredReaderOptions['log']
  readonly #leaseMs: number
  /** Number of the next frame to read. */
  offset: number
  /** It cannot continue: what it has to read next is gone, or Redis has been silent for too long. */
  isCut = false
  #frames: Uint8Array[] = []
  #at = 0
  /** Of the log, as of the last page. */
  #next = 0
  #end: StreamEnd | null = null
  #isDetached = false
  /** Something was appended since the last page. */
  #isBehind = false
  /** Redis answered. */
  #heardAtMs: number
  /** The client got something, be it a keepalive. */
  #readableAtMs: number
  #missingSinceMs: number | null = null

  constructor(id: string, options: ReadOptions, { owner, log, nowMs, leaseMs }: StoredReaderOptions) {
    this.id = id
    this.offset = options.offset
    this.#options = options
    this.#owner = owner
    this.#log = log
    this.#leaseMs = leaseMs
    this.#heardAtMs = nowMs
    this.#readableAtMs = nowMs
  }

  /** Number of the frame to ask Redis for. */
  get wanted(): number {
    return this.offset + this.#frames.length - this.#at
  }

  /** It holds nothing to read and its log is open. */
  get isHungry(): boolean {
    return this.#at === this.#frames.length && this.#end === null && this.isReading
  }

  get isReading(): boolean {
    return !this.#isDetached && !this.isCut
  }

  /** Nothing will come that is not here. */
  get isSated(): boolean {
    return !this.isReading || (this.#end !== null && this.wanted >= this.#next)
  }

  /** The next frame; null if it holds none. The bytes belong to the log: do not change them. */
  read(): Uint8Array | null {
    if (!this.isReading) return null
    const frame = this.#frames[this.#at]
    if (frame === undefined) return null
    this.#at += 1
    this.offset += 1
    if (this.#at === this.#frames.length) {
      this.#frames = []
      this.#at = 0
      if (!this.isSated && (this.#isBehind || this.offset < this.#next)) this.#owner.want(this)
    }
    return frame
  }

  /** How the stream ended, once every frame is read. */
  end(): StreamEnd | null {
    return this.isReading && this.offset >= this.#next ? this.#end : null
  }

  /** Leaves the log. Idempotent. */
  detach(): void {
    if (this.#isDetached) return
    this.#isDetached = true
    this.#frames = []
    this.#owner.leave(this)
  }

  /** The log has more. */
  ring(): void {
    this.#isBehind = true
    if (this.isHungry) this.#owner.want(this)
  }

  /** Redis is being asked; what rings from now on is news. */
  ask(): number {
    this.#isBehind = false
    return this.wanted
  }

  /** What Redis has from `wanted` on; null if it knows no such log. */
  take(page: Page | null, nowMs: number): void {
    if (!this.isReading) return
    this.#heardAtMs = nowMs
    if (page === null) {
      this.#missingSinceMs ??= nowMs
      if (nowMs - this.#missingSinceMs >= this.#leaseMs) this.#cut()
      return
    }
    this.#missingSinceMs = null
    this.#log.note(page)
    this.#next = page.next
    this.#end = decodeEnd(page.ending)?.end ?? null
    const isWhole = this.wanted >= page.first && this.#keep(page)
    const isEmpty = this.#at === this.#frames.length
    if (!isWhole || (isEmpty && this.wanted < page.next)) this.#cut()
    else if (!isEmpty || this.isSated) {
      this.#readableAtMs = nowMs
      this.#options.onReadable()
    }
  }

  /** Looks at what did not happen: no answer of Redis, nothing for the client. */
  checkSilence(nowMs: number, keepaliveMs: number): void {
    if (this.isReading && this.#end === null && nowMs - this.#heardAtMs >= PATIENCE_LEASES * this.#leaseMs) this.#cut()
    else if (this.isHungry && nowMs - this.#readableAtMs >= keepaliveMs) {
      this.#readableAtMs = nowMs
      this.#options.onKeepalive?.()
    }
  }

  /** False: a frame is missing. */
  #keep({ batches, next }: Page): boolean {
    for (const { from, lengths, bytes } of batches) {
      let number = from
      let at = 0
      for (const length of lengths) {
        if (number > this.wanted) return false
        // A handle may have ended before the log whose frames it has.
        if (number >= next) return true
        if (number === this.wanted) this.#frames.push(bytes.subarray(at, at + length))
        number += 1
        at += length
      }
    }
    return true
  }

  #cut(): void {
    this.isCut = true
    this.#frames = []
    this.#options.onReadable()
  }
}
