// The one scanner of JSON text: locates values in the bytes, and proves that bytes are exactly one JSON object, without building
// anything. A quote inside a JSON string is always escaped, so the bytes `"key"` followed by a colon are a member's
// name and never a string's content.
//
//   ..."usage" : {"prompt_tokens": ...}        valueAt gives the index of `{`, objectEnd that after its `}`
//
// Grammar: RFC 8259. isOneObject accepts exactly the texts that JSON.parse turns into an object (test/wire/json-scan.test.ts).

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const MINUS = 0x2d
const PLUS = 0x2b
const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const LOWER_E = 0x65
/** In ASCII this bit is all that parts an upper-case letter from its lower-case one, and `[` from `{`. */
const CASE_BIT = 0x20
/** The end of a text that breaks the grammar. */
const BROKEN = -1

/**
 * Index of the first byte of the value of the next member called `key` (given with its quotes), from `from`; -1
 * if none.
 */
export function valueAt(data: Buffer, key: Buffer, from: number): number {
  for (let at = data.indexOf(key, from); at >= 0; at = data.indexOf(key, at + 1)) {
    const value = valueBehind(data, at + key.length)
    if (value >= 0) return value
  }
  return -1
}

/** Index of the first byte of the value whose member's name ends before `nameEnd`; -1 if it is no name. */
export function valueBehind(data: Buffer, nameEnd: number): number {
  const colon = skipSpace(data, nameEnd)
  return data[colon] === COLON ? skipSpace(data, colon + 1) : -1
}

/** Index of the next byte that is not JSON white space. */
export function skipSpace(data: Buffer, from: number): number {
  let at = from
  for (;;) {
    const byte = data[at]
    // Mostly none is there: one comparison then.
    if (byte === undefined || byte > 0x20 || !isSpace(byte)) return at
    at += 1
  }
}

/** JSON white space, RFC 8259 section 2. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Keys, short words and what stands between escaped quotes are found faster by hand than by a native search. */
const NEAR_BYTES = 100

/** Index of the closing quote of the string that opens at `from`; the end of the data if it does not close. */
export function stringEnd(data: Buffer, from: number): number {
  let at = from + 1
  while (at < data.length) {
    const near = Math.min(data.length, at + NEAR_BYTES)
    while (at < near) {
      const byte = data[at]
      if (byte === QUOTE) return at
      at += byte === BACKSLASH ? 2 : 1
    }
    // Far away, only quotes are looked at; one is escaped if an odd run of backslashes stands before it.
    const end = data.indexOf(QUOTE, at)
    if (end < 0) break
    let before = end - 1
    while (before >= at && data[before] === BACKSLASH) before -= 1
    if ((end - before) % 2 === 1) return end
    at = end + 1
  }
  return data.length
}

/** Index after the object or array that opens at `from`, whatever is inside; the end of the data if it does not close. */
export function objectEnd(data: Buffer, from: number): number {
  let depth = 0
  for (let at = from; at < data.length; at++) {
    const byte = data[at] ?? 0
    if (byte === QUOTE) {
      at = stringEnd(data, at)
    } else if ((byte | CASE_BIT) === OPEN_BRACE) {
      depth += 1
    } else if ((byte | CASE_BIT) === CLOSE_BRACE) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return data.length
}

/** True for bytes that are exactly one JSON object, white space around it allowed. Bytes of strings may be any above 0x7f. */
export function isOneObject(data: Buffer): boolean {
  const start = skipSpace(data, 0)
  if (data[start] !== OPEN_BRACE) return false
  const end = soundObjectEnd(data, start)
  return end !== BROKEN && (end === data.length || skipSpace(data, end) === data.length)
}

/** True if `[from, to)` could stand between the quotes of a JSON string: no bare quote or control character, no odd escape. */
export function isStringBody(data: Buffer, from: number, to: number): boolean {
  let at = from
  while (at < to) {
    const byte = data[at] ?? 0
    if (byte === QUOTE || byte < 0x20) return false
    at = byte === BACKSLASH ? escapeEnd(data, at) : at + 1
    if (at === BROKEN) return false
  }
  return at === to
}

/** Most levels that a number's bits tell objects from arrays in; deeper ones go to an array of such numbers. */
const WORD_LEVELS = 30

/**
 * Index after the object that opens at `start`, BROKEN if it is not sound. No recursion: one bit a level tells what is open,
 * so that a text of a million brackets costs no more than its bytes.
 */
function soundObjectEnd(data: Buffer, start: number): number {
  let at = start
  let depth = 0
  /** The lowest bit is the innermost level: 1 for an object. */
  let levels = 0
  let outer: number[] | null = null
  for (;;) {
    // A value begins here.
    const byte = data[at]
    if (byte === QUOTE) {
      at = soundStringEnd(data, at)
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth > 0 && depth % WORD_LEVELS === 0) {
        outer ??= []
        outer.push(levels)
        levels = 0
      }
      depth += 1
      levels = (levels << 1) | (byte === OPEN_BRACE ? 1 : 0)
      at = skipSpace(data, at + 1)
      if (data[at] !== (byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)) {
        if (byte === OPEN_BRACE) {
          at = soundNameEnd(data, at)
          if (at === BROKEN) return BROKEN
        }
        continue
      }
    } else {
      at = scalarEnd(data, at)
    }
    if (at === BROKEN) return BROKEN
    // It has ended, or `at` is at the bracket of an empty one: what closes here, and is there another?
    for (;;) {
      at = skipSpace(data, at)
      const next = data[at]
      if (next === COMMA) {
        at = skipSpace(data, at + 1)
        if ((levels & 1) === 1) {
          at = soundNameEnd(data, at)
          if (at === BROKEN) return BROKEN
        }
        break
      }
      if (next !== ((levels & 1) === 1 ? CLOSE_BRACE : CLOSE_BRACKET)) return BROKEN
      at += 1
      depth -= 1
      if (depth === 0) return at
      levels = depth % WORD_LEVELS === 0 && outer !== null ? (outer.pop() ?? 0) : levels >> 1
    }
  }
}

