// The many delta events of a stream are flat objects: one pass over the bytes proves that a frame is one object, and finds the few members
// that an observer needs, in any order. Everything else is left to a parser.
//
//   {"type":"response.output_text.delta","sequence_number":7,"item_id":"...","output_index":0,"delta":"...","logprobs":[]}
import { isSpace, skipSpace, soundStringEnd } from '../../../wire/json-scan.js'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const ZERO = 0x30
const BACKSLASH = 0x5c
const BROKEN = -1

const TYPE = Buffer.from('type')
const DELTA = Buffer.from('delta')
const SEQUENCE = Buffer.from('sequence_number')
const DELTA_END = Buffer.from('.delta')
/** A number of more digits is no number of an event. */
const MAX_DIGITS = 15

/** One per stream: its findings are those of the last frame. */
export class FlatFrame {
  /** Bytes of the member `delta`, escapes included; 0 if there is none. */
  deltaBytes = 0
  /** -1 if there is none. */
  sequence = BROKEN

  /** True for one flat object whose type ends with `.delta`. A type that stands twice, or is escaped, is not recognized. */
  readDelta(data: Buffer): boolean {
    this.deltaBytes = 0
    this.sequence = BROKEN
    let types = 0
    let deltas = 0
    let isDelta = false
    let at = skipSpace(data, 0)
    if (data[at] !== OPEN_BRACE) return false
    do {
      const name = skipSpace(data, at + 1)
      const nameEnd = data[name] === QUOTE ? soundStringEnd(data, name) : BROKEN
      if (nameEnd === BROKEN) return false
      const colon = skipSpace(data, nameEnd)
      if (data[colon] !== COLON) return false
      const value = skipSpace(data, colon + 1)
      const end = data[value] === QUOTE ? soundStringEnd(data, value) : plainEnd(data, value)
      if (end === BROKEN) return false
      if (isName(data, name, nameEnd, TYPE)) {
        types += 1
        isDelta = endsWith(data, value, end)
      } else if (isName(data, name, nameEnd, DELTA)) {
        deltas += 1
        this.deltaBytes = data[value] === QUOTE ? end - value - 2 : 0
      } else if (isName(data, name, nameEnd, SEQUENCE)) {
        this.sequence = digitsOf(data, value, end)
      }
      at = skipSpace(data, end)
    } while (data[at] === COMMA)
    if (data[at] !== CLOSE_BRACE || skipSpace(data, at + 1) !== data.length) return false
    return isDelta && types === 1 && deltas === 1
  }
}

/** Index after a small whole number or an empty list; BROKEN for any other value. */
function plainEnd(data: Buffer, at: number): number {
  if (data[at] === OPEN_BRACKET) {
    const close = skipSpace(data, at + 1)
    return data[close] === CLOSE_BRACKET ? close + 1 : BROKEN
  }
  let end = at
  while (isDigit(data[end])) end += 1
  if (end === at || (data[at] === ZERO && end > at + 1)) return BROKEN
  const next = data[end]
  return next === COMMA || next === CLOSE_BRACE || isSpace(next) ? end : BROKEN
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39
}

function digitsOf(data: Buffer, from: number, to: number): number {
  if (!isDigit(data[from]) || to - from > MAX_DIGITS) return BROKEN
  let number = 0
  for (let at = from; at < to; at++) number = number * 10 + (data[at] ?? ZERO) - ZERO
  return number
}

/** `[quote, end)` is the name with its quotes. */
function isName(data: Buffer, quote: number, end: number, name: Buffer): boolean {
  if (end - quote !== name.length + 2) return false
  for (let i = 0; i < name.length; i++) if (data[quote + 1 + i] !== name[i]) return false
  return true
}

/** True for a string that ends with `.delta` and has no escape. */
function endsWith(data: Buffer, quote: number, end: number): boolean {
  if (data[quote] !== QUOTE) return false
  const start = end - 1 - DELTA_END.length
  if (start <= quote) return false
  for (let i = 0; i < DELTA_END.length; i++) if (data[start + i] !== DELTA_END[i]) return false
  for (let at = quote + 1; at < start; at++) if (data[at] === BACKSLASH) return false
  return true
}
