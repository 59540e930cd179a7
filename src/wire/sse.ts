// Server-sent events as bytes: WHATWG HTML, section 9.2 "Server-sent events". Knows no LLM.
//
//   stream = [BOM] *frame         frame = *(line eol) eol         eol = LF | CR LF | CR
//   line   = "data" [":" [SP] text] | anything else: comment, event, id, retry, unknown (ignored)
//
// Frames in a chunk without CR take the fast path: one native search per line, no copy. So do frames whose lines all end with CR LF, with two
// searches per line: Gemini's. Other line ends and frames cut by a chunk take the slow path.
import {
  CR,
  checkFrameBytes,
  type FrameScanner,
  isWholePayload,
  LF,
  NO_BYTES,
  type OnFrame,
  type RawSpan,
  type ScannerOptions,
  TailBuffer,
} from './scanner.js'

/** One frame with a single data line. `data` must hold no line break, which JSON text never does. */
export function encodeSseFrame(data: string, event: string | null = null): string {
  return event === null ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf])
const FRAME_END = Buffer.from('\n\n')
const DATA_LENGTH = 'data'.length
const COLON = 0x3a
const SPACE = 0x20

/**
 * Differs from a browser's parser in one thing: a frame that ends with CR at the end of a chunk waits for the next byte,
 * which may be the LF that belongs to it. So frames are the same however the stream is cut. The BOM is in no frame's raw bytes.
 */
export class SseScanner implements FrameScanner {
  readonly #onFrame: OnFrame
  readonly #maxFrameBytes: number
  readonly #tail: TailBuffer
  readonly #span: RawSpan = { source: NO_BYTES, start: 0, end: 0 }
  /** The stream's first three bytes are not all seen: the BOM may still come. */
  #isAtStart = true
  /** No byte of the current line seen: a line end here ends the frame. */
  #isLineEmpty = true
  /** The last byte was CR: a LF now belongs to it. */
  #isAfterCr = false
  /** The frame in the tail has ended, but for a LF that may follow its CR. */
  #isEndDue = false
  /** Where the last data line of the frame just found begins and ends, and how many there are; set by #findFastEnd and #findCrLfEnd. */
  #dataStart = 0
  #dataEnd = 0
  #dataLines = 0

  constructor(onFrame: OnFrame, options: ScannerOptions) {
    this.#onFrame = onFrame
    this.#maxFrameBytes = options.maxFrameBytes
    this.#tail = new TailBuffer(options.maxFrameBytes)
  }

  get pendingBytes(): number {
    return this.#tail.length
  }

  push(chunk: Buffer): void {
    if (this.#isAtStart) {
      this.#pushStart(chunk)
      return
    }
    this.#scan(chunk, 0)
  }

