// The codec work of a whole body, from bytes to bytes: decode a request, encode it for a target, aggregate or transcode an
// answer. Pure functions that run inline on an event loop and inside a worker alike. Streams are not handled here: the relay
// encodes and decodes them frame by frame.
import { GatewayError } from '../../errors.js'
import { Aggregator } from '../../model/aggregate.js'
import { estimateRequestTokens } from '../../model/estimate.js'
import { type JsonObject } from '../../model/json.js'
import { type ChatRequest, type FilePart, type MediaPart } from '../../model/request.js'
import { type ChatResponse } from '../../model/response.js'
import { type Target } from '../../model/target.js'
import { type Member, parseRequestBody, spliceMembers } from '../../wire/body/members.js'
import { createFrameScanner } from '../../wire/frame.js'
import { encodeText, parseJsonBody, parseSoundBody, UPSTREAM_LIMITS } from '../../wire/json.js'
import { encodeEndpoint, transcodeEndpoint } from '../endpoints/endpoint-codec.js'
import { fitAnswer } from '../fit/answer.js'
import { type Attachment, attach, wantedUrls } from '../fit/attach.js'
import { fitContent } from '../fit/content.js'
import { edited, editWithin, limitOf } from '../fit/output-cap.js'
import { findSelector, findSelectorIn } from '../model-selectors.js'
import { type AnswerTask, type EncodedAnswer } from './answer-task.js'
import { type Dialect, type EncodedRequest, type Protocol, type RawFacts, type Surface } from './protocol.js'
import { type DecodedRequest, type EncodedBody, type EncodeTask } from './request-task.js'
import { factsOf, passBody, skimBody } from './skim.js'
import { wireOf } from './wire-of.js'

