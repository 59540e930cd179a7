// The stream without `alt=sse`: its chunks are the members of one JSON array, which is written while the model generates.
//
//   white space*  [{chunk},\n{chunk} ... ]            white space: keepalives, only before the first chunk
import { type StreamEvent } from '../../model/event.js'
import { type PayloadFrames, type StreamEncoder } from '../contract/protocol.js'
import { GeminiEncoder } from './surface/stream-encoder.js'

/** As the vendor writes it, in which clients find the end of a chunk by its line. */
export const ARRAY_FRAMES: PayloadFrames = Object.freeze({ first: '[', next: ',\r\n', end: '\r\n]' })

/** Writes one stream. */
export class ArrayEncoder implements StreamEncoder {
  readonly #emit: (piece: string) => void
  readonly #encoder: GeminiEncoder
  #hasFrames = false

  constructor(emit: (piece: string) => void) {
    this.#emit = emit
    this.#encoder = new GeminiEncoder((payload) => {
      this.#emit((this.#hasFrames ? ARRAY_FRAMES.next : ARRAY_FRAMES.first) + payload)
      this.#hasFrames = true
    })
  }

  push(event: StreamEvent): void {
    this.#encoder.push(event)
    if (event.type === 'finish') this.#emit(ARRAY_FRAMES.end)
  }
}

/** The last member of an array that cannot be completed; a whole array if none has begun. */
export function encodeArrayError(error: string, hasFrames: boolean): string {
  return `${hasFrames ? ARRAY_FRAMES.next : ARRAY_FRAMES.first}${error}${ARRAY_FRAMES.end}`
}
