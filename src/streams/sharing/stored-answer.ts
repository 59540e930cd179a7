// A cached answer as one value of bytes, for a store outside the process. What was cut, altered or written by others is no answer.
//
//   value = "SLA1" checksum (CRC-32 of all that follows) length (of the head; both uint32, big-endian) head (JSON) body
import { crc32 } from 'node:zlib'
import { type CachedAnswer } from './exact-cache.js'

export type StoredAnswer = {
  readonly answer: CachedAnswer
  /** For how long it was stored. */
  readonly ttlMs: number
}

type Head = Omit<CachedAnswer, 'body'> & Pick<StoredAnswer, 'ttlMs'>

/** Another layout gets another mark, so that nodes of both versions do without each other's answers. */
const MARK = Buffer.from('SLA1')
const CHECKSUM_AT = 4
const LENGTH_AT = 8
const HEAD_AT = 12

/** The value, with bytes of its own. */
export function encodeAnswer({ answer, ttlMs }: StoredAnswer): Buffer {
  const { body, kind, contentType, requestId, headers } = answer
  const head = Buffer.from(JSON.stringify({ kind, contentType, requestId, headers, ttlMs } satisfies Head))
  const value = Buffer.allocUnsafe(HEAD_AT + head.length + body.length)
  value.set(MARK)
  value.writeUInt32BE(head.length, LENGTH_AT)
  value.set(head, HEAD_AT)
  value.set(body, HEAD_AT + head.length)
  value.writeUInt32BE(crc32(value.subarray(LENGTH_AT)), CHECKSUM_AT)
  return value
}

/** The answer of a value; null if it is none. Its body is a view of the value. */
export function decodeAnswer(value: Buffer): StoredAnswer | null {
  if (value.length < HEAD_AT || !value.subarray(0, CHECKSUM_AT).equals(MARK)) return null
  if (value.readUInt32BE(CHECKSUM_AT) !== crc32(value.subarray(LENGTH_AT))) return null
  const bodyAt = HEAD_AT + value.readUInt32BE(LENGTH_AT)
  const head = parseHead(value.toString('utf8', HEAD_AT, bodyAt))
  if (head === null) return null
  const { ttlMs, ...facts } = head
  return { answer: { ...facts, body: value.subarray(bodyAt) }, ttlMs }
}

function parseHead(text: string): Head | null {
  try {
    const head: unknown = JSON.parse(text)
    return isHead(head) ? head : null
  } catch {
    return null
  }
}

function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false
  const { kind, contentType, requestId, headers, ttlMs } = value as Readonly<Record<string, unknown>>
  const isKind = kind === 'stream' || kind === 'whole'
  return isKind && isText(contentType) && isText(requestId) && isHeaderList(headers) && Number.isFinite(ttlMs)
}

function isHeaderList(value: unknown): boolean {
  return Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText))
}

/** What a header may bear. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
}
