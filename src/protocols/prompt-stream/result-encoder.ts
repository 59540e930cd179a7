// The answer as one JSON document that is written while the model generates:
//
//   white space*  {"result":"  escaped text ...  "}          white space: keepalives, only before the first token
//                                            '-- ","error":"..."}   where it was cut
//
// Whatever the text contains, and wherever it ends, the whole body is one JSON document.
import { type ErrorData } from '../../model/error.js'
import { type StreamEvent } from '../../model/event.js'
import { type StreamEncoder } from '../contract/protocol.js'

/** JSON's white space, which may precede a document. */
export const KEEPALIVE = ' '

/** Writes one answer: the model's text or refusal, no reasoning. Emits nothing before the first text, so that an early failure is a whole document. */
export class ResultEncoder implements StreamEncoder {
  readonly #emit: (piece: string) => void
  #isText = false
  #isOpen = false

  constructor(emit: (piece: string) => void) {
    this.#emit = emit
  }

  push(event: StreamEvent): void {
    switch (event.type) {
      case 'block-delta':
        if (this.#isText && event.delta !== '') this.#write(escaped(event.delta))
        return
      case 'block-start':
        this.#isText = event.block.kind === 'text' || event.block.kind === 'refusal'
        return
      case 'finish':
        this.#emit(this.#isOpen ? '"}' : '{"result":""}')
        return
      case 'start':
      case 'block-end':
      case 'citation':
      case 'error':
        return
    }
  }

  #write(text: string): void {
    this.#emit(this.#isOpen ? text : `{"result":"${text}`)
    this.#isOpen = true
  }
}

/** The rest of a document that cannot be completed; a whole document if none has begun. */
export function encodeResultError(error: ErrorData, hasBegun: boolean): string {
  const message = JSON.stringify(error.message)
  return hasBegun ? `","error":${message}}` : `{"error":${message}}`
}

/** The halves of a surrogate pair split over two deltas become two escapes, which a parser joins again. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
