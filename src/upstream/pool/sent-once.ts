// A request body that is gone once it is sent. undici holds the body of a request until its answer is over, so each open stream would
// hold its prompt; of this one it holds nothing. What is to be sent again needs a new one.

/** undici's own type for a body has no iterable, but undici sends its pieces one by one. */
export class SentOnce implements Iterable<Uint8Array> {
  #pieces: readonly Uint8Array[]

  /** `pieces` belong to the sender and stay as they are. */
  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces
  }

  /** A second walk finds nothing. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    const pieces = this.#pieces
    this.#pieces = NO_PIECES
    yield* pieces
  }
}

const NO_PIECES: readonly Uint8Array[] = Object.freeze([])
