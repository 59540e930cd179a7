// Proves in one pass that a body is exactly one JSON object, and finds its top-level members, without building anything. It
// accepts what parseRequestBody accepts, so a body whose content nobody here needs is never parsed.
//
//   {"model":"m", "messages":[ ...200 KB... ]}      members: model, messages, each with its bytes; strings of 1 KB and more
//
// Nearly every body is proved by vectors (vector-scan.ts). The walk here has the same result, more slowly: it decides on what is not
// sound, on what the vectors leave to it, and on all where there are none. Strings are most of a body: it reads them four bytes at a time.
import { isUtf8 } from 'node:buffer'
import { asBuffer, MAX_DEPTH, MAX_MEMBERS } from '../json.js'
import { ESCAPED, escapeEnd, scalarEnd, skipSpace } from '../json-scan.js'
import { findDuplicate, MAX_KEY_BYTES, type Member, readKey } from './members.js'
import { createVectorScan, SHORT_TEXT_WORDS, type VectorScan, type VectorShape } from './vector-scan.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const NINE = 0x39
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const LOWER_E = 0x65
/** In ASCII this bit is all that distinguishes an upper-case letter from its lower-case one. */
const CASE_BIT = 0x20
const BROKEN = -1
const NONE = -1

/** What one pass over a sound body has found. */
export type BodyShape = {
  readonly members: readonly Member[]
  /** Start and end of each string value of LONG_TEXT_BYTES or more, with its quotes, in order. */
  readonly longTexts: readonly number[]
  /** What mayContainText looks at. */
  readonly shortTexts: readonly number[]
  /** A letter or underscore is written as an escape somewhere, so a search for a name in the bytes could miss it. */
  readonly escapesLetters: boolean
}

/** Shorter strings are not reported. */
export const LONG_TEXT_BYTES = 1024

/** Of the strings that `shortTexts` knows. */
const MAX_SHORT_TEXT = 31
/** The bit of a string, by its length, its first and its last byte: what is at hand where the scan finds its end. */
function bitOf(length: number, first: number, last: number): number {
  return Math.imul(length * 961 + first * 31 + last, HASH) >>> HASH_SHIFT
}

/** Knuth's multiplier; its upper eleven bits are used. */
const HASH = 0x9e3779b1 | 0
const HASH_SHIFT = 32 - Math.log2(SHORT_TEXT_WORDS * 32)

/** False if no string of the body, name or value, is this plain ASCII text; true if one may be. */
export function mayContainText({ shortTexts }: Pick<BodyShape, 'shortTexts'>, text: string): boolean {
  if (text.length === 0 || text.length > MAX_SHORT_TEXT) return true
  const bit = bitOf(text.length, text.charCodeAt(0), text.charCodeAt(text.length - 1))
  return (((shortTexts[bit >> 5] ?? 0) >>> (bit & 31)) & 1) === 1
}

/** Null for a body that parseRequestBody rejects (it says why), and for one of more members than a request may have. */
export function scanBody(body: Uint8Array): BodyShape | null {
  const bytes = asBuffer(body)
  if (!isUtf8(bytes)) return null
  if (vectors === undefined) vectors = createVectorScan()
  const found = vectors?.scan(bytes, MAX_DEPTH, MAX_MEMBERS) ?? null
  return found === null ? walkBody(bytes) : shapeOf(bytes, found)
}

/** One for all bodies: a scan is over when it returns. Undefined before the first one; null where there cannot be any. */
let vectors: VectorScan | null | undefined

/** The same without vectors, for bytes that are UTF-8. */
export function walkBody(bytes: Buffer): BodyShape | null {
  const scan = new BodyScan(bytes)
  return scan.isOneObject() && findDuplicate(scan.members) === null ? scan : null
}

