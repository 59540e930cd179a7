// Whole, not streamed answers, both ways: the response object <-> ChatResponse. Items of tools that the vendor
// runs are images, or opaque.
import { GatewayError } from '../../errors.js'
import {
  type FinishReason,
  type ImageHead,
  type OpaqueHead,
  type RefusalDetails,
  type ResponseMeta,
} from '../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type AnswerPart, type ChatResponse } from '../../model/response.js'
import { type Target } from '../../model/target.js'
import { believable, NO_USAGE, type UsageReport } from '../../model/usage.js'
import { scanMembers } from '../../wire/body/members.js'
import { decodeStreamError } from '../openai-error.js'
import { numberOf, stringOf, textOf } from '../scalars.js'
import { encodeResponseId, itemBaseOf } from './ids.js'
import { ownOf } from './own-members.js'
import { decodeAnnotations } from './parts/annotations.js'
import { decodeMade } from './parts/made.js'
import { markEncrypted } from './sealed.js'
import { decodeFinish, encodeFinish, isCallItem } from './status.js'
import { encodeResponseObject, namesOf } from './surface/echo.js'
import { encodeItems } from './surface/items.js'
import { decodeUsage, encodeUsage } from './usage.js'

/** Encodes a whole answer; `echo` is from readEcho. */
export function encodeResponse(response: ChatResponse, _target?: unknown, echo: JsonObject | null = null): JsonObject {
  const { meta, content, finishReason } = response
  const id = ownOf(echo)?.id ?? encodeResponseId(meta.id)
  const { status, reason } = encodeFinish(finishReason)
  const isCut = status === 'incomplete'
  const output = encodeItems(withExplanation(content, response.refusal), {
    base: itemBaseOf(id),
    names: namesOf(echo),
    isCut,
  })
  // Clients' schemas require it of a finished response: unknown counts are 0.
  const usage = encodeUsage(believable(response.usage) ?? NO_USAGE)
  const { model, createdSec } = meta
  const { elapsedMs } = response
  const head = { id, model, createdSec, status, incompleteReason: reason, usage, elapsedMs }
  return encodeResponseObject(head, output, echo)
}

/** This wire has a provider's words about its refusal where it has those of a model. */
function withExplanation(content: readonly AnswerPart[], refusal: RefusalDetails | undefined): readonly AnswerPart[] {
  const text = refusal?.explanation ?? null
  return text === null ? content : [...content, { type: 'refusal', text }]
}

/**
 * Decodes a whole answer.
 * @throws upstream_malformed, or the error that came with status 200
 */
export function decodeResponse(
  body: JsonObject,
  fallback: ResponseMeta,
  target?: Pick<Target, 'provider'>,
): ChatResponse {
  const error = errorIn(body)
  if (error !== null) throw GatewayError.of(decodeStreamError(error))
  if (!isJsonArray(body.output)) throw new GatewayError('upstream_malformed')
  const provider = target?.provider ?? ''
  return {
    meta: decodeMeta(body, fallback),
    content: body.output.flatMap((item) => (isJsonObject(item) ? decodeItem(item, provider) : [])),
    finishReason: decodeFinish(body, body.output.some(isCallItem)),
    stopSequence: null,
    usage: decodeUsage(body.usage, body.service_tier),
  }
}

/** The error of a failed response, or of an answer in the vendor's error envelope; null for none. */
export function errorIn(body: JsonObject): JsonValue | null {
  const { error, status } = body
  if (isJsonObject(error) || (typeof error === 'string' && error !== '')) return error
  return status === 'failed' || status === 'cancelled'
    ? { code: 'server_error', message: `The response ${status}.` }
    : null
}

/** Id, model and time of a response object. */
export function decodeMeta(response: JsonObject, fallback: ResponseMeta): ResponseMeta {
  const createdSec = numberOf(response.created_at) ?? 0
  return {
    id: textOf(response.id) ?? fallback.id,
    model: textOf(response.model) ?? fallback.model,
    createdSec: createdSec > 0 ? Math.floor(createdSec) : fallback.createdSec,
    usage: null,
  }
}

