// The raw text of a custom tool's input, out of the arguments of the function that stands in for it. Fragments of JSON come in, text goes
// out as soon as it is certain:
//
//   {"input":"*** Begin\nPa   ->   *** Begin⏎Pa
//   tch"}                     ->   tch
//
// A model that writes anything else is taken at its word at the end: the only string of the object, or the text as it is.
import { isJsonObject, type JsonValue } from '../../../model/json.js'

const OPENING = /^\s*\{\s*"input"\s*:\s*"/
/** What may still become the opening. */
const PARTIAL = /^\s*(?:\{\s*(?:"(?:i(?:n(?:p(?:u(?:t(?:"\s*(?::\s*)?)?)?)?)?)?)?)?)?$/
/** A longer opening is none: each fragment is matched again until it is complete. */
const MAX_OPENING_CHARS = 256
const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }
const UNICODE_CHARS = 6

/** One per call. */
export class RawInput {
  /** All of the text so far. */
  text = ''
  #arguments = ''
  #state: 'before' | 'inside' | 'after' | 'other' = 'before'
  /** An escape, or half a character, that is not complete. */
  #pending = ''

  /** Takes a fragment; returns the text that it completes. */
  push(fragment: string): string {
    if (this.#state === 'inside') return this.#read(fragment)
    if (this.#state === 'after') return ''
    this.#arguments += fragment
    if (this.#state === 'other') return ''
    const opening = OPENING.exec(this.#arguments)?.[0]
    if (opening === undefined) {
      const { length } = this.#arguments
      if (length > MAX_OPENING_CHARS || !PARTIAL.test(this.#arguments)) this.#state = 'other'
      return ''
    }
    this.#state = 'inside'
    return this.#read(this.#arguments.slice(opening.length))
  }

  /** After the last fragment: the rest of the text. */
  end(): string {
    const isOther = this.#state === 'before' || this.#state === 'other'
    // Half an escape is not text.
    const rest = isOther ? readOther(this.#arguments) : (this.#pending.split('\\')[0] ?? '')
    this.#state = 'after'
    this.#pending = ''
    this.text += rest
    return rest
  }

  #read(fragment: string): string {
    const source = this.#pending + fragment
    this.#pending = ''
    let text = ''
    let at = 0
    while (at < source.length) {
      const char = source[at] ?? ''
      if (char === '"') {
        this.#state = 'after'
        break
      }
      if (char !== '\\') {
        text += char
        at += 1
        continue
      }
      const size = source[at + 1] === 'u' ? UNICODE_CHARS : 2
      if (at + size > source.length) {
        this.#pending = source.slice(at)
        break
      }
      text += readEscape(source.slice(at, at + size))
      at += size
    }
    return this.#release(text)
  }

  /** Holds half a character back, which no client could decode. */
  #release(text: string): string {
    const last = text.charCodeAt(text.length - 1)
    const isHalf = last >= 0xd800 && last <= 0xdbff && this.#state === 'inside'
    const whole = isHalf ? text.slice(0, -1) : text
    // An escape can be pending behind it: `\ud83d` and then `\ud`.
    if (isHalf) this.#pending = text.slice(-1) + this.#pending
    this.text += whole
    return whole
  }
}

function readEscape(sequence: string): string {
  const letter = sequence[1] ?? ''
  if (letter !== 'u') return ESCAPES[letter] ?? letter
  const code = Number.parseInt(sequence.slice(2), 16)
  return Number.isNaN(code) ? sequence : String.fromCharCode(code)
}

function readOther(text: string): string {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    return text
  }
  if (typeof value === 'string') return value
  const members = isJsonObject(value) ? Object.values(value) : []
  const [only] = members
  return members.length === 1 && typeof only === 'string' ? only : text
}
