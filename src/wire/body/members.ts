// The top-level members of a JSON body as byte spans, and edits of a few of them that leave every other byte as it was:
// this lets a request pass to its own protocol without being re-encoded. One pass, no recursion.
import { GatewayError } from '../../errors.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { asBuffer, CLIENT_LIMITS, MAX_MEMBERS, parseJsonBody } from '../json.js'
import { isSpace, objectEnd, skipSpace, stringEnd } from '../json-scan.js'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b

/** A top-level member's place in the body: `keyStart` is its key's opening quote, the value is `[valueStart, valueEnd)`. */
export type Member = {
  /** Unescaped. */
  readonly key: string
  readonly keyStart: number
  readonly valueStart: number
  readonly valueEnd: number
}

/** Longest name of a member, in bytes: twenty times the longest that any API has. */
export const MAX_KEY_BYTES = 1024

/**
 * Spans of the top-level members in order, duplicates kept. Null for what is not one object, or has more members or longer
 * names than these limits. Of bytes that nobody has validated only the outermost structure is sure: values are well bounded
 * by quotes and brackets, and may be anything inside. `containers`: where arrays and objects end, if parseJsonBody has found it.
 */
export function scanMembers(body: Uint8Array, containers: readonly number[] | null = null): Member[] | null {
  const bytes = asBuffer(body)
  const findEnd = containers === null ? objectEnd : knownEnds(containers)
  const members: Member[] = []
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== OPEN_BRACE) return null
  at = skipSpace(bytes, at + 1)
  if (bytes[at] === CLOSE_BRACE) return skipSpace(bytes, at + 1) === bytes.length ? members : null
  while (members.length < MAX_MEMBERS) {
    const member = readMember(bytes, at, findEnd)
    if (member === null) return null
    members.push(member)
    at = skipSpace(bytes, member.valueEnd)
    if (bytes[at] === CLOSE_BRACE) return skipSpace(bytes, at + 1) === bytes.length ? members : null
    if (bytes[at] !== COMMA) return null
    at = skipSpace(bytes, at + 1)
  }
  return null
}

/** Index after the array or object that opens at `start`. */
type FindEnd = (bytes: Buffer, start: number) => number

/** Asked for in the order of the pairs of start and end. */
function knownEnds(containers: readonly number[]): FindEnd {
  let at = 1
  return () => {
    const end = containers[at] ?? 0
    at += 2
    return end
  }
}

function readMember(bytes: Buffer, keyStart: number, findEnd: FindEnd): Member | null {
  if (bytes[keyStart] !== QUOTE) return null
  const keyEnd = stringEnd(bytes, keyStart)
  const colon = skipSpace(bytes, keyEnd + 1)
  if (bytes[colon] !== COLON || keyEnd - keyStart > MAX_KEY_BYTES) return null
  const key = readKey(bytes, keyStart, keyEnd)
  const valueStart = skipSpace(bytes, colon + 1)
  const valueEnd = findValueEnd(bytes, valueStart, findEnd)
  return key === null || valueEnd === valueStart ? null : { key, keyStart, valueStart, valueEnd }
}

/** The name between these quotes, unescaped. Null for an escape that is none. */
export function readKey(bytes: Buffer, quote: number, end: number): string | null {
  const key = bytes.toString('utf8', quote + 1, end)
  if (!key.includes('\\')) return key
  try {
    return String(JSON.parse(`"${key}"`))
  } catch {
    return null
  }
}

function findValueEnd(bytes: Buffer, start: number, findEnd: FindEnd): number {
  const first = bytes[start]
  if (first === QUOTE) return stringEnd(bytes, start) + 1
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return findEnd(bytes, start)
  let at = start
  while (at < bytes.length && !isSpace(bytes[at]) && bytes[at] !== COMMA && bytes[at] !== CLOSE_BRACE) at += 1
  return at
}

/** The first key that stands twice, null if none does: two parsers might see two different requests in such a body. */
export function findDuplicate(members: readonly Member[]): string | null {
  const seen = new Set<string>()
  for (const { key } of members) {
    if (seen.has(key)) return key
    seen.add(key)
  }
  return null
}

/** A client's body, read strictly, with the places of its members. */
export type ParsedBody = { readonly json: JsonObject; readonly members: readonly Member[] }

/**
 * Reads a client's request body: parseJsonBody, and no top-level key twice or named `__proto__`, nor too many of them.
 * @throws invalid_request; `param` is the key
 */
export function parseRequestBody(body: Uint8Array): ParsedBody {
  const containers: number[] = []
  const json = parseJsonBody(body, CLIENT_LIMITS, containers)
  const members = scanMembers(body, containers)
  if (members === null) {
    const message = `The body has a field with a name of more than ${MAX_KEY_BYTES} bytes.`
    throw new GatewayError('invalid_request', { message })
  }
  if (Object.hasOwn(json, '__proto__')) {
    throw new GatewayError('invalid_request', { message: 'The field `__proto__` is not allowed.', param: '__proto__' })
  }
  const duplicate = members.length === Object.keys(json).length ? null : findDuplicate(members)
  if (duplicate !== null) {
    throw new GatewayError('invalid_request', { message: 'Duplicate field in the request body.', param: duplicate })
  }
  return { json, members }
}

