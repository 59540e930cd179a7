// Cuts what is appended to a kept stream into the frames that have a number: those with data, without comments and `id` lines of the
// upstream's, which would be taken for ours. All other bytes of a frame stay as they are.
//
//   ": ping\n\n"                            no frame
//   "id: x\nevent: delta\ndata: {}\n\n"     one frame, "event: delta\ndata: {}\n\n"
import { createFrameScanner } from '../../wire/frame.js'
import { CR, type FrameScanner, LF, type RawSpan } from '../../wire/scanner.js'
import { findText } from '../../wire/sse.js'
import { type FrameEnds } from './frame-store.js'

/** Frames that follow each other in `source` from `start` on; all is valid only during the call. */
export type OnNumbered = (source: Buffer, start: number, frames: FrameEnds) => void

const COLON = 0x3a
const LETTER_I = 0x69
const LETTER_D = 0x64
const ID_LENGTH = 'id'.length
/** Tiny frames come in thousands at once, and the array of their ends stays for the life of the stream, uncounted. */
const MAX_RUN = 128

/** For one stream. */
export class NumberedFrames {
  /** Made when it is first needed: most streams of server-sent events need none. */
  #scanner: FrameScanner | null = null
  readonly #onFrame: OnNumbered
  readonly #isSse: boolean
  #chunk: Buffer | null = null
  #hasCr = false
  /** Of the frames that are found one behind the other; the arrays stay for the next ones. */
  readonly #found: { readonly ends: number[]; count: number } = { ends: [], count: 0 }
  #runStart = 0

  constructor(framing: 'sse' | 'ndjson', onFrame: OnNumbered) {
    this.#onFrame = onFrame
    this.#isSse = framing === 'sse'
  }

  /**
   * Takes whole frames; keeps no reference to them.
   * @throws upstream_malformed for a frame that is too large; it is of no use afterwards
   */
  push(frames: Uint8Array): void {
    const chunk = frames instanceof Buffer ? frames : Buffer.from(frames.buffer, frames.byteOffset, frames.length)
    const hasCr = chunk.includes(CR)
    if (this.#isSse && !hasCr && isWhole(chunk) && (this.#scanner === null || this.#scanner.pendingBytes === 0)) {
      this.#walk(chunk)
      return
    }
    this.#chunk = chunk
    this.#hasCr = hasCr
    this.#scanner ??= this.#createScanner()
    this.#scanner.push(chunk)
    this.#chunk = null
  }

  /** The stream has ended: a frame that could have gone on is one now. */
  end(): void {
    this.#scanner?.end()
  }

  #createScanner(): FrameScanner {
    return this.#isSse
      ? createFrameScanner('sse', (payload, raw) => this.#takeSse(payload, raw))
      : createFrameScanner('ndjson', (_payload, { source, start, end }) => this.#emitOne(source, start, end))
  }

  /**
   * Whole frames whose lines end with LF, which is how all but a few upstreams write: one walk in place of two, and one call for all
   * frames with nothing between them (bench/micro/kept).
   */
  #walk(chunk: Buffer): void {
    let start = 0
    let dataLines = 0
    let hasText = false
    let isClean = true
    for (let line = 0; line < chunk.length; ) {
      const lineEnd = chunk[line] === LF ? line : chunk.indexOf(LF, line)
      if (lineEnd === line) {
        if (!hasText && dataLines <= 1) this.#emitRun(chunk)
        else if (isClean) {
          if (this.#found.count === MAX_RUN) this.#emitRun(chunk)
          this.#addToRun(start, line + 1)
        } else {
          this.#emitRun(chunk)
          this.#emit(chunk, { start, end: line + 1, isClean })
        }
        start = line + 1
        dataLines = 0
        hasText = false
        isClean = true
      } else {
        const text = findText(chunk, line, lineEnd)
        if (text >= 0) {
          dataLines += 1
          if (text < lineEnd) hasText = true
        } else if (isExtra(chunk, line, lineEnd)) isClean = false
      }
      line = lineEnd + 1
    }
    this.#emitRun(chunk)
  }

  #addToRun(start: number, end: number): void {
    const found = this.#found
    if (found.count === 0) this.#runStart = start
    found.ends[found.count] = end
    found.count += 1
  }

  #emitRun(chunk: Buffer): void {
    if (this.#found.count === 0) return
    this.#onFrame(chunk, this.#runStart, this.#found)
    this.#found.count = 0
  }

  #emitOne(source: Buffer, start: number, end: number): void {
    this.#addToRun(start, end)
    this.#emitRun(source)
  }

  #takeSse(payload: Buffer, { source, start, end }: RawSpan): void {
    if (payload.length === 0) return
    const hasCr = source === this.#chunk ? this.#hasCr : source.includes(CR)
    this.#emit(source, { start, end, isClean: !hasCr && !hasExtraLine(source, start, end) })
  }

  #emit(source: Buffer, { start, end, isClean }: Found): void {
    if (isClean) {
      this.#emitOne(source, start, end)
      return
    }
    const frame = withoutExtraLines(source.subarray(start, end))
    this.#emitOne(frame, 0, frame.length)
  }
}

/** `isClean`: it has no line to be taken out. */
type Found = { readonly start: number; readonly end: number; readonly isClean: boolean }

/** Nothing of its last frame is missing. */
function isWhole(chunk: Buffer): boolean {
  return chunk.length > 1 && chunk[chunk.length - 1] === LF && chunk[chunk.length - 2] === LF
}

/** Whether a line is a comment or an id. All lines end with LF. */
function hasExtraLine(source: Buffer, start: number, end: number): boolean {
  let line = start
  while (line < end) {
    if (isExtra(source, line, end)) return true
    line = source.indexOf(LF, line) + 1
    if (line === 0) return false
  }
  return false
}

/** WHATWG HTML, 9.2.6: a line that begins with a colon, or the field `id` with or without a value. */
function isExtra(source: Buffer, line: number, end: number): boolean {
  const first = source[line]
  if (first === COLON) return true
  if (first !== LETTER_I || source[line + 1] !== LETTER_D) return false
  const after = line + ID_LENGTH
  return after >= end || source[after] === COLON || source[after] === LF || source[after] === CR
}

/** A copy, whatever the line ends are. */
function withoutExtraLines(frame: Buffer): Buffer {
  const kept: Buffer[] = []
  let line = 0
  while (line < frame.length) {
    const next = lineAfter(frame, line)
    if (!isExtra(frame, line, frame.length)) kept.push(frame.subarray(line, next))
    line = next
  }
  return Buffer.concat(kept)
}

function lineAfter(frame: Buffer, from: number): number {
  for (let i = from; i < frame.length; i++) {
    if (frame[i] === LF) return i + 1
    if (frame[i] === CR) return frame[i + 1] === LF ? i + 2 : i + 1
  }
  return frame.length
}
