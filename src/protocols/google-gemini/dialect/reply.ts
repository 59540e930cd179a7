// A GenerateContentResponse narrowed once: whole answer and stream chunk are the same type on this wire, so the decoder,
// the observer and decodeResponse all read it here. Only candidate 0 counts.
import { type ErrorData } from '../../../model/error.js'
import { type ImageHead, type OpaqueHead, type RefusalDetails } from '../../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type UsageReport } from '../../../model/usage.js'
import { readSources, type Source } from '../citations.js'
import { readStatus } from '../error.js'
import { mapFinishReason, PROMPT_BLOCKED } from '../finish-reason.js'
import { markSignature } from '../signature.js'
import { decodeUsage } from '../usage.js'

/** A part that has no text. */
export type WholePart = ImageHead | OpaqueHead

/** One part of the answer: text (a thought or not, perhaps empty) or a whole function call, each perhaps signed; an image, or code. */
export type ReplyPart =
  | WholePart
  | { readonly kind: 'text' | 'reasoning'; readonly text: string; readonly signature: string | null }
  | {
      readonly kind: 'tool-call'
      readonly id: string | null
      readonly name: string
      readonly arguments: string
      readonly signature: string | null
    }

export type Reply = {
  readonly responseId: string | null
  readonly modelVersion: string | null
  readonly parts: readonly ReplyPart[]
  readonly sources: readonly Source[]
  /** The vendor's finish reason; `PROMPT_BLOCKED` if the prompt was refused and there is no candidate. Null: not finished yet. */
  readonly finishReason: string | null
  /** What the vendor says about a refusal; null if this is none. */
  readonly refusal: RefusalDetails | null
  readonly usage: UsageReport | null
  readonly error: ErrorData | null
  /** It has no candidate, no refusal and no error. */
  readonly isEmpty: boolean
}

/** Reads a payload's bytes; null if they are not a JSON object. Without `alt=sse` the vendor sends an array in place of SSE. */
export function parseReply(data: Buffer): Reply | null {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'))
    return isJsonObject(value) ? readReply(value) : null
  } catch {
    // Not JSON, or nested too deeply to be serialized again.
    return null
  }
}

/** Reads a parsed payload. Unknown members and parts are skipped. */
export function readReply(body: JsonObject): Reply {
  const candidate = firstCandidate(body.candidates)
  const feedback = body.promptFeedback
  const isBlocked = candidate === null && isJsonObject(feedback) && readText(feedback.blockReason) !== null
  const finishReason = isBlocked ? PROMPT_BLOCKED : readText(candidate?.finishReason)
  const error = isJsonObject(body.error) ? readStatus(body.error, null) : null
  return {
    responseId: readText(body.responseId),
    modelVersion: readText(body.modelVersion),
    parts: candidate === null ? [] : readParts(candidate.content),
    sources: candidate === null ? [] : readSources(candidate),
    finishReason,
    refusal: isBlocked ? readBlock(feedback) : readRefusal(finishReason, candidate),
    usage: decodeUsage(body.usageMetadata),
    error,
    isEmpty: candidate === null && !isBlocked && error === null,
  }
}

function readBlock({ blockReason, blockReasonMessage }: JsonObject): RefusalDetails {
  return { category: readText(blockReason), explanation: readText(blockReasonMessage) }
}

function readRefusal(reason: string | null, candidate: JsonObject | null): RefusalDetails | null {
  if (reason === null || mapFinishReason(reason, false) !== 'content-filter') return null
  return { category: reason, explanation: readText(candidate?.finishMessage) }
}

function firstCandidate(candidates: JsonValue | undefined): JsonObject | null {
  if (!isJsonArray(candidates)) return null
  for (const candidate of candidates) {
    if (isJsonObject(candidate) && (candidate.index ?? 0) === 0) return candidate
  }
  return null
}

function readParts(content: JsonValue | undefined): readonly ReplyPart[] {
  const parts: ReplyPart[] = []
  if (!isJsonObject(content) || !isJsonArray(content.parts)) return parts
  for (const part of content.parts) {
    const read = isJsonObject(part) ? readPart(part) : null
    if (read !== null) parts.push(read)
  }
  return parts
}

function readPart(part: JsonObject): ReplyPart | null {
  const sealed = readText(part.thoughtSignature)
  const signature = sealed === null ? null : markSignature(sealed)
  const call = part.functionCall
  if (isJsonObject(call)) {
    const name = readText(call.name)
    if (name === null) return null
    const args = JSON.stringify(isJsonObject(call.args) ? call.args : {})
    return { kind: 'tool-call', id: readText(call.id), name, arguments: args, signature }
  }
  const whole = typeof part.text === 'string' ? null : readWhole(part)
  if (whole !== null) return whole
  const words = typeof part.text === 'string' ? part.text : ''
  if (words === '' && signature === null) return null
  return { kind: part.thought === true ? 'reasoning' : 'text', text: words, signature }
}

const WIRE = 'google-gemini'
const IMAGE = /^image\//i

/** Images, and what the vendor's own tools have run and written. Drafts of an image are thoughts, which have no place anywhere. */
function readWhole(part: JsonObject): WholePart | null {
  const { inlineData } = part
  if (isJsonObject(inlineData)) {
    const [mediaType, base64] = [readText(inlineData.mimeType), readText(inlineData.data)]
    if (mediaType === null || base64 === null || part.thought === true) return null
    if (IMAGE.test(mediaType)) return { kind: 'image', source: { kind: 'base64', mediaType, base64 } }
    return { kind: 'opaque', wire: WIRE, name: mediaType, value: part }
  }
  const name = OWN_PARTS.find((member) => isJsonObject(part[member]))
  return name === undefined ? null : { kind: 'opaque', wire: WIRE, name, value: part }
}

const OWN_PARTS = ['executableCode', 'codeExecutionResult'] as const

/** A non-empty string, or null. */
function readText(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
