// Whole, not streamed answers, both ways: chat.completion <-> ChatResponse.
import { GatewayError } from '../../errors.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type ToolCallPart } from '../../model/request.js'
import { type AnswerPart, type ChatResponse } from '../../model/response.js'
import { believable } from '../../model/usage.js'
import { skipSpace, stringEnd, valueAt } from '../../wire/json-scan.js'
import { decodeStreamError } from '../openai-error.js'
import { numberOf, stringOf, textOf } from '../scalars.js'
import { annotationsOf, decodeAnnotations } from './annotations.js'
import { errorIn, firstChoice } from './chunk.js'
import { thinkingText } from './dialect/stream-decoder.js'
import { decodeFinishReason, encodeFinishReason } from './finish-reason.js'
import { decodeImages, encodeImage } from './images.js'
import { decodeUsage, encodeUsage } from './usage.js'
import { type WireAssistantMessage, type WireExtraContent, type WireResponse, type WireToolCall } from './wire.js'

/**
 * Reasoning comes before text, and text before calls, as in the same vendors' streams.
 * @throws upstream_malformed, or the error that came with status 200
 */
export function decodeResponse(body: JsonObject, fallback: ResponseMeta): ChatResponse {
  const error = errorIn(body)
  if (error !== null) throw GatewayError.of(decodeStreamError(error))
  const choice = firstChoice(body)
  if (choice === null || !isJsonObject(choice.message)) throw new GatewayError('upstream_malformed')
  const createdSec = numberOf(body.created) ?? 0
  const id = textOf(body.id) ?? fallback.id
  const content = decodeMessage(choice.message, `call_${id}`)
  return {
    meta: {
      id,
      model: textOf(body.model) ?? fallback.model,
      createdSec: createdSec > 0 ? createdSec : fallback.createdSec,
      usage: null,
    },
    content,
    finishReason: decodeFinishReason(
      textOf(choice.finish_reason),
      content.some((part) => part.type === 'tool-call'),
    ),
    stopSequence: null,
    usage: decodeUsage(body.usage, body.service_tier),
  }
}

const FINISH_KEY = Buffer.from('"finish_reason"')
const CALLS_KEY = Buffer.from('"tool_calls"')
/** Part of both names. */
const ANY_CALL = Buffer.from('_call')
const CALL_KEY = Buffer.from('"function_call"')
const QUOTE = 0x22
const BRACE_OPEN = 0x7b
const BRACKET_OPEN = 0x5b

/** The first finish reason of a whole body, found without parsing: a string cannot contain a key, as its quotes are escaped. */
export function readFinish(body: Buffer): FinishReason | null {
  const at = valueAt(body, FINISH_KEY, 0)
  if (at < 0) return null
  const reason = body[at] === QUOTE ? body.toString('latin1', at + 1, stringEnd(body, at)) : null
  return decodeFinishReason(reason, hasCalls(body))
}

function hasCalls(body: Buffer): boolean {
  // Most answers have neither member: one search instead of two.
  if (!body.includes(ANY_CALL)) return false
  const list = valueAt(body, CALLS_KEY, 0)
  if (list >= 0 && body[list] === BRACKET_OPEN && body[skipSpace(body, list + 1)] === BRACE_OPEN) return true
  const call = valueAt(body, CALL_KEY, 0)
  return call >= 0 && body[call] === BRACE_OPEN
}

function decodeMessage(message: JsonObject, callIdPrefix: string): AnswerPart[] {
  const parts: AnswerPart[] = []
  pushReasoning(parts, textOf(message.reasoning_content) ?? stringOf(message.reasoning) ?? '')
  if (isJsonArray(message.content)) for (const part of message.content) pushPart(parts, part)
  else pushText(parts, stringOf(message.content) ?? '')
  cite(parts, message.annotations)
  const refusal = textOf(message.refusal)
  if (refusal !== null) parts.push({ type: 'refusal', text: refusal })
  for (const source of decodeImages(message.images)) parts.push({ type: 'made-image', source })
  const calls = isJsonArray(message.tool_calls) ? message.tool_calls : []
  calls.forEach((call, i) => {
    if (isJsonObject(call)) parts.push(decodeCall(call.function, textOf(call.id) ?? `${callIdPrefix}_${i}`))
  })
  if (isJsonObject(message.function_call)) parts.push(decodeCall(message.function_call, `${callIdPrefix}_0`))
  return parts
}

