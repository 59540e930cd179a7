// Puts the number of each frame into it as an `id` line while it is read, in the framing that has such lines: WHATWG HTML, 9.2.6.
// Nothing is stored twice: readers with and without numbers share the frames.
//
//   data: {"a":1}\n\n      ->      id: 7\ndata: {"a":1}\n\n
import { type StreamFormat } from '../../pipeline/sink.js'
import { type ReadableLog } from '../../streams/kept/readable-log.js'
import { type FrameReader, type StreamEnd } from '../../streams/reader.js'

/** Frames of one reader, each with its number. */
export class NumberedReader implements FrameReader {
  readonly #reader: FrameReader

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
    const number = this.#reader.offset
    const frame = this.#reader.read()
    if (frame === null) return null
    const line = idLine(number)
    const numbered = Buffer.allocUnsafe(line.length + frame.length)
    numbered.write(line, 'latin1')
    numbered.set(frame, line.length)
    return numbered
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

function idLine(number: number): string {
  return `id: ${number}\n`
}
