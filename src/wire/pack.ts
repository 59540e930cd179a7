// MessagePack, by msgpackr; its only importer. `pack`/`unpack` are for our own envelopes between threads; `unpackUntrusted` is for
// clients' data: the bytes are checked first, in one pass without recursion, so that msgpackr never sees an extension, a record, a
// Map or a false length.
import { isUtf8 } from 'node:buffer'
import { Packr, Unpackr } from 'msgpackr'
import { GatewayError } from '../errors.js'
import { type JsonValue } from '../model/json.js'
import { MAX_DEPTH } from './json.js'

// Records and bundled strings are off: plain MessagePack, which any version of either side reads. Stateless between calls.
const packr = new Packr({ useRecords: false, moreTypes: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

/** Packs plain JSON-like values. The result has an ArrayBuffer of its own and of exact size: msgpackr's is a view of a shared arena. */
export function pack(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(packr.pack(value))
}

/** Reads what `pack` wrote. Never for bytes from outside the process. A key `__proto__` comes out as `__proto_`. */
export function unpack(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes)
}

/** Most values in a client's message: each costs a quarter of a microsecond of the event loop (Node 20.20, 2 cores). */
const MAX_VALUES = 100_000

/**
 * Reads one MessagePack value from a client: nil, booleans, finite numbers, UTF-8 strings, arrays, maps with string keys.
 * @throws invalid_request for anything else (bin, ext, int64 beyond 2^53, NaN, `__proto__`), too much depth, trailing or missing bytes, too many values
 * @throws payload_too_large over `maxBytes`
 */
export function unpackUntrusted(bytes: Uint8Array, maxBytes: number): JsonValue {
  if (bytes.byteLength > maxBytes) {
    throw new GatewayError('payload_too_large', { message: `The message is larger than ${maxBytes} bytes.` })
  }
  checkPlain(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  return unpackr.unpack(bytes) as JsonValue
}

function bad(complaint: string, at: number): GatewayError {
  return new GatewayError('invalid_request', { message: `The MessagePack message ${complaint} (at byte ${at}).` })
}

/** What a head byte announces: `skip` bytes of fixed payload, a string of `text` bytes, or `values` nested values. */
type Head = { at: number; skip: number; text: number; values: number; isMap: boolean }

function checkPlain(bytes: Buffer): void {
  const head: Head = { at: 0, skip: 0, text: -1, values: -1, isMap: false }
  // What is still to come on each open level; a map counts keys and values, so an even rest means that a key is next.
  const open: { left: number; readonly isMap: boolean }[] = [{ left: 1, isMap: false }]
  let at = 0
  let values = 0
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    if (level.left === 0) {
      open.pop()
      continue
    }
    const isKey = level.isMap && level.left % 2 === 0
    level.left -= 1
    values += 1
    if (values > MAX_VALUES) throw bad(`contains more than ${MAX_VALUES} values`, at)
    readHead(bytes, at, head)
    if (isKey && head.text < 0) throw bad('has a map key that is not a string', at)
    at = head.at + head.skip + Math.max(head.text, 0)
    if (at > bytes.length) throw bad('is truncated', bytes.length)
    if (head.text >= 0) checkText(bytes.subarray(at - head.text, at), isKey, at - head.text)
    if (head.values >= 0) {
      if (open.length > MAX_DEPTH) throw bad(`is nested deeper than ${MAX_DEPTH} levels`, at)
      open.push({ left: head.values, isMap: head.isMap })
    }
  }
  if (at !== bytes.length) throw bad('has bytes after its end', at)
}

function checkText(text: Buffer, isKey: boolean, at: number): void {
  if (!isUtf8(text)) throw bad('has a string that is not valid UTF-8', at)
  if (isKey && text.length === 9 && text.toString('latin1') === '__proto__') throw bad('has the key `__proto__`', at)
}

// The formats by their first byte; a list, so that it can be held against the specification line by line.
const NIL = 0xc0
const FALSE = 0xc2
const TRUE = 0xc3
const FLOAT_32 = 0xca
const FLOAT_64 = 0xcb
const UINT_8 = 0xcc
const UINT_64 = 0xcf
const INT_8 = 0xd0
const INT_64 = 0xd3
const STR_8 = 0xd9
const STR_32 = 0xdb
const ARRAY_16 = 0xdc
const MAP_32 = 0xdf

/** @see https://github.com/msgpack/msgpack/blob/master/spec.md#formats */
function readHead(bytes: Buffer, at: number, head: Head): void {
  const type = bytes[at]
  if (type === undefined) throw bad('is truncated', at)
  head.at = at + 1
  head.skip = 0
  head.text = -1
  head.values = -1
  if (type < 0x80 || type >= 0xe0 || type === NIL || type === FALSE || type === TRUE) return
  if (type < 0xa0) {
    head.isMap = type < 0x90
    head.values = head.isMap ? (type & 0x0f) * 2 : type & 0x0f
  } else if (type < 0xc0) {
    head.text = type & 0x1f
  } else if (type === FLOAT_32 || type === FLOAT_64) {
    readFloat(bytes, type, head)
  } else if (type >= UINT_8 && type <= INT_64) {
    head.skip = 1 << (type >= INT_8 ? type - INT_8 : type - UINT_8)
    if (type === UINT_64 || type === INT_64) checkInt64(bytes, type, head.at)
  } else if (type >= STR_8 && type <= STR_32) {
    head.text = readLength(bytes, head, 1 << (type - STR_8))
  } else if (type >= ARRAY_16 && type <= MAP_32) {
    const count = readLength(bytes, head, type % 2 === 0 ? 2 : 4)
    head.isMap = type >= 0xde
    head.values = head.isMap ? count * 2 : count
  } else {
    throw bad('contains bytes or an extension, which JSON cannot represent', at)
  }
}

function need(bytes: Buffer, at: number, count: number): void {
  if (at + count > bytes.length) throw bad('is truncated', bytes.length)
}

function readLength(bytes: Buffer, head: Head, width: number): number {
  need(bytes, head.at, width)
  const length = bytes.readUIntBE(head.at, width)
  head.at += width
  return length
}

function readFloat(bytes: Buffer, type: number, head: Head): void {
  head.skip = type === FLOAT_32 ? 4 : 8
  need(bytes, head.at, head.skip)
  const value = type === FLOAT_32 ? bytes.readFloatBE(head.at) : bytes.readDoubleBE(head.at)
  if (!Number.isFinite(value)) throw bad('contains a number that is not finite', head.at)
}

function checkInt64(bytes: Buffer, type: number, at: number): void {
  need(bytes, at, 8)
  const value = type === UINT_64 ? bytes.readBigUInt64BE(at) : bytes.readBigInt64BE(at)
  if (!Number.isSafeInteger(Number(value))) throw bad('contains an integer beyond 2^53', at)
}