  end(): void {
    if (this.#tail.length === 0 || this.#isAtStart) return
    if (!this.#isEndDue) {
      // A last line that is not ended counts only if nothing can be missing from it.
      if (!this.#isLineEmpty && !isWholePayload(readPayload(this.#tail.bytes))) return
      // After CR the first LF only completes that line end.
      this.#tail.append(FRAME_END, 0, this.#isLineEmpty && !this.#isAfterCr ? 1 : 2)
    }
    this.#emitTail()
  }

  /** Holds the stream's first bytes back while they may be a BOM, then goes on without it. */
  #pushStart(chunk: Buffer): void {
    const head = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail.take(), chunk])
    const known = Math.min(head.length, BOM.length)
    const mayBeBom = head.compare(BOM, 0, known, 0, known) === 0
    if (mayBeBom && known < BOM.length) {
      this.#tail.append(head, 0, head.length)
      return
    }
    this.#isAtStart = false
    this.#scan(head, mayBeBom ? BOM.length : 0)
  }

  #scan(chunk: Buffer, start: number): void {
    let from = start
    const hasCr = this.#isAfterCr || chunk.includes(CR)
    // Until a frame of this chunk is otherwise: else each of many frames might search all of the chunk for its LF.
    let isCrLf = hasCr
    while (from < chunk.length) {
      if (this.#tail.length > 0) {
        const end = hasCr ? this.#findEnd(chunk, from) : this.#findTailEnd(chunk, from)
        this.#tail.append(chunk, from, end < 0 ? chunk.length : end)
        if (end < 0) return
        this.#emitTail()
        from = end
      } else {
        const fastEnd = hasCr ? (isCrLf ? this.#findCrLfEnd(chunk, from) : -1) : this.#findFastEnd(chunk, from)
        isCrLf = fastEnd >= 0
        const end = hasCr && fastEnd < 0 ? this.#findEnd(chunk, from) : fastEnd
        if (end < 0) {
          this.#tail.append(chunk, from, chunk.length)
          return
        }
        checkFrameBytes(end - from, this.#maxFrameBytes)
        const payload = fastEnd < 0 ? readPayload(chunk.subarray(from, end)) : this.#fastPayload(chunk, from, end)
        this.#emit(payload, chunk, from, end)
        from = end
      }
    }
  }

  /** End of a frame that begins at `from`, -1 if it is not in this chunk. Notes its data lines. No CR in the chunk. */
  #findFastEnd(chunk: Buffer, from: number): number {
    this.#dataLines = 0
    let lineStart = from
    while (lineStart < chunk.length) {
      if (chunk[lineStart] === LF) return lineStart + 1
      const lineEnd = chunk.indexOf(LF, lineStart)
      if (lineEnd < 0) {
        this.#isLineEmpty = false
        return -1
      }
      this.#noteLine(chunk, lineStart, lineEnd)
      lineStart = lineEnd + 1
    }
    return -1
  }

  /** The same for a frame of which every line ends with CR LF; -1 for any other, and then nothing has changed. */
  #findCrLfEnd(chunk: Buffer, from: number): number {
    this.#dataLines = 0
    let lineStart = from
    for (;;) {
      if (chunk[lineStart] === CR && chunk[lineStart + 1] === LF) return lineStart + 2
      const lineEnd = chunk.indexOf(LF, lineStart) - 1
      // Only then is the next CR looked for, so that no search goes beyond this line.
      if (lineEnd < lineStart || chunk[lineEnd] !== CR || chunk.indexOf(CR, lineStart) !== lineEnd) return -1
      this.#noteLine(chunk, lineStart, lineEnd)
      lineStart = lineEnd + 2
    }
  }

  #noteLine(chunk: Buffer, start: number, end: number): void {
    const textStart = findText(chunk, start, end)
    if (textStart < 0) return
    this.#dataLines += 1
    this.#dataStart = textStart
    this.#dataEnd = end
  }

  #fastPayload(chunk: Buffer, from: number, end: number): Buffer {
    if (this.#dataLines === 1) return chunk.subarray(this.#dataStart, this.#dataEnd)
    return this.#dataLines === 0 ? NO_BYTES : readPayload(chunk.subarray(from, end))
  }

  /** End of the frame that began in an earlier chunk, -1 if it is not in this one either. No CR in the chunk. */
  #findTailEnd(chunk: Buffer, from: number): number {
    if (this.#isLineEmpty && chunk[from] === LF) return from + 1
    const blank = chunk.indexOf(FRAME_END, from)
    if (blank >= 0) {
      this.#isLineEmpty = true
      return blank + 2
    }
    this.#isLineEmpty = chunk[chunk.length - 1] === LF
    return -1
  }

  /** The general way, whatever line ends are mixed, byte by byte. -1: the frame goes on, or waits for the LF of its last CR. */
  #findEnd(chunk: Buffer, from: number): number {
    if (this.#isEndDue) return chunk[from] === LF ? from + 1 : from
    for (let i = from; i < chunk.length; i++) {
      const byte = chunk[i]
      if (byte === LF && this.#isAfterCr) {
        this.#isAfterCr = false
      } else if (byte === LF || byte === CR) {
        this.#isAfterCr = byte === CR
        if (!this.#isLineEmpty) {
          this.#isLineEmpty = true
        } else if (byte === LF) {
          return i + 1
        } else if (i + 1 < chunk.length) {
          this.#isAfterCr = false
          return chunk[i + 1] === LF ? i + 2 : i + 1
        } else {
          this.#isEndDue = true
          return -1
        }
      } else {
        this.#isAfterCr = false
        this.#isLineEmpty = false
      }
    }
    return -1
  }

  #emitTail(): void {
    this.#isLineEmpty = true
    this.#isAfterCr = false
    this.#isEndDue = false
    const frame = this.#tail.take()
    this.#emit(readPayload(frame), frame, 0, frame.length)
  }

  #emit(payload: Buffer, source: Buffer, start: number, end: number): void {
    this.#span.source = source
    this.#span.start = start
    this.#span.end = end
    this.#onFrame(payload, this.#span)
    // A stream that pauses must not hold what it has read.
    this.#span.source = NO_BYTES
  }
}

/** Where the text of a data line `bytes[start, end)` begins; -1 for any other line. */
export function findText(bytes: Buffer, start: number, end: number): number {
  // 'd' 'a' 't' 'a'
  if (bytes[start] !== 0x64 || bytes[start + 1] !== 0x61 || bytes[start + 2] !== 0x74 || bytes[start + 3] !== 0x61) {
    return -1
  }
  const colon = start + DATA_LENGTH
  if (colon === end) return end
  if (bytes[colon] !== COLON) return -1
  return colon + 1 < end && bytes[colon + 1] === SPACE ? colon + 2 : colon + 1
}

/** The data lines of one whole frame joined with LF: a view if there is one, a copy if there are more. */
function readPayload(frame: Buffer): Buffer {
  let payload: Buffer | null = null
  let joined: Buffer | null = null
  let length = 0
  let nextLf = findOrEnd(frame, LF, 0)
  let nextCr = findOrEnd(frame, CR, 0)
  let lineStart = 0
  while (lineStart < frame.length) {
    // Each search goes on where the last one ended, so that a frame of a million lines costs one pass.
    if (nextLf < lineStart) nextLf = findOrEnd(frame, LF, lineStart)
    if (nextCr < lineStart) nextCr = findOrEnd(frame, CR, lineStart)
    const lineEnd = Math.min(nextLf, nextCr)
    const textStart = findText(frame, lineStart, lineEnd)
    if (textStart >= 0 && payload === null) {
      payload = frame.subarray(textStart, lineEnd)
    } else if (textStart >= 0) {
      if (joined === null) {
        joined = Buffer.allocUnsafe(frame.length)
        length = payload?.copy(joined) ?? 0
      }
      joined[length] = LF
      length += 1 + frame.copy(joined, length + 1, textStart, lineEnd)
    }
    lineStart = lineEnd + (nextCr === lineEnd && nextLf === lineEnd + 1 ? 2 : 1)
  }
  return joined === null ? (payload ?? NO_BYTES) : joined.subarray(0, length)
}

function findOrEnd(frame: Buffer, byte: number, from: number): number {
  const found = frame.indexOf(byte, from)
  return found < 0 ? frame.length : found
}
