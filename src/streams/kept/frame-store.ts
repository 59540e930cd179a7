// The frames of one kept stream in memory, numbered from 0. They are copied one behind the other into segments, with their ends at the
// back of each, so that a frame costs its bytes and four for its place, and no object: 10,000 kept streams have millions of frames, which
// the collector would have to walk. Nothing but whole segments is dropped, the oldest first.
//
//   first: 0                               next: 140
//   [ segment: 0..61 ] -> [ 62..130 ] -> [ 131..139 | room ]        segment: frame frame frame | room | end end end

/** Short answers stay small; each further segment is four times as large, up to a size at which its own cost no longer matters. */
const FIRST_SEGMENT_BYTES = 4096
const GROWTH = 4
const MAX_SEGMENT_BYTES = 16 * 1024
/** Free room at the end below this share is not worth a copy. */
const SPARE_SHARE = 0.2
/** Where a frame ends, as 32 bits: no segment is larger than the largest frame. */
const END_BYTES = 4
/** The segment's object, and what its buffer takes beside its bytes (measured: 330 bytes, Node 20.20). */
export const SEGMENT_COST_BYTES = 384

class Segment {
  bytes: Buffer
  used = 0
  /** Its frames. */
  count = 0
  /** Number of its first frame. */
  readonly first: number
  /** Bytes of all frames before it. */
  readonly position: number
  next: Segment | null = null

  constructor(bytes: Buffer, first: number, position: number) {
    this.bytes = bytes
    this.first = first
    this.position = position
  }
}

/** Where a reader is: read by many, moved only by the store. */
export class FrameCursor {
  /** Number of the next frame. */
  offset: number
  /** Bytes of all frames before it, as far as they are known. */
  position = 0
  /** In which the last frame was found. */
  segment: Segment | null = null

  constructor(offset: number) {
    this.offset = offset
  }
}

/** Where frames end that follow each other. */
export type FrameEnds = { readonly ends: readonly number[]; readonly count: number }

/** Frames of one stream. It knows neither framing nor limits. */
export class FrameStore {
  #head: Segment | null = null
  #tail: Segment | null = null
  #first = 0
  #next = 0
  #heldBytes = 0
  #totalBytes = 0

  /** Number of the oldest frame held. */
  get first(): number {
    return this.#first
  }

  /** Number that the next frame gets. */
  get next(): number {
    return this.#next
  }

  /** Memory in use: segments with their free room, and what they cost beside it. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Bytes of all frames there ever were. */
  get totalBytes(): number {
    return this.#totalBytes
  }

  /** Number of the first frame that stays if the oldest segment is dropped; null if there is none. */
  get secondFirst(): number | null {
    return this.#head === null ? null : this.#head.first + this.#head.count
  }

  /** Copies frames that follow each other in `source` from `start` on, each up to one of the first `count` ends: few copies for many. */
  push(source: Buffer, start: number, { ends, count }: FrameEnds): void {
    let at = start
    for (let done = 0; done < count; ) {
      const tail = this.#tailFor((ends[done] ?? 0) - at)
      const before = done
      let used = tail.used
      do {
        tail.count += 1
        used = tail.used + (ends[done] ?? 0) - at
        tail.bytes.writeUInt32LE(used, tail.bytes.length - END_BYTES * tail.count)
        done += 1
      } while (done < count && hasRoom(tail, tail.used + (ends[done] ?? 0) - at))
      const end = ends[done - 1] ?? 0
      source.copy(tail.bytes, tail.used, at, end)
      tail.used = used
      this.#next += done - before
      this.#totalBytes += end - at
      at = end
    }
  }

  /** A cursor at a frame; what lies before `first` or after `next` has no place yet, and is not read. */
  cursorAt(offset: number): FrameCursor {
    const cursor = new FrameCursor(offset)
    if (offset >= this.#next) cursor.position = this.#totalBytes
    else if (offset >= this.#first) cursor.position = this.#positionOf(cursor)
    return cursor
  }

  /** The frame at the cursor, as a view that must not be changed, and moves it on; null if that frame is not held. */
  read(cursor: FrameCursor): Uint8Array | null {
    if (cursor.offset >= this.#next || cursor.offset < this.#first) return null
    const segment = this.#find(cursor)
    if (segment === null) return null
    const index = cursor.offset - segment.first
    const start = endOf(segment, index - 1)
    const end = endOf(segment, index)
    cursor.offset += 1
    cursor.position = segment.position + end
    return segment.bytes.subarray(start, end)
  }

  /** The same for all frames from the cursor on that lie behind each other, as one view. */
  readRun(cursor: FrameCursor): Uint8Array | null {
    if (cursor.offset >= this.#next || cursor.offset < this.#first) return null
    const segment = this.#find(cursor)
    if (segment === null) return null
    const start = endOf(segment, cursor.offset - segment.first - 1)
    cursor.offset = segment.first + segment.count
    cursor.position = segment.position + segment.used
    return segment.bytes.subarray(start, segment.used)
  }

  /** Drops the oldest segment with all its frames. */
  dropFirst(): void {
    const head = this.#head
    if (head === null) return
    this.#head = head.next
    if (head.next === null) this.#tail = null
    this.#first = head.first + head.count
    this.#heldBytes -= costOf(head)
  }

  /** No more frames: gives back the room that was for them. */
  seal(): void {
    const tail = this.#tail
    if (tail === null) return
    const { bytes, used, count } = tail
    const endsBytes = END_BYTES * count
    if (bytes.length - used - endsBytes <= SPARE_SHARE * bytes.length) return
    this.#heldBytes -= bytes.length - used - endsBytes
    const exact = Buffer.allocUnsafeSlow(used + endsBytes)
    bytes.copy(exact, 0, 0, used)
    bytes.copy(exact, used, bytes.length - endsBytes)
    tail.bytes = exact
  }

  #tailFor(length: number): Segment {
    const tail = this.#tail
    if (tail !== null && hasRoom(tail, tail.used + length)) return tail
    const usual = tail === null ? FIRST_SEGMENT_BYTES : Math.min(GROWTH * tail.bytes.length, MAX_SEGMENT_BYTES)
    const bytes = Buffer.allocUnsafeSlow(Math.max(usual, length + END_BYTES))
    const segment = new Segment(bytes, this.#next, this.#totalBytes)
    if (tail === null) this.#head = segment
    else tail.next = segment
    this.#tail = segment
    this.#heldBytes += costOf(segment)
    return segment
  }

  /** From where the cursor was, as frames are mostly read in order. */
  #find(cursor: FrameCursor): Segment | null {
    const { offset } = cursor
    const known = cursor.segment
    const isUsable = known !== null && known.first <= offset && known.first >= this.#first
    let segment = isUsable ? known : this.#head
    while (segment !== null && offset >= segment.first + segment.count) segment = segment.next
    cursor.segment = segment
    return segment
  }

  #positionOf(cursor: FrameCursor): number {
    const segment = this.#find(cursor)
    return segment === null ? 0 : segment.position + endOf(segment, cursor.offset - segment.first - 1)
  }
}

/** Room for one more frame, with which so many bytes would be used. */
function hasRoom({ bytes, count }: Segment, used: number): boolean {
  return used + END_BYTES * (count + 1) <= bytes.length
}

/** Where a frame ends, and the next one begins: 0 before the first. */
function endOf({ bytes }: Segment, index: number): number {
  return index < 0 ? 0 : bytes.readUInt32LE(bytes.length - END_BYTES * (index + 1))
}

function costOf({ bytes }: Segment): number {
  return SEGMENT_COST_BYTES + bytes.length
}