type Edits = ReadonlyMap<string, JsonValue | undefined>

/**
 * Sets or removes (`undefined`) top-level members: every duplicate of a key is set or removed, new keys come right after the
 * brace, every other byte stays. Returns `body` itself if nothing changes, else new bytes, which may lie in Node's pool.
 */
export function spliceMembers(
  body: Uint8Array<ArrayBuffer>,
  members: readonly Member[],
  edits: Edits,
): Uint8Array<ArrayBuffer> {
  const splice = createSplice(body, members, edits)
  return splice.isEmpty ? body : splice.join()
}

/**
 * The same as pieces of `body` and the texts between them: a large body is not copied, but must not change as long as they are used.
 * Null if nothing changes.
 */
export function splicePieces(body: Uint8Array, members: readonly Member[], edits: Edits): Uint8Array[] | null {
  const splice = createSplice(body, members, edits)
  return splice.isEmpty ? null : splice.pieces()
}

function createSplice(body: Uint8Array, members: readonly Member[], edits: Edits): Splice {
  const bytes = asBuffer(body)
  const splice = new Splice(bytes)
  if (edits.size === 0) return splice
  let lastKept = members.length - 1
  while (lastKept >= 0 && isRemoved(members[lastKept], edits)) lastKept -= 1
  const added = addedMembers(members, edits, lastKept >= 0)
  if (added !== '') splice.replace(bytes.indexOf(OPEN_BRACE) + 1, 0, added)
  for (let i = 0; i <= lastKept; i++) {
    const member = members[i]
    if (member === undefined || !edits.has(member.key)) continue
    const value = edits.get(member.key)
    if (value === undefined) splice.replace(member.keyStart, members[i + 1]?.keyStart ?? member.valueEnd, '')
    else splice.replace(member.valueStart, member.valueEnd, JSON.stringify(value))
  }
  const last = members[members.length - 1]
  if (lastKept < members.length - 1 && last !== undefined) {
    // All behind the last kept one are removed, and with them the comma before.
    splice.replace(members[lastKept]?.valueEnd ?? members[0]?.keyStart ?? 0, last.valueEnd, '')
  }
  return splice
}

function isRemoved(member: Member | undefined, edits: Edits): boolean {
  return member !== undefined && edits.has(member.key) && edits.get(member.key) === undefined
}

/** New members as text, with the comma that separates them from what follows. */
function addedMembers(members: readonly Member[], edits: Edits, isFollowed: boolean): string {
  let text = ''
  for (const [key, value] of edits) {
    if (value === undefined || members.some((member) => member.key === key)) continue
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(value)}`
  }
  return text !== '' && isFollowed ? `${text},` : text
}

/** Copying fewer bytes takes less than one more write. */
const MIN_PIECE_BYTES = 16 * 1024

/** Bytes that are kept and texts that come between them, put together at the end: no view is made of any piece. */
class Splice {
  readonly #source: Buffer
  /** For each text where it goes: what is kept before it ends at `cuts[2i]`, what comes after it begins at `cuts[2i + 1]`. */
  readonly #cuts: number[] = []
  readonly #texts: string[] = []

  constructor(source: Buffer) {
    this.#source = source
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0
  }

  /** From left to right. An `end` before `start` removes nothing. */
  replace(start: number, end: number, text: string): void {
    this.#cuts.push(start, Math.max(start, end))
    this.#texts.push(text)
  }

  join(): Uint8Array<ArrayBuffer> {
    const source = this.#source
    let length = source.length
    for (const text of this.#texts) length += Buffer.byteLength(text)
    for (let i = 0; i < this.#cuts.length; i += 2) length -= (this.#cuts[i + 1] ?? 0) - (this.#cuts[i] ?? 0)
    // Small ones come out of Node's pool, which spares an allocation of their own.
    const joined = Buffer.allocUnsafe(length)
    let from = 0
    let at = 0
    for (const [i, text] of this.#texts.entries()) {
      at += source.copy(joined, at, from, this.#cuts[2 * i])
      at += joined.write(text, at)
      from = this.#cuts[2 * i + 1] ?? 0
    }
    source.copy(joined, at, from)
    return joined
  }

  /** Short pieces are joined with what stands beside them: each piece is a write of its own to the upstream. */
  pieces(): Uint8Array[] {
    const pieces: Uint8Array[] = []
    let short: Uint8Array[] = []
    const add = (piece: Uint8Array): void => {
      if (piece.length === 0) return
      if (piece.length < MIN_PIECE_BYTES) {
        short.push(piece)
        return
      }
      if (short.length > 0) pieces.push(Buffer.concat(short))
      short = []
      pieces.push(piece)
    }
    let from = 0
    for (const [i, text] of this.#texts.entries()) {
      add(this.#source.subarray(from, this.#cuts[2 * i]))
      add(Buffer.from(text))
      from = this.#cuts[2 * i + 1] ?? 0
    }
    add(this.#source.subarray(from))
    if (short.length > 0) pieces.push(Buffer.concat(short))
    return pieces
  }
}
