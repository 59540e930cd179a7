// A whole generateContent answer <-> ChatResponse. It is decoded by the same rules as the stream: aggregate(decode(stream)) =
// decodeResponse(json).
import { GatewayError } from '../../errors.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type TextPart } from '../../model/request.js'
import { type AnswerPart, type ChatResponse } from '../../model/response.js'
import { believable } from '../../model/usage.js'
import { type Cited, citationsOf, encodeSources } from './citations.js'
import { parseReply, type Reply, readReply, type WholePart } from './dialect/reply.js'
import { callId } from './dialect/stream-decoder.js'
import { encodeEnding, mapFinishReason } from './finish-reason.js'
import { encodePart } from './surface/encode-parts.js'
import { encodeUsage } from './usage.js'

/** Encodes a whole answer. */
export function encodeResponse({ meta, content, finishReason, usage, refusal }: ChatResponse): JsonObject {
  const hasRefused = content.some((part) => part.type === 'refusal')
  const ending = encodeEnding({ reason: finishReason, refusal, hasRefused })
  const counts = believable(usage)
  const parts = content.map(encodePart)
  const sources = encodeSources(content.flatMap(citedIn))
  const grounding = sources === null ? {} : { groundingMetadata: sources }
  return {
    candidates: [{ content: { parts, role: 'model' }, ...ending, ...grounding, index: 0 }],
    ...(counts === null ? {} : { usageMetadata: encodeUsage(counts) }),
    modelVersion: meta.model,
    responseId: meta.id,
  }
}

function citedIn(part: AnswerPart, index: number): Cited[] {
  if (part.type !== 'text' || part.citations === undefined) return []
  const { text, citations } = part
  return citations.map((citation) => ({ citation, text, offset: 0, chars: text.length, part: index }))
}

/**
 * A blocked prompt is an empty answer that ends in content-filter, not an error.
 * @throws upstream_malformed without candidates, or the upstream's own error if the body has one
 */
export function decodeResponse(body: JsonObject, fallback: ResponseMeta): ChatResponse {
  const reply = readOrThrow(body)
  if (reply.error !== null) throw GatewayError.of(reply.error)
  if (reply.isEmpty) throw new GatewayError('upstream_malformed')
  const id = reply.responseId ?? fallback.id
  return {
    meta: { id, model: reply.modelVersion ?? fallback.model, createdSec: fallback.createdSec, usage: null },
    content: joinParts(reply, id),
    finishReason: finishOf(reply),
    stopSequence: null,
    usage: reply.usage,
    ...(reply.refusal === null ? {} : { refusal: reply.refusal }),
  }
}

/** The finish reason of a whole answer. It is parsed, since the arguments of a call may contain another `finishReason`. */
export function readFinish(body: Buffer): FinishReason | null {
  const reply = parseReply(body)
  return reply === null || reply.finishReason === null ? null : finishOf(reply)
}

function finishOf({ finishReason, parts }: Reply): FinishReason {
  return mapFinishReason(
    finishReason,
    parts.some((part) => part.kind === 'tool-call'),
  )
}

/** Throws only if the answer is nested too deeply to be serialized again. */
function readOrThrow(body: JsonObject): Reply {
  try {
    return readReply(body)
  } catch (cause) {
    throw new GatewayError('upstream_malformed', { cause })
  }
}

/** Joins neighbours of one kind until a signature seals them. Sources belong to the last text. */
function joinParts({ parts, sources }: Reply, responseId: string): AnswerPart[] {
  const content: AnswerPart[] = []
  let open: 'text' | 'reasoning' | null = null
  let words = ''
  let calls = 0
  let cited: Pick<TextPart, 'citations'> = {}
  const close = (signature: string | null): void => {
    if (open === 'text') content.push({ type: 'text', text: words, ...cited })
    if (open === 'reasoning') content.push({ type: 'reasoning', text: words, signature, redacted: null })
    open = null
    words = ''
  }
  for (const part of parts) {
    if (part.kind === 'image' || part.kind === 'opaque') {
      close(null)
      content.push(toWhole(part))
      continue
    }
    if (part.kind === 'tool-call') {
      close(null)
      const { name, arguments: args, signature } = part
      content.push({ type: 'tool-call', id: part.id ?? callId(responseId, calls), name, arguments: args, signature })
      calls += 1
      continue
    }
    if (part.text !== '') {
      if (open !== part.kind) close(null)
      open = part.kind
      words += part.text
    }
    if (part.signature === null || open === 'text') continue
    open ??= 'reasoning'
    close(part.signature)
  }
  if (sources.length > 0) {
    if (open !== 'text') close(null)
    open = 'text'
    cited = { citations: citationsOf(sources, words) }
  }
  close(null)
  return content
}

function toWhole(part: WholePart): AnswerPart {
  if (part.kind === 'image') return { type: 'made-image', source: part.source }
  return { type: 'opaque', wire: part.wire, name: part.name, value: part.value }
}
