// Newline-delimited JSON as frames: one line, one frame. CR LF is tolerated, blank lines are skipped. Knows no LLM.
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

const LINE_END = Buffer.from('\n')

/** @see https://github.com/ndjson/ndjson-spec */
export class NdjsonScanner implements FrameScanner {
  readonly #onFrame: OnFrame
  readonly #maxFrameBytes: number
  readonly #tail: TailBuffer
  readonly #span: RawSpan = { source: NO_BYTES, start: 0, end: 0 }

  constructor(onFrame: OnFrame, options: ScannerOptions) {
    this.#onFrame = onFrame
    this.#maxFrameBytes = options.maxFrameBytes
    this.#tail = new TailBuffer(options.maxFrameBytes)
  }

  get pendingBytes(): number {
    return this.#tail.length
  }

  push(chunk: Buffer): void {
    let from = 0
    while (from < chunk.length) {
      const lineEnd = chunk.indexOf(LF, from)
      if (lineEnd < 0) {
        this.#tail.append(chunk, from, chunk.length)
        return
      }
      if (this.#tail.length > 0) {
        this.#tail.append(chunk, from, lineEnd + 1)
        const line = this.#tail.take()
        this.#emit(line, 0, line.length)
      } else {
        checkFrameBytes(lineEnd + 1 - from, this.#maxFrameBytes)
        this.#emit(chunk, from, lineEnd + 1)
      }
      from = lineEnd + 1
    }
  }

  end(): void {
    if (!isWholePayload(trimCr(this.#tail.bytes))) return
    this.#tail.append(LINE_END, 0, LINE_END.length)
    const line = this.#tail.take()
    this.#emit(line, 0, line.length)
  }

  #emit(source: Buffer, start: number, end: number): void {
    const payload = trimCr(source.subarray(start, end - 1))
    if (payload.length === 0) return
    this.#span.source = source
    this.#span.start = start
    this.#span.end = end
    this.#onFrame(payload, this.#span)
    // A stream that pauses must not hold what it has read.
    this.#span.source = NO_BYTES
  }
}

function trimCr(line: Buffer): Buffer {
  return line[line.length - 1] === CR ? line.subarray(0, line.length - 1) : line
}
