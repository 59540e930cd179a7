// Finding members in the bytes of a JSON text without parsing it. A quote inside a JSON string is always escaped, so
// the bytes `"key"` followed by a colon are a member's name and never a string's content.
//
//   ..."usage" : {"prompt_tokens": ...}        valueAt gives the index of `{`, objectEnd that after its `}`

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d
const SPACE = 0x20

/**
 * Index of the first byte of the value of the next member called `key` (given with its quotes), from `from`; -1
 * if none.
 */
export function valueAt(data: Buffer, key: Buffer, from: number): number {
  for (let at = data.indexOf(key, from); at >= 0; at = data.indexOf(key, at + 1)) {
    const colon = skipSpace(data, at + key.length)
    if (data[colon] === COLON) return skipSpace(data, colon + 1)
  }
  return -1
}

/** Index of the next byte that is not JSON white space. */
export function skipSpace(data: Buffer, from: number): number {
  let at = from
  while (at < data.length && (data[at] ?? 0) <= SPACE) at += 1
  return at
}

/** Index of the closing quote of the string that opens at `from`; the end of the data if it does not close. */
export function stringEnd(data: Buffer, from: number): number {
  // Byte by byte: most strings of a chunk are short, and a call of indexOf costs as much as a hundred bytes here.
  for (let at = from + 1; at < data.length; at++) {
    const byte = data[at]
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at += 1
  }
  return data.length
}

/** Index after the object that opens at `from`; the end of the data if it does not close. */
export function objectEnd(data: Buffer, from: number): number {
  let depth = 0
  for (let at = from; at < data.length; at++) {
    const byte = data[at]
    if (byte === QUOTE) at = stringEnd(data, at)
    else if (byte === BRACE_OPEN) depth += 1
    else if (byte === BRACE_CLOSE) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return data.length
}
