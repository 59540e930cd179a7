// What the two frame scanners (sse.ts, ndjson.ts) share: their contract and the buffer that keeps a frame cut by a chunk.
// Bytes only; nothing here knows what a payload means.
import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../errors.js'

/**
 * Where the whole frame lies, terminator included: `source[start, end)`. One object per scanner, changed from call to call,
 * so take the numbers out at once. `source` is the pushed chunk itself when the frame lies in it (compare by identity:
 * frames that touch in one source can be passed on as one view, without a copy), else a buffer of its own, never used again.
 */
export type RawSpan = { source: Buffer; start: number; end: number }

/**
 * Called synchronously, once per frame. `payload` is a view, valid during the call: the data lines joined with LF (SSE) or the line
 * (NDJSON). It is empty for an SSE frame without data (comment, bare event, blank line), which a passthrough may keep or drop.
 */
export type OnFrame = (payload: Buffer, raw: RawSpan) => void

/** Cuts a stream of chunks into frames; however it is chunked, payloads and raw bytes are the same. One per stream. */
export type FrameScanner = {
  /**
   * Takes the next bytes. The scanner keeps no reference to the chunk after the call.
   * @throws upstream_malformed for a frame over maxFrameBytes; the scanner is of no use afterwards
   */
  push(chunk: Buffer): void
  /**
   * The stream has ended. A tail that lacks only its terminator is reported, with the terminator put into its raw bytes;
   * a tail that breaks off inside its payload is not, and stays in `pendingBytes`.
   */
  end(): void
  /** Bytes of a frame that has begun and not ended. */
  readonly pendingBytes: number
}

export type ScannerOptions = {
  /** Largest frame taken; guards memory against a stream that never ends its line. */
  readonly maxFrameBytes: number
}

/** 16 MiB: a base64 image in one frame passes, an endless line does not. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024

export const LF = 0x0a
export const CR = 0x0d
export const NO_BYTES: Buffer = Buffer.alloc(0)
/** A cut frame is mostly a few hundred bytes: one allocation then holds all of it. */
const MIN_TAIL_BYTES = 512

/** Refuses a frame that is too large. */
export function checkFrameBytes(bytes: number, maxFrameBytes: number): void {
  if (bytes <= maxFrameBytes) return
  throw new GatewayError('upstream_malformed', {
    message: `The provider sent a single frame of more than ${maxFrameBytes} bytes.`,
  })
}

/** Collects the pieces of one frame in a buffer that doubles, so that any number of pieces costs O(bytes). */
export class TailBuffer {
  readonly #maxBytes: number
  #buffer: Buffer = NO_BYTES
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#length
  }

  /** What it holds, as a view that the next append may outdate. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /**
   * Copies `source[start, end)` to its end.
   * @throws upstream_malformed over the cap
   */
  append(source: Buffer, start: number, end: number): void {
    const needed = this.#length + end - start
    checkFrameBytes(needed, this.#maxBytes)
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, MIN_TAIL_BYTES))
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#buffer = grown
    }
    source.copy(this.#buffer, this.#length, start, end)
    this.#length = needed
  }

  /** Hands its bytes over and begins anew with a buffer of its own. */
  take(): Buffer {
    const bytes = this.bytes
    this.#buffer = NO_BYTES
    this.#length = 0
    return bytes
  }
}

const DONE = Buffer.from('[DONE]')
const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b

/** Is this payload whole, although its line was not ended? True for a JSON object or array and for the bare `[DONE]`. */
export function isWholePayload(payload: Buffer): boolean {
  if (payload.equals(DONE)) return true
  const first = payload[0]
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return false
  if (!isUtf8(payload)) return false
  try {
    JSON.parse(payload.toString())
    return true
  } catch {
    return false
  }
}
