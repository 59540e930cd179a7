// Reads a large request only as far as routing and limits need, and edits it for its own protocol without reading the rest: the
// messages of a coding agent are hundreds of KB that the gateway need not understand. Proved sound by one pass (wire/body/body-scan),
// they pass as they are; the provider checks what is inside them. As soon as a target needs them, the codec parses the whole body
// and checks it in full.
//
//   {"model":..., "messages":[...], "tools":[...], "stream":true}
//        read         bulk            bulk            read             -> head, with a stand-in for each bulk member
import { estimateInputTokens, isImageBeginning } from '../../model/estimate.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { readTier } from '../../model/usage.js'
import { type BodyShape, LONG_TEXT_BYTES, mayContainText, scanBody } from '../../wire/body/body-scan.js'
import { containsText } from '../../wire/body/find-text.js'
import { type Member, spliceMembers, splicePieces } from '../../wire/body/members.js'
import { asBuffer } from '../../wire/json.js'
import { skipSpace } from '../../wire/json-scan.js'
import { passEndpoint } from '../endpoints/endpoint-codec.js'
import { editWithin } from '../fit/output-cap.js'
import { endUserOf } from '../fit/user.js'
import { findSelector } from '../model-selectors.js'
import { type Dialect, type RequestFacts, type Surface } from './protocol.js'
import { type DecodedRequest, type EncodedBody, type EncodeTask } from './request-task.js'
import { wireOf } from './wire-of.js'

/** Smaller bodies are parsed and checked in full, which takes 50 us at most (bench/micro/skim). */
export const MIN_SKIMMED_BYTES = 8 * 1024
/** Smaller members are read: an empty list, or a short one, is checked here. */
const MIN_BULK_BYTES = 4 * 1024
/** Smaller bodies are copied when they are edited: pieces would be written one by one. */
export const MIN_VIEWED_BYTES = 32 * 1024
const OPEN_BRACKET = 0x5b
const NO_BODY = new Uint8Array(0)
const CLOSE_BRACKET = 0x5d

/**
 * The request without its bulk; null if all of it has to be read, or if it is not sound, which decodeBody then reports.
 * @throws invalid_request, with `param` where a field is at fault
 */
export function skimBody(surface: Surface, body: Uint8Array<ArrayBuffer>): DecodedRequest | null {
  const { bulkMembers } = surface
  // An answer that repeats its request needs all of it.
  if (bulkMembers === undefined || surface.readEcho !== undefined || body.byteLength < MIN_SKIMMED_BYTES) return null
  const bytes = asBuffer(body)
  const shape = scanBody(bytes)
  if (shape === null || shape.escapesLetters) return null
  const { members } = shape
  const json = readHead(bytes, members, bulkMembers)
  if (json === null) return null
  const facts = factsOf(surface, json)
  const estimatedTokens = estimateTokens(bytes, shape)
  const selector = findSelector(json)
  const head = { json, shortTexts: shape.shortTexts }
  return selector === null
    ? { facts, members, estimatedTokens, json: null, head }
    : { facts, members, estimatedTokens, selector, json: null, head }
}

/** What the core must know of a request, and the end user whom it names. @throws invalid_request */
export function factsOf(surface: Surface, json: JsonObject): RequestFacts {
  const facts = surface.readFacts(json)
  const endUser = endUserOf(json)
  const serviceTier = readTier(json.service_tier ?? json.serviceTier)
  const known = endUser === null ? facts : { ...facts, endUser }
  return serviceTier === null ? known : { ...known, serviceTier }
}

/** Every member, a stand-in for each one of the bulk; null if there is none of it. */
function readHead(bytes: Buffer, members: readonly Member[], bulk: JsonObject): JsonObject | null {
  const isBulk = ({ key, valueStart, valueEnd }: Member) =>
    Object.hasOwn(bulk, key) && isLongList(bytes, valueStart, valueEnd)
  if (!members.some(isBulk)) return null
  const head: JsonObject = {}
  for (const member of members) {
    const { key, valueStart, valueEnd } = member
    const standIn = isBulk(member) ? bulk[key] : undefined
    // No member is called `__proto__`: scanBody does not accept it.
    head[key] = standIn ?? (JSON.parse(bytes.toString('utf8', valueStart, valueEnd)) as JsonValue)
  }
  return head
}

function isLongList(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== OPEN_BRACKET || end - start < MIN_BULK_BYTES) return false
  // White space may fill an empty one.
  return bytes[skipSpace(bytes, start + 1)] !== CLOSE_BRACKET
}

/** Base64 and data URLs contain no space; most texts have one near their beginning. */
const GLANCE_BYTES = 64
/** Of a text that may be an image. */
const SAMPLE_BYTES = 512
const SPACE = 0x20

/** As estimateRequestTokens does from a parsed body, but that it counts bytes where that counts characters. */
function estimateTokens(bytes: Buffer, { longTexts }: BodyShape): number {
  let imageBytes = 0
  let images = 0
  for (let i = 0; i + 1 < longTexts.length; i += 2) {
    const start = (longTexts[i] ?? 0) + 1
    const end = (longTexts[i + 1] ?? 0) - 1
    if (end - start < LONG_TEXT_BYTES || hasSpace(bytes, start, start + GLANCE_BYTES)) continue
    // Some encoders write every slash as an escape.
    const sample = bytes.toString('latin1', start, start + SAMPLE_BYTES).replaceAll('\\/', '/')
    if (!isImageBeginning(sample)) continue
    imageBytes += end - start
    images += 1
  }
  return estimateInputTokens(bytes.length, imageBytes, images)
}

function hasSpace(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === SPACE) return true
  return false
}

/**
 * The client's bytes with a few members edited, if protocol and streaming agree and nothing inside the bulk has to change; null
 * otherwise.
 */
export function passBody(surface: Surface, dialect: Dialect, task: EncodeTask): EncodedBody | null {
  const { body, head, facts, members, target, upstreamStream } = task
  if (facts.endpoint !== undefined) return passEndpoint(surface, dialect, task)
  if (head === null || wireOf(surface) !== target.protocol || facts.stream !== upstreamStream) return null
  const bytes = asBuffer(body)
  const mentions = (name: string) => mayContainText(head, name) && containsText(bytes, `"${name}"`)
  if (dialect.editsBulk?.(head.json, target, mentions) === true) return null
  const { edits, dropped } = editWithin(dialect, task, head.json)
  const path = dialect.path(target, upstreamStream)
  if (body.byteLength < MIN_VIEWED_BYTES) return { path, body: spliceMembers(body, members, edits), dropped }
  const pieces = splicePieces(body, members, edits)
  return pieces === null ? { path, body, dropped } : { path, body: NO_BODY, pieces, dropped }
}