function shapeOf(bytes: Buffer, found: VectorShape): BodyShape | null {
  const members: Member[] = []
  const at = found.members
  for (let i = 0; i < at.length; i += 4) {
    const keyStart = at[i] ?? 0
    const key = memberKey(bytes, keyStart, at[i + 1] ?? 0)
    if (key === null) return null
    members.push({ key, keyStart, valueStart: at[i + 2] ?? 0, valueEnd: at[i + 3] ?? 0 })
  }
  if (findDuplicate(members) !== null) return null
  const { escapesLetters } = found
  return {
    members,
    longTexts: plainNumbers(found.longTexts),
    shortTexts: plainNumbers(found.shortTexts),
    escapesLetters,
  }
}

/** They may go to another thread in a message. */
function plainNumbers(view: Uint32Array | Int32Array): number[] {
  const numbers = new Array<number>(view.length)
  for (let i = 0; i < view.length; i++) numbers[i] = view[i] ?? 0
  return numbers
}

/** Null for the name of a member that no request may have. */
function memberKey(bytes: Buffer, start: number, end: number): string | null {
  const quote = end - 1
  const key = quote - start > MAX_KEY_BYTES ? null : readKey(bytes, start, quote)
  return key === '__proto__' ? null : key
}

class BodyScan implements BodyShape {
  readonly members: Member[] = []
  readonly longTexts: number[] = []
  /** Plain numbers: it may go to another thread in a message. */
  readonly shortTexts: number[] = new Array<number>(SHORT_TEXT_WORDS).fill(0)
  escapesLetters = false
  readonly #bytes: Buffer
  readonly #view: DataView
  /** Of the top-level member that is open. */
  #keyStart = NONE
  #keyEnd = NONE
  #valueStart = NONE

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** No recursion: what is open at each level is kept in an array. */
  isOneObject(): boolean {
    const bytes = this.#bytes
    const isObject = new Uint8Array(MAX_DEPTH + 1)
    let depth = 0
    let at = skipSpace(bytes, 0)
    if (bytes[at] !== OPEN_BRACE) return false
    for (;;) {
      // A value begins here.
      const byte = bytes[at]
      if (byte === QUOTE) {
        const start = at
        at = this.#textEnd(start)
        if (at - start >= LONG_TEXT_BYTES) this.longTexts.push(start, at)
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth += 1
        if (depth > MAX_DEPTH) return false
        isObject[depth] = byte === OPEN_BRACE ? 1 : 0
        at = skipSpace(bytes, at + 1)
        if (bytes[at] !== (byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
          if (byte === OPEN_BRACE) at = this.#nameEnd(at, depth)
          if (at === BROKEN) return false
          continue
        }
      } else {
        at = finiteEnd(bytes, at)
      }
      if (at === BROKEN) return false
      // It has ended, or `at` is at the bracket of an empty one: what closes here, and is there another?
      for (;;) {
        if (depth === 1 && this.#keyStart !== NONE && !this.#closeMember(at)) return false
        at = skipSpace(bytes, at)
        const next = bytes[at]
        if (next === COMMA) {
          at = skipSpace(bytes, at + 1)
          if (isObject[depth] === 1) at = this.#nameEnd(at, depth)
          if (at === BROKEN) return false
          break
        }
        if (next !== (isObject[depth] === 1 ? CLOSE_BRACE : CLOSE_BRACKET)) return false
        at += 1
        depth -= 1
        if (depth === 0) return skipSpace(bytes, at) === bytes.length
      }
    }
  }

  /** Index of the value behind the member's name that must begin at `start`. */
  #nameEnd(start: number, depth: number): number {
    const bytes = this.#bytes
    if (bytes[start] !== QUOTE) return BROKEN
    const end = this.#textEnd(start)
    if (end === BROKEN) return BROKEN
    const colon = bytes[end] === COLON ? end : skipSpace(bytes, end)
    if (bytes[colon] !== COLON) return BROKEN
    const valueStart = skipSpace(bytes, colon + 1)
    if (depth === 1) {
      this.#keyStart = start
      this.#keyEnd = end
      this.#valueStart = valueStart
    }
    return valueStart
  }

  /** False for a member that no request may have. */
  #closeMember(valueEnd: number): boolean {
    const keyStart = this.#keyStart
    this.#keyStart = NONE
    const key = this.members.length === MAX_MEMBERS ? null : memberKey(this.#bytes, keyStart, this.#keyEnd)
    if (key === null) return false
    this.members.push({ key, keyStart, valueStart: this.#valueStart, valueEnd })
    return true
  }

  /** Index after the string that opens at `start`; BROKEN if it breaks the grammar or does not close. */
  #textEnd(start: number): number {
    const bytes = this.#bytes
    const view = this.#view
    const lastPair = bytes.length - 2 * WORD_BYTES
    let at = start + 1
    for (;;) {
      while (at <= lastPair) {
        const first = findSpecial(view.getInt32(at, true))
        if (first !== 0) {
          at += lowestByte(first)
          break
        }
        const second = findSpecial(view.getInt32(at + WORD_BYTES, true))
        if (second !== 0) {
          at += WORD_BYTES + lowestByte(second)
          break
        }
        at += 2 * WORD_BYTES
      }
      const byte = bytes[at]
      if (byte === QUOTE) {
        const length = at - start - 1
        if (length <= MAX_SHORT_TEXT) {
          const bit = bitOf(length, bytes[start + 1] ?? 0, bytes[at - 1] ?? 0)
          this.shortTexts[bit >> 5] = (this.shortTexts[bit >> 5] ?? 0) | (1 << (bit & 31))
        }
        return at + 1
      }
      if (byte === BACKSLASH) {
        // Code has one every 14 bytes: a call for each would be a tenth of the walk.
        if (ESCAPED[bytes[at + 1] ?? 0] === 1) {
          at += 2
          continue
        }
        const end = escapeEnd(bytes, at)
        if (end === BROKEN) return BROKEN
        if (isLetterEscape(bytes, at)) this.escapesLetters = true
        at = end
      } else {
        if (byte === undefined || byte < 0x20) return BROKEN
        at += 1
      }
    }
  }
}

const WORD_BYTES = 4
const ONES = 0x01010101
const HIGH_BITS = 0x80808080 | 0
const BACKSLASHES = 0x5c5c5c5c
/** Makes a quote a space, and leaves control characters below it. */
const QUOTES_TO_SPACES = 0x02020202
const ABOVE_SPACES = 0x21212121

/**
 * Of four bytes, as a little-endian word, the high bits of those that are a quote, a backslash or a control character; zero if none
 * is. The lowest bit is exact, those above it may be set wrongly.
 * @see https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord
 */
function findSpecial(word: number): number {
  const quotes = word ^ QUOTES_TO_SPACES
  const slashes = word ^ BACKSLASHES
  return (((quotes - ABOVE_SPACES) & ~quotes) | ((slashes - ONES) & ~slashes)) & HIGH_BITS
}

/** Which of the four bytes has the lowest of these bits. */
function lowestByte(bits: number): number {
  return (31 - Math.clz32(bits & -bits)) >> 3
}

const ZERO = 0x30
const FOUR = 0x34
const LETTERS = /[A-Za-z_]/

/** Whether the escape `\u....` is a letter or an underscore. */
function isLetterEscape(bytes: Buffer, backslash: number): boolean {
  // All of them are from \u0041 to \u007a; most escapes end here.
  if (bytes[backslash + 2] !== ZERO || bytes[backslash + 3] !== ZERO || (bytes[backslash + 4] ?? 0) < FOUR) return false
  return LETTERS.test(String.fromCharCode(Number.parseInt(bytes.toString('latin1', backslash + 2, backslash + 6), 16)))
}

/** A shorter number without an exponent is no larger than a double can be. */
const MAX_PLAIN_DIGITS = 300

/** Index after the number or word that begins at `at`; BROKEN for a number that would become Infinity. */
function finiteEnd(bytes: Buffer, at: number): number {
  const end = scalarEnd(bytes, at)
  // A word, or nothing.
  if ((bytes[at] ?? 0) > NINE || end === BROKEN) return end
  let isPlain = end - at < MAX_PLAIN_DIGITS
  for (let i = at; isPlain && i < end; i++) isPlain = ((bytes[i] ?? 0) | CASE_BIT) !== LOWER_E
  return isPlain || Number.isFinite(Number(bytes.toString('latin1', at, end))) ? end : BROKEN
}
