// Takes the pieces of one chunk in place of the blocks, and keeps the only one: most chunks bring one piece of text and nothing else, so
// that they need not be parsed once their shape is known (frame-shape.ts).
import { isJsonArray, type JsonValue } from '../../../model/json.js'
import { type BlockSequencer, type CallFragment } from './block-sequencer.js'

/** What takes the pieces of a delta. */
export type Blocks = Pick<BlockSequencer, 'text' | 'cite' | 'image' | 'call'>

/** A piece of text of a block, or of a call's arguments: then with what else the chunk repeats of the call. */
export type Piece = {
  readonly kind: 'text' | 'refusal' | 'reasoning' | 'call'
  readonly call: CallFragment | null
  readonly text: string
}

/** One per chunk. */
export class SolePiece implements Blocks {
  #piece: Piece | null = null
  #pieces = 0

  /** Null unless there was one piece, and that of text. */
  get piece(): Piece | null {
    return this.#pieces === 1 ? this.#piece : null
  }

  text(kind: 'text' | 'refusal' | 'reasoning', text: string): void {
    if (text !== '') this.#take({ kind, call: null, text })
  }

  call(call: CallFragment): void {
    this.#take({ kind: 'call', call, text: call.arguments })
  }

  cite(annotations: JsonValue): void {
    if (isJsonArray(annotations) && annotations.length > 0) this.#take(null)
  }

  image(): void {
    this.#take(null)
  }

  #take(piece: Piece | null): void {
    this.#piece = piece
    this.#pieces += 1
  }
}