export type Codec = {
  /**
   * Reads and validates a client's body.
   * @throws invalid_request, with `param` where a field is at fault
   */
  decodeBody(surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedRequest
  /**
   * Reads a large body without its bulk; null if it has to be read in full.
   * @throws invalid_request, with `param` where a field is at fault
   * @see skim.ts
   */
  skimBody(surfaceId: string, body: Uint8Array<ArrayBuffer>): DecodedRequest | null
  /** Builds the upstream's body from a skimmed one, if nothing more of it has to be read; else null. */
  passBody(task: EncodeTask): EncodedBody | null
  /**
   * Builds the upstream's body: the client's bytes with a few members edited if protocol and streaming agree, else a translation.
   * @throws invalid_request
   */
  encodeBody(task: EncodeTask): EncodedBody
  /**
   * Builds one whole answer from a stream.
   * @throws the error that the stream ended with, such as upstream_cut
   */
  aggregateFrames(task: AnswerTask): EncodedAnswer
  /**
   * Translates a whole answer.
   * @throws upstream_malformed
   */
  transcodeResponse(task: AnswerTask): EncodedAnswer
}

/** A codec over a fixed set of protocols, and of surfaces that are no chats. */
export function createCodec(protocols: readonly Protocol[], endpoints: readonly Surface[] = []): Codec {
  const byId = new Map(protocols.map((protocol) => [protocol.id, protocol]))
  const surfaces = new Map<string, Surface>()
  for (const { surface } of protocols) if (surface !== null) surfaces.set(surface.id, surface)
  for (const surface of endpoints) surfaces.set(surface.id, surface)

  function surfaceOf(id: string): Surface {
    const surface = surfaces.get(id)
    if (surface === undefined) throw new GatewayError('internal', { cause: new Error(`no surface ${id}`) })
    return surface
  }

  function dialectOf(target: Target): Dialect {
    const dialect = byId.get(target.protocol)?.dialect ?? null
    if (dialect !== null) return dialect
    throw new GatewayError('misconfigured', { message: `No provider protocol is called ${target.protocol}.` })
  }

  return {
    decodeBody: (surfaceId, body) => decodeBody(surfaceOf(surfaceId), body),
    skimBody: (surfaceId, body) => skimBody(surfaceOf(surfaceId), body),
    passBody: (task) => passBody(surfaceOf(task.surfaceId), dialectOf(task.target), task),
    encodeBody: (task) => encodeBody(surfaceOf(task.surfaceId), dialectOf(task.target), task),
    aggregateFrames: (task) => aggregateFrames(surfaceOf(task.surfaceId), dialectOf(task.target), task),
    transcodeResponse: (task) => transcodeResponse(surfaceOf(task.surfaceId), dialectOf(task.target), task),
  }
}

function decodeBody(surface: Surface, body: Uint8Array<ArrayBuffer>): DecodedRequest {
  const { json, members } = parseRequestBody(body)
  const facts = factsOf(surface, json)
  const estimatedTokens = estimateRequestTokens(body.byteLength, json)
  const selector = facts.raw === undefined ? findSelector(json) : findRawSelector(json, body, members)
  return selector === null
    ? { facts, members, estimatedTokens, json, head: null }
    : { facts, members, estimatedTokens, selector, json, head: null }
}

/** The selector in a request in the upstream's own format. */
function findRawSelector(json: JsonObject, bytes: Uint8Array, members: readonly Member[]): string | null {
  const span = members.find(({ key }) => key === RAW_MEMBER)
  if (span === undefined) return null
  const selector = findSelectorIn(json[RAW_MEMBER] ?? null, bytes.subarray(span.valueStart, span.valueEnd))
  return selector === null ? null : `${RAW_MEMBER}.${selector}`
}

function encodeBody(surface: Surface, dialect: Dialect, task: EncodeTask): EncodedBody {
  const { body, facts, target, upstreamStream } = task
  if (facts.raw !== undefined) return encodeRaw(task, facts.raw)
  if (facts.endpoint !== undefined) return encodeEndpoint(surface, dialect, task)
  const json = task.json ?? (task.head === null ? parseJsonBody(body) : parseSkimmed(surface, body))
  const path = dialect.path(target, upstreamStream)
  const echo = surface.readEcho === undefined ? null : { echo: surface.readEcho(json) }
  if (wireOf(surface) === target.protocol && facts.stream === upstreamStream) {
    const { edits, dropped } = editWithin(dialect, task, json)
    const sent = { path, body: spliceMembers(body, task.members, edits), dropped }
    return echo === null ? sent : { ...sent, ...echo }
  }
  const asked = { ...surface.decodeRequest(json, task.prompt), stream: upstreamStream, includeUsage: true }
  const attachments = task.attachments ?? null
  if (attachments !== null) {
    const known = new Set(attachments.map(({ url }) => url))
    const wanted = wantedUrls(asked, (part) => dialect.carries(part, target, facts.isOwnAccount)).filter(
      (url) => !known.has(url),
    )
    if (wanted.length > 0) return { path, body: NO_BODY, dropped: [], wanted }
  }
  const request = attachments === null || attachments.length === 0 ? asked : attach(asked, attachments)
  const encoded = translateRequest(request, dialect, target, { attachments, isOwnAccount: facts.isOwnAccount === true })
  const limit = limitOf(dialect, task, encoded.body)
  const sent = edited(encoded.body, limit)
  return { path, body: encodeText(JSON.stringify(sent)), dropped: encoded.dropped, ...echo }
}

/** All of a body that was only skimmed; what was left out is checked now. @throws invalid_request */
function parseSkimmed(surface: Surface, body: Uint8Array): JsonObject {
  const json = parseSoundBody(body)
  surface.readFacts(json)
  return json
}

/**
 * Encodes a canonical request for a target.
 * @throws invalid_request for content in the last turn that it cannot carry
 */
export function translateRequest(
  request: ChatRequest,
  dialect: Dialect,
  target: Target,
  { attachments, isOwnAccount }: Circumstances = NO_CIRCUMSTANCES,
): EncodedRequest {
  // A file is read by its own vendor, and only in the caller's own account.
  const carries = (part: MediaPart | FilePart): boolean =>
    part.type === 'file' ? isOwnAccount && part.wire === dialect.id : dialect.carries(part, target, isOwnAccount)
  const fitted = fitContent(request, carries, attachments)
  const { body, dropped } = dialect.encodeRequest(fitted.request, target)
  return { body, dropped: showNames([...fitted.dropped, ...dropped]) }
}

/** `attachments`: content that was fetched. `isOwnAccount`: the upstream's account is the caller's. */
export type Circumstances = { readonly attachments: readonly Attachment[] | null; readonly isOwnAccount: boolean }

const NO_CIRCUMSTANCES: Circumstances = Object.freeze({ attachments: null, isOwnAccount: false })

/** Names of members are the client's own text, which goes into a header and the log. */
const MAX_NAMES = 32
const MAX_NAME_LENGTH = 64
const NOT_SHOWN = /[^\x21-\x2b\x2d-\x7e]/g

/** As many names as a header should hold, in printable characters without a comma; the others are only counted. */
function showNames(names: readonly string[]): readonly string[] {
  const shown = names.map((name) => name.slice(0, MAX_NAME_LENGTH).replace(NOT_SHOWN, '?'))
  if (shown.length <= MAX_NAMES) return shown
  return [...shown.slice(0, MAX_NAMES), `${shown.length - MAX_NAMES}-more`]
}

const NO_BODY = new Uint8Array(0)

/** The member's bytes unchanged: numbers are not converted, keys not reordered. */
function encodeRaw({ body, members }: EncodeTask, { path }: RawFacts): EncodedBody {
  const member = members.find(({ key }) => key === RAW_MEMBER)
  if (member === undefined) throw new GatewayError('internal', { cause: new Error('a raw request without a body') })
  const sent = body.subarray(member.valueStart, member.valueEnd)
  assertUnambiguous(sent)
  return { path, body: new Uint8Array(sent), dropped: [] }
}

const RAW_MEMBER = 'body'
const OPEN_BRACE = 0x7b

/** The upstream must read what we have read: a duplicate key might select another model there. */
function assertUnambiguous(bytes: Uint8Array): void {
  if (bytes[0] === OPEN_BRACE) parseRequestBody(bytes)
}

function aggregateFrames(surface: Surface, dialect: Dialect, task: AnswerTask): EncodedAnswer {
  const { body, fallback, target } = task
  const aggregator = new Aggregator(fallback)
  const decoder = dialect.createDecoder((event) => aggregator.push(event), { fallback, target })
  const scanner = createFrameScanner(dialect.framing, (payload) => {
    if (payload.length > 0) decoder.push(payload)
  })
  scanner.push(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  scanner.end()
  decoder.end()
  if (aggregator.error !== null) throw GatewayError.of(aggregator.error)
  return encodeAnswer(surface, aggregator.response(), task)
}

function transcodeResponse(surface: Surface, dialect: Dialect, task: AnswerTask): EncodedAnswer {
  if (task.endpoint !== undefined) return transcodeEndpoint(surface, dialect, task)
  const json = parseJsonBody(task.body, UPSTREAM_LIMITS)
  return encodeAnswer(surface, dialect.decodeResponse(json, task.fallback, task.target), task)
}

function encodeAnswer(surface: Surface, response: ChatResponse, task: AnswerTask): EncodedAnswer {
  const { target, echo = null, elapsedMs } = task
  const fitted = fitAnswer(response, surface.hasPlaceFor)
  const timed = elapsedMs === undefined ? fitted.response : { ...fitted.response, elapsedMs }
  return {
    body: encodeText(JSON.stringify(surface.encodeResponse(timed, target, echo))),
    usage: response.usage,
    finishReason: response.finishReason,
    contentChars: countChars(response),
    dropped: fitted.dropped,
  }
}

function countChars(response: ChatResponse): number {
  let chars = 0
  for (const part of response.content) {
    if (part.type === 'tool-call') chars += part.arguments.length
    // Images are no text, and neither is what a vendor's own tools have written.
    else if (part.type !== 'made-image' && part.type !== 'opaque') chars += part.text.length
  }
  return chars
}
