// Puts the number of each frame into it as an `id` line while it is read, in the framing that has such lines: WHATWG HTML, 9.2.6.
// Nothing is stored twice: readers with and without numbers share the frames.
//
//   data: {"a":1}\n\n      ->      id: 7\ndata: {"a":1}\n\n
import { type StreamFormat } from '../../pipeline/sink.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'

/** Frames that come together are joined up to so much, since each entry has its own cost. */
const MAX_JOINED_BYTES = 8 * 1024
const LINE_START = Buffer.from('id: ')
const LF = 0x0a
const DIGIT_ZERO = 0x30
const BASE = 10

/** Frames of one reader, each with its number. */
export class NumberedReader implements FrameReader {
  readonly #reader: FrameReader
  /** Read, and about to be joined. */
  readonly #frames: Uint8Array[] = []

  constructor(reader: FrameReader) {
    this.#reader = reader
  }

  get offset(): number {
    return this.#reader.offset
  }

  get isCut(): boolean {
    return this.#reader.isCut
  }

  get isMoved(): boolean {
    return this.#reader.isMoved === true
  }

  read(): Uint8Array | null {
    const first = this.#reader.offset
    const frames = this.#frames
    let length = 0
    while (length < MAX_JOINED_BYTES) {
      const number = this.#reader.offset
      const frame = this.#reader.read()
      if (frame === null) break
      length += LINE_START.length + digitsOf(number) + 1 + frame.length
      frames.push(frame)
    }
    return length === 0 ? null : this.#join(first, length)
  }

  #join(first: number, length: number): Uint8Array {
    const frames = this.#frames
    const joined = Buffer.allocUnsafe(length)
    for (let i = 0, at = 0; i < frames.length; i++) {
      const frame = frames[i]
      if (frame === undefined) break
      at = writeIdLine(joined, at, first + i)
      joined.set(frame, at)
      at += frame.length
    }
    frames.length = 0
    return joined
  }

  end(): StreamEnd | null {
    return this.#reader.end()
  }

  detach(): void {
    this.#reader.detach()
  }
}

/** A format whose error frame is the one with which the stream was closed, if it was closed with one. */
export function settledFormat(format: StreamFormat, log: Pick<ReadableLog, 'streamEnd'>): StreamFormat {
  return {
    keepaliveFrame: format.keepaliveFrame,
    encodeErrorFrame: (error) => log.streamEnd?.errorFrame ?? format.encodeErrorFrame(error),
  }
}

/**
 * Puts its number into the error frame, too, which follows that of the last frame. Not into one that ends only this connection, while
 * the stream goes on or has a clean end: its number is another frame's, which the client would then never ask for.
 */
export function numberedFormat(format: StreamFormat, log: Pick<ReadableLog, 'next' | 'streamEnd'>): StreamFormat {
  return {
    keepaliveFrame: format.keepaliveFrame,
    encodeErrorFrame: (error) => {
      const isOfStream = log.streamEnd !== null && log.streamEnd.error !== null
      return (isOfStream ? idLine(log.next) : '') + format.encodeErrorFrame(error)
    },
  }
}

/** In decimal. */
function digitsOf(number: number): number {
  let digits = 1
  for (let rest = number; rest >= BASE; rest = Math.trunc(rest / BASE)) digits += 1
  return digits
}

/** The same text as `idLine`, in place. Returns its end. */
function writeIdLine(target: Buffer, start: number, number: number): number {
  for (let i = 0; i < LINE_START.length; i++) target[start + i] = LINE_START[i] ?? 0
  const end = start + LINE_START.length + digitsOf(number)
  for (let at = end - 1, rest = number; at >= start + LINE_START.length; at--) {
    target[at] = DIGIT_ZERO + (rest % BASE)
    rest = Math.trunc(rest / BASE)
  }
  target[end] = LF
  return end + 1
}

function idLine(number: number): string {
  return `id: ${number}\n`
}
