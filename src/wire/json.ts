// Strict reading of a JSON body: UTF-8, depth, range, one object. Never echoes a body in an error.
// The result is read and spread, never filled by assigning foreign keys: JSON.parse makes `__proto__` a plain own property and
// spread keeps it one, so no prototype is changed; members.ts rejects it at the top level.
import { isAscii, isUtf8 } from 'node:buffer'
import { GatewayError } from '../errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import { skipSpace, stringEnd } from './json-scan.js'

export type JsonLimits = {
  /** Most nested arrays and objects. */
  readonly maxDepth: number
  /** Most members of the object itself; counted before anything is built, as a million of them take a gigabyte. */
  readonly maxMembers: number
  /** Whose fault a bad body is. */
  readonly blame: 'invalid_request' | 'upstream_malformed'
}

/** 128: tool schemas nest a few dozen deep; recursion over 128 levels is safe anywhere. */
export const MAX_DEPTH = 128
/** Of a client's body: the APIs know some forty. Each is looked at on the event loop, where a million of them took a second. */
export const MAX_MEMBERS = 1000
/** For a client's body. */
export const CLIENT_LIMITS: JsonLimits = Object.freeze({
  maxDepth: MAX_DEPTH,
  maxMembers: MAX_MEMBERS,
  blame: 'invalid_request',
})
/** For an upstream's body. */
export const UPSTREAM_LIMITS: JsonLimits = Object.freeze({
  maxDepth: MAX_DEPTH,
  maxMembers: Number.POSITIVE_INFINITY,
  blame: 'upstream_malformed',
})

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const LOWER_E = 0x65
const UPPER_E = 0x45

/**
 * Reads a body that must be one JSON object in UTF-8 without BOM (RFC 8259). Numbers are doubles, as in section 6: digits
 * beyond that survive where bytes pass, not where a body is transcoded; numbers that would become Infinity are refused.
 * Lone surrogate escapes pass. `containers` receives the first byte and the end of each array and object that is the value of a
 * top-level member, in order.
 * @throws invalid_request (or `limits.blame`), with the character position where the parser tells it
 */
export function parseJsonBody(
  body: Uint8Array,
  limits = CLIENT_LIMITS,
  containers: number[] | null = null,
): JsonObject {
  const bytes = asBuffer(body)
  const text = decodeText(bytes, limits)
  const mayOverflow = checkNesting(bytes, limits, containers)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw bad(limits, `is not valid JSON${positionOf(cause)}.`)
  }
  if (!isJsonObject(value)) throw bad(limits, 'must be a JSON object.')
  if (mayOverflow && hasInfinity(value)) throw bad(limits, 'contains a number that is out of range.')
  return value
}

/** Reads a body that scanBody has proved to be one JSON object within all limits. */
export function parseSoundBody(body: Uint8Array): JsonObject {
  return JSON.parse(decodeText(asBuffer(body), CLIENT_LIMITS)) as JsonObject
}

/** The same bytes as a Buffer, for its native searches. */
export function asBuffer(body: Uint8Array): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

function bad(limits: JsonLimits, complaint: string): GatewayError {
  const subject = limits.blame === 'invalid_request' ? 'The body' : "The provider's answer"
  return new GatewayError(limits.blame, { message: `${subject} ${complaint}` })
}

function decodeText(bytes: Buffer, limits: JsonLimits): string {
  if (bytes.length === 0) throw bad(limits, 'is empty; a JSON object is expected.')
  // ASCII, the common case, becomes a one-byte string without decoding.
  if (isAscii(bytes)) return bytes.toString('latin1')
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw bad(limits, 'begins with a byte order mark; send plain UTF-8.')
  }
  if (!isUtf8(bytes)) throw bad(limits, 'is not valid UTF-8.')
  return bytes.toString('utf8')
}

/** V8 quotes the text in some messages, so nothing but the number is taken from them. */
function positionOf(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  const found = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)
  return found === null ? '' : ` (at character ${found[1]})`
}

/** Of a container that is the value of a top-level member. */
const MEMBER_DEPTH = 2
/** A longer gap between two structural bytes may hide a number of more than 308 digits. */
const MAX_PLAIN_GAP = 300

/**
 * Counts the depth over the bytes, without recursion and before anything is built, strings skipped natively.
 * Returns true if a number may be too large for a double, which only a walk over the parsed value can tell.
 */
function checkNesting(bytes: Buffer, limits: JsonLimits, containers: number[] | null): boolean {
  let depth = 0
  let mayOverflow = false
  let last = 0
  let membersLeft = bytes[skipSpace(bytes, 0)] === OPEN_BRACE ? limits.maxMembers : Number.POSITIVE_INFINITY
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === QUOTE) {
      i = stringEnd(bytes, i)
      last = i
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1
      if (depth === MEMBER_DEPTH) containers?.push(i)
      if (depth > limits.maxDepth) throw bad(limits, `is nested deeper than ${limits.maxDepth} levels (at byte ${i}).`)
    } else if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (byte !== COMMA) {
        if (depth === MEMBER_DEPTH) containers?.push(i + 1)
        depth -= 1
      } else if (depth === 1) {
        membersLeft -= 1
        if (membersLeft === 0) throw bad(limits, `has more than ${limits.maxMembers} fields.`)
      }
      if (i - last > MAX_PLAIN_GAP) mayOverflow = true
      last = i
    } else if ((byte === LOWER_E || byte === UPPER_E) && isDigit(bytes[i - 1])) {
      mayOverflow = true
    }
  }
  return mayOverflow
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function hasInfinity(root: JsonObject): boolean {
  const open: JsonValue[] = [root]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value === 'number' && !Number.isFinite(value)) return true
    if (typeof value === 'object' && value !== null) {
      for (const child of Array.isArray(value) ? value : Object.values(value)) open.push(child)
    }
  }
  return false
}

const ENCODER = new TextEncoder()

/** Text as UTF-8 in a buffer of its own and of exact size, fit to be transferred. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text)
}