/** Annotations belong to the last text, as in a stream, where they come behind it. */
function cite(parts: AnswerPart[], annotations: JsonValue | undefined): void {
  const texts = parts.filter((part) => part.type === 'text')
  const last = texts.at(-1)
  const offset = texts.slice(0, -1).reduce((sum, { text }) => sum + text.length, 0)
  const citations = decodeAnnotations(annotations, offset)
  if (citations.length === 0) return
  if (last === undefined) parts.push({ type: 'text', text: '', citations })
  else parts[parts.indexOf(last)] = { ...last, citations }
}

function pushPart(parts: AnswerPart[], part: JsonValue): void {
  if (!isJsonObject(part)) return
  if (part.type === 'thinking') pushReasoning(parts, thinkingText(part))
  else pushText(parts, stringOf(part.text) ?? '')
}

function pushReasoning(parts: AnswerPart[], text: string): void {
  if (text !== '') parts.push({ type: 'reasoning', text, signature: null, redacted: null })
}

function pushText(parts: AnswerPart[], text: string): void {
  if (text !== '') parts.push({ type: 'text', text })
}

function decodeCall(call: JsonValue | undefined, id: string): ToolCallPart {
  const definition = isJsonObject(call) ? call : {}
  const given = definition.arguments
  const text = isJsonObject(given) ? JSON.stringify(given) : (stringOf(given) ?? '')
  return { type: 'tool-call', id, name: stringOf(definition.name) ?? '', arguments: text, signature: null }
}

/** The prefix of the vendor's ids; its clients and their logs sort by it. */
const ID_PREFIX = 'chatcmpl-'

/** An id as this surface shows it: foreign ones get the vendor's prefix. */
export function encodeCompletionId(id: string): string {
  return id.startsWith(ID_PREFIX) ? id : `${ID_PREFIX}${id}`
}

/** `content` is null only with tool calls or a refusal, as at the vendor. */
export function encodeResponse(response: ChatResponse): JsonObject {
  const body: WireResponse = {
    id: encodeCompletionId(response.meta.id),
    object: 'chat.completion',
    created: response.meta.createdSec,
    model: response.meta.model,
    choices: [
      {
        index: 0,
        message: encodeMessage(response),
        logprobs: null,
        finish_reason: encodeFinishReason(response.finishReason),
      },
    ],
  }
  const usage = believable(response.usage)
  if (usage !== null) body.usage = encodeUsage(usage)
  return body
}

function encodeMessage({ content, refusal }: ChatResponse): WireAssistantMessage {
  const calls = content.filter((part) => part.type === 'tool-call')
  const texts = content.filter((part) => part.type === 'text')
  const reasoning = content.map((part) => (part.type === 'reasoning' ? part.text : '')).join('')
  const spoken = content.map((part) => (part.type === 'refusal' ? part.text : '')).join('')
  const refused = spoken || (refusal?.explanation ?? '')
  const isBare = texts.length === 0 && (calls.length > 0 || refused !== '')
  const message: WireAssistantMessage = {
    role: 'assistant',
    content: isBare ? null : texts.map((part) => part.text).join(''),
    refusal: refused === '' ? null : refused,
  }
  const annotations = annotationsOf(texts)
  if (annotations.length > 0) message.annotations = annotations
  const images = content.flatMap((part) => (part.type === 'made-image' ? [encodeImage(part.source)] : []))
  if (images.length > 0) message.images = images
  if (reasoning !== '') message.reasoning_content = reasoning
  if (calls.length > 0) message.tool_calls = calls.map(encodeCall)
  return message
}

function encodeCall(call: ToolCallPart): WireToolCall {
  const wire: WireToolCall = { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
  if (call.signature !== null) wire.extra_content = encodeSignature(call.signature)
  return wire
}

/** The member for a call's signature, which clients send back with the call. */
export function encodeSignature(signature: string): WireExtraContent {
  return { google: { thought_signature: signature } }
}
