// Reads, from the beginning of an upstream's answer, what the answer calls itself and which model it names: only for traced requests,
// whose spans show both. It searches the bytes and parses nothing, and gives up where neither comes early.

/** The findings; null while there are none. */
export type AnswerNames = { answerId: string | null; answerModel: string | null }

/** The first reads from the socket: the first frames are in them, and of a whole answer what comes before its text. */
const MAX_CHUNKS = 4
const MAX_CHARS = 4096
/** Within a string a quote has a backslash before it, so that only members of the answer itself match. */
const ID = /(?<!\\)"(?:id|responseId)"\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,256})"/
const MODEL = /(?<!\\)"(?:model|modelVersion)"\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,256})"/

export class AnswerHead {
  readonly #names: AnswerNames
  #chunks = 0

  constructor(names: AnswerNames) {
    this.#names = names
  }

  /** Called with each chunk; only the first few are looked at. */
  read(chunk: Buffer): void {
    if (this.#chunks === MAX_CHUNKS) return
    this.#chunks += 1
    const names = this.#names
    const text = chunk.toString('latin1', 0, MAX_CHARS)
    names.answerId ??= ID.exec(text)?.[1] ?? null
    names.answerModel ??= MODEL.exec(text)?.[1] ?? null
    if (names.answerId !== null && names.answerModel !== null) this.#chunks = MAX_CHUNKS
  }
}
