// Detects, as fragments of a JSON object arrive, when the object is closed. Reads each character once and parses nothing.

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d

/** One per object. */
export class JsonProgress {
  #depth = 0
  #isInString = false
  #isEscaped = false
  /** True once an object was opened and closed again. */
  isComplete = false

  push(fragment: string): void {
    for (let i = 0; i < fragment.length; i++) {
      const code = fragment.charCodeAt(i)
      if (this.#isInString) this.#pushInString(code)
      else if (code === QUOTE) this.#isInString = true
      else if (code === BRACE_OPEN) this.#depth += 1
      else if (code === BRACE_CLOSE) {
        this.#depth -= 1
        if (this.#depth === 0) this.isComplete = true
      }
    }
  }

  #pushInString(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (code === BACKSLASH) this.#isEscaped = true
    else if (code === QUOTE) this.#isInString = false
  }
}
