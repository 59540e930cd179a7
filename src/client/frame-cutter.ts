// Cuts what a connection brings into whole frames and counts them, so that no frame is passed on in part, twice, or after a gap.
//
//   chunk --> [ ...rest of the last chunk | whole frames | beginning of the next ] --> whole frames that are new
//
// SSE: frames have their number in a line `id: 7`. NDJSON: a line is a frame, and they are counted from the first.

const LF = 10
const CR = 13
const COLON = 58
const EMPTY = new Uint8Array(0)
/**
 * Frames after which nothing comes: the end markers of the APIs that have one, and errors. Lines of SSE are never content, which is
 * JSON and has no lines; members of JSON are never content either, in which their quotes are escaped.
 */
const END_OF_SSE =
  /^(?:data: ?(?:\[DONE\]|\{"error"|\{"type":"(?:done|error)")|event: ?(?:message_stop|error|response\.(?:completed|failed|incomplete)))/m
const END_OF_NDJSON = /"done": ?true|^\{"error"/
/** The model is finished, though more may come, such as its usage: all there is in APIs without an end marker. */
const FINISH_OF_SSE = /"finishReason": ?"/
const FINISH_OF_NDJSON = /"finish_reason": ?"/
/** One byte is one character, so that nothing in content is taken for the end of a line. */
const BYTES = new TextDecoder('latin1')

/** The cutter of one stream, over all its connections. */
export class FrameCutter {
  readonly #isSse: boolean
  #rest: Uint8Array = EMPTY
  /** Where the line begins that is being read, in the rest. */
  #line = 0
  /** The number that the present frame gives itself. */
  #id: number | null = null
  /** Number of the last whole frame; -1 before the first. */
  last = -1
  /** The end marker was read: what follows is nothing. */
  isEnded = false
  /** What was read is an answer to its end: if the gateway says that there is nothing more, there is nothing missing. */
  isFinished = false
  /** A frame is missing; nothing is passed on any more. */
  isTorn = false

  constructor(framing: 'sse' | 'ndjson') {
    this.#isSse = framing === 'sse'
  }

  /** Takes the next bytes of the connection; gives back what is to be passed on, which may be nothing. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = join([this.#rest, chunk])
    const passed: Uint8Array[] = []
    let from = 0
    let at = this.#rest.length
    // A CR at the end of the rest waits for the LF that may follow it.
    if (at > 0 && bytes[at - 1] === CR) at -= 1
    for (; at < bytes.length && !this.isTorn; at++) {
      const byte = bytes[at]
      if (byte !== LF && byte !== CR) continue
      if (byte === CR && at + 1 === bytes.length) break
      const next = byte === CR && bytes[at + 1] === LF ? at + 2 : at + 1
      if (this.#endsFrame(bytes, { from, at })) {
        if (this.#isNew(BYTES.decode(bytes.subarray(from, at)))) passed.push(bytes.subarray(from, next))
        from = next
      }
      this.#line = next
      at = next - 1
    }
    this.#rest = bytes.slice(from)
    this.#line -= from
    return passed.length === 1 ? (passed[0] ?? EMPTY) : join(passed)
  }

  /** The connection is lost: what is not whole comes again on the next one. */
  drop(): void {
    this.#rest = EMPTY
    this.#line = 0
    this.#id = null
  }

  /** Whether the line from `#line` to `at` is the last of a frame that begins at `from`. */
  #endsFrame(bytes: Uint8Array, { from, at }: { from: number; at: number }): boolean {
    const start = this.#line
    if (!this.#isSse || start === at) return true
    // A comment between frames, such as a keepalive, is passed on at once.
    if (bytes[start] === COLON) return start === from
    if (at - start < 24) {
      const id = /^id: ?(\d{1,15})$/.exec(BYTES.decode(bytes.subarray(start, at)))
      if (id !== null) this.#id = Number(id[1])
    }
    return false
  }

  /** Whether a whole frame is passed on; counts it. */
  #isNew(text: string): boolean {
    const id = this.#isSse ? this.#id : text.trim() === '' ? null : this.last + 1
    this.#id = null
    if (id === null) return true
    if (id <= this.last) return false
    if (id > this.last + 1) {
      this.isTorn = true
      return false
    }
    this.last = id
    this.isEnded ||= (this.#isSse ? END_OF_SSE : END_OF_NDJSON).test(text)
    this.isFinished ||= this.isEnded || (this.#isSse ? FINISH_OF_SSE : FINISH_OF_NDJSON).test(text)
    return true
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const some = parts.filter((part) => part.length > 0)
  if (some.length < 2) return some[0] ?? EMPTY
  const whole = new Uint8Array(some.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of some) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