/** Index of the value behind the member's name that must begin at `at`. */
function soundNameEnd(data: Buffer, at: number): number {
  if (data[at] !== QUOTE) return BROKEN
  const end = soundStringEnd(data, at)
  if (end === BROKEN) return BROKEN
  const colon = skipSpace(data, end)
  return data[colon] === COLON ? skipSpace(data, colon + 1) : BROKEN
}

/** Index after the string that opens at `from`; negative if it breaks the grammar or does not close. */
export function soundStringEnd(data: Buffer, from: number): number {
  let at = from + 1
  for (;;) {
    const byte = data[at]
    // Past the end it is undefined, which is no number above anything.
    if (byte !== undefined && byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) at += 1
    else if (byte === QUOTE) return at + 1
    else if (byte !== BACKSLASH) return BROKEN
    else {
      at = escapeEnd(data, at)
      if (at === BROKEN) return BROKEN
    }
  }
}

/** 1 for each letter that may follow a backslash alone. */
export const ESCAPED = new Uint8Array(256)
for (const letter of '"\\/bfnrt') ESCAPED[letter.charCodeAt(0)] = 1
const LETTER_U = 0x75
const UNICODE_DIGITS = 4

/** Index after the escape that begins at `backslash`; negative if it is none. */
export function escapeEnd(data: Buffer, backslash: number): number {
  const letter = data[backslash + 1] ?? 0
  if (letter !== LETTER_U) return ESCAPED[letter] === 1 ? backslash + 2 : BROKEN
  const end = backslash + 2 + UNICODE_DIGITS
  for (let at = backslash + 2; at < end; at++) if (!isHexDigit(data[at] ?? 0)) return BROKEN
  return end
}

function isHexDigit(byte: number): boolean {
  const letter = byte | CASE_BIT
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66)
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE
}

const WORDS = ['null', 'true', 'false'].map((word) => Buffer.from(word))

/** Index after the number or word that begins at `at`; negative if none does. */
export function scalarEnd(data: Buffer, at: number): number {
  if (data[at] === MINUS || isDigit(data[at])) return numberEnd(data, at)
  for (const word of WORDS) if (startsWith(data, at, word)) return at + word.length
  return BROKEN
}

function startsWith(data: Buffer, at: number, word: Buffer): boolean {
  for (let i = 0; i < word.length; i++) if (data[at + i] !== word[i]) return false
  return true
}

function numberEnd(data: Buffer, start: number): number {
  let at = data[start] === MINUS ? start + 1 : start
  if (!isDigit(data[at])) return BROKEN
  at = data[at] === ZERO ? at + 1 : digitsEnd(data, at)
  if (data[at] === DOT) {
    if (!isDigit(data[at + 1])) return BROKEN
    at = digitsEnd(data, at + 1)
  }
  if (((data[at] ?? 0) | CASE_BIT) !== LOWER_E) return at
  at += data[at + 1] === MINUS || data[at + 1] === PLUS ? 2 : 1
  return isDigit(data[at]) ? digitsEnd(data, at) : BROKEN
}

function digitsEnd(data: Buffer, from: number): number {
  let at = from
  while (isDigit(data[at])) at += 1
  return at
}