/** The parts of one item; empty texts are none. */
function decodeItem(item: JsonObject, provider: string): AnswerPart[] {
  switch (item.type) {
    case 'message':
      return isJsonArray(item.content) ? item.content.flatMap(decodePart) : []
    case 'reasoning': {
      const text = reasoningText(item)
      const encrypted = textOf(item.encrypted_content)
      const signature = encrypted === null ? null : markEncrypted(encrypted, provider)
      return text === '' && signature === null ? [] : [{ type: 'reasoning', text, signature, redacted: null }]
    }
    case 'function_call':
    case 'custom_tool_call': {
      const name = textOf(item.name)
      const id = textOf(item.call_id) ?? textOf(item.id)
      if (name === null || id === null) return []
      return [{ type: 'tool-call', id, name, arguments: callArguments(item), signature: null }]
    }
    default: {
      const made = decodeMade(item)
      return made === null ? [] : [partOf(made)]
    }
  }
}

function partOf(made: ImageHead | OpaqueHead): AnswerPart {
  if (made.kind === 'image') return { type: 'made-image', source: made.source }
  const { wire, name, value } = made
  return { type: 'opaque', wire, name, value }
}

/** Between the parts of a summary: each is a paragraph with a heading. */
export const PART_BREAK = '\n\n'

/** The text of a reasoning item: the summary that the vendor shows, or the reasoning itself, which open models show. */
export function reasoningText({ summary, content }: JsonObject): string {
  return joinTexts(summary) || joinTexts(content)
}

function joinTexts(parts: JsonValue | undefined): string {
  if (!isJsonArray(parts)) return ''
  return parts.map((part) => (isJsonObject(part) ? (stringOf(part.text) ?? '') : '')).join(PART_BREAK)
}

/** Arguments of a call; the raw input of a custom tool as those of the function that stands in for it. */
export function callArguments(item: JsonObject): string {
  if (item.type === 'custom_tool_call') return JSON.stringify({ input: stringOf(item.input) ?? '' })
  const given = item.arguments
  return isJsonObject(given) ? JSON.stringify(given) : (stringOf(given) ?? '')
}

function decodePart(part: JsonValue): AnswerPart[] {
  const text = isJsonObject(part) ? partText(part) : ''
  if (text === '' || !isJsonObject(part)) return []
  if (isRefusal(part)) return [{ type: 'refusal', text }]
  const citations = decodeAnnotations(part.annotations)
  return citations.length === 0 ? [{ type: 'text', text }] : [{ type: 'text', text, citations }]
}

/** True for a part of a message in which the model refuses. */
export function isRefusal(part: JsonValue | undefined): boolean {
  return isJsonObject(part) && part.type === 'refusal'
}

/** The text of a part of a message: a refusal is what the model said. */
export function partText({ type, text, refusal }: JsonObject): string {
  return (type === 'refusal' ? stringOf(refusal) : stringOf(text)) ?? ''
}

/** Usage of a whole answer. */
export function readUsage(body: Buffer): UsageReport | null {
  const members = scanMembers(body)
  return decodeUsage(valueIn(body, members, 'usage'), valueIn(body, members, 'service_tier'))
}

/** Why the model stopped, of a whole answer; null for anything else. */
export function readFinish(body: Buffer): FinishReason | null {
  const status = readMember(body, 'status')
  if (status === 'incomplete') {
    return decodeFinish({ status, incomplete_details: readMember(body, 'incomplete_details') ?? null }, false)
  }
  if (status !== 'completed') return null
  const output = body.includes(ANY_CALL) ? readMember(body, 'output') : null
  return decodeFinish({ status }, isJsonArray(output) && output.some(isCallItem))
}

/** Part of the types of all calls; without it the output is not parsed. */
const ANY_CALL = Buffer.from('_call"')

/** A top-level member, parsed alone; undefined if it is absent or not JSON. */
function readMember(body: Buffer, name: string): JsonValue | undefined {
  return valueIn(body, scanMembers(body), name)
}

function valueIn(body: Buffer, members: ReturnType<typeof scanMembers>, name: string): JsonValue | undefined {
  const member = members?.find(({ key }) => key === name)
  if (member === undefined) return undefined
  try {
    return JSON.parse(body.toString('utf8', member.valueStart, member.valueEnd)) as JsonValue
  } catch {
    return undefined
  }
}
