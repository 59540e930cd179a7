// Surface half, messages: the client's turns -> canonical system text and messages. Part of decode-request.ts.
import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type AssistantPart,
  type MediaSource,
  type Message,
  type RefusalPart,
  type TextPart,
  type ToolCallPart,
  type UserPart,
} from '../../../model/request.js'
import { encodeTextDocument, isTextType } from '../../fit/text-document.js'
import { stringOf, textOf } from '../../scalars.js'
import { invalid, notCarried } from './invalid.js'

export type DecodedMessages = { readonly system: TextPart[]; readonly messages: Message[] }

/** Calls seen so far: a result finds its tool's name by id, and a deprecated function result its id by name. */
type SeenCalls = { readonly nameOf: Map<string, string>; readonly lastIdOf: Map<string, string> }

/**
 * System and developer turns go to `system` in order, whatever their position; the others remain turns.
 * @throws invalid_request with `param`
 */
export function decodeMessages(wire: JsonArray): DecodedMessages {
  const system: TextPart[] = []
  const messages: Message[] = []
  const seen: SeenCalls = { nameOf: new Map(), lastIdOf: new Map() }
  for (let i = 0; i < wire.length; i++) {
    const turn = wire[i] as JsonObject
    const path = `messages.${i}`
    if (turn.role === 'system' || turn.role === 'developer')
      system.push(...decodeTexts(turn.content, `${path}.content`))
    else if (turn.role === 'assistant') messages.push(decodeAssistant(turn, path, seen))
    else if (turn.role === 'tool' || turn.role === 'function') messages.push(decodeToolResult(turn, path, seen))
    else messages.push({ role: 'user', content: decodeUserParts(turn.content, `${path}.content`) })
  }
  return { system, messages }
}

function decodeAssistant(turn: JsonObject, path: string, seen: SeenCalls): Message {
  const content: AssistantPart[] = []
  // An id that only its vendor can resolve; decode-request.ts reports it as dropped.
  if (isJsonObject(turn.audio)) content.push({ type: 'text', text: '[audio answer omitted]' })
  const reasoning = textOf(turn.reasoning_content) ?? textOf(turn.reasoning)
  if (reasoning !== null) content.push({ type: 'reasoning', text: reasoning, signature: null, redacted: null })
  content.push(...decodeWords(turn.content, `${path}.content`))
  const refusal = textOf(turn.refusal)
  if (refusal !== null) content.push({ type: 'refusal', text: refusal })
  for (const call of decodeCalls(turn, path)) {
    seen.nameOf.set(call.id, call.name)
    seen.lastIdOf.set(call.name, call.id)
    content.push(call)
  }
  return { role: 'assistant', content }
}

function decodeCalls(turn: JsonObject, path: string): ToolCallPart[] {
  const calls = isJsonArray(turn.tool_calls) ? turn.tool_calls : []
  const decoded = calls.map((call, i) => {
    const at = `${path}.tool_calls.${i}`
    if (!isJsonObject(call) || !isJsonObject(call.function)) throw notCarried(at, 'not a function call')
    const id = textOf(call.id)
    if (id === null) throw invalid(`${at}.id`, 'is required')
    return { ...decodeCall(call.function, id), signature: decodeSignature(call.extra_content) }
  })
  if (isJsonObject(turn.function_call)) decoded.push(decodeCall(turn.function_call, legacyCallId(path)))
  return decoded
}

function decodeCall(call: JsonObject, id: string): ToolCallPart {
  const given = call.arguments
  const text = isJsonObject(given) ? JSON.stringify(given) : (stringOf(given) ?? '')
  return { type: 'tool-call', id, name: stringOf(call.name) ?? '', arguments: text, signature: null }
}

/** Counterpart of encodeSignature in response.ts. */
export function decodeSignature(extra: JsonValue | undefined): string | null {
  const google = isJsonObject(extra) ? extra.google : undefined
  return isJsonObject(google) ? textOf(google.thought_signature) : null
}

/** The deprecated function_call has no id; its position in the conversation is unique. */
function legacyCallId(path: string): string {
  return `call_${path.replace('.', '_')}`
}

function decodeToolResult(turn: JsonObject, path: string, seen: SeenCalls): Message {
  const name = textOf(turn.name)
  const isLegacy = turn.role === 'function'
  const callId = isLegacy ? (seen.lastIdOf.get(name ?? '') ?? legacyCallId(path)) : textOf(turn.tool_call_id)
  if (callId === null) throw invalid(`${path}.tool_call_id`, 'is required')
  return {
    role: 'tool',
    content: [
      {
        type: 'tool-result',
        callId,
        name: seen.nameOf.get(callId) ?? name,
        content: decodeUserParts(turn.content, `${path}.content`),
        isError: false,
      },
    ],
  }
}

function decodeTexts(content: JsonValue | undefined, path: string): TextPart[] {
  const texts: TextPart[] = []
  for (const [i, part] of decodeUserParts(content, path).entries()) {
    if (part.type !== 'text') throw invalid(`${path}.${i}.type`, 'must be text for this role')
    texts.push(part)
  }
  return texts
}

/** What the model said in an earlier turn; empty texts are none. */
function decodeWords(content: JsonValue | undefined, path: string): (TextPart | RefusalPart)[] {
  const wire = isJsonArray(content) ? content : []
  return decodeTexts(content, path).flatMap((part, i): (TextPart | RefusalPart)[] => {
    if (part.text === '') return []
    const given = wire[i]
    const isRefused = isJsonObject(given) && given.type === 'refusal'
    return [isRefused ? { type: 'refusal', text: part.text } : part]
  })
}

function decodeUserParts(content: JsonValue | undefined, path: string): UserPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return isJsonArray(content) ? content.map((part, i) => decodePart(part as JsonObject, `${path}.${i}`)) : []
}

function decodePart(part: JsonObject, path: string): UserPart {
  if (part.type === 'text') return decodeText(part, part.text, `${path}.text`)
  if (part.type === 'refusal') return decodeText(part, part.refusal, `${path}.refusal`)
  if (part.type === 'image_url') return decodeImage(part.image_url, path)
  if (part.type === 'file') return decodeFile(part.file, path)
  return { type: 'foreign', kind: typeof part.type === 'string' ? part.type : '', path }
}

function decodeText(part: JsonObject, text: JsonValue | undefined, path: string): TextPart {
  if (typeof text !== 'string') throw invalid(path, 'must be string')
  // `cache_control` comes from clients of OpenRouter and LiteLLM, `prompt_cache_breakpoint` from OpenAI's own.
  const isMarked = isJsonObject(part.cache_control) || isJsonObject(part.prompt_cache_breakpoint)
  return isMarked ? { type: 'text', text, cacheBreakpoint: true } : { type: 'text', text }
}

function decodeImage(image: JsonValue | undefined, path: string): UserPart {
  // Mistral's clients send the URL itself in place of the object.
  const url = isJsonObject(image) ? image.url : image
  const urlPath = isJsonObject(image) ? `${path}.image_url.url` : `${path}.image_url`
  if (typeof url !== 'string' || url === '') throw invalid(urlPath, 'must be a URL')
  const detail = isJsonObject(image) ? image.detail : undefined
  return {
    type: 'image',
    source: /^data:/i.test(url) ? decodeDataUrl(url, urlPath) : { kind: 'url', url },
    detail: detail === 'auto' || detail === 'low' || detail === 'high' ? detail : null,
    path,
  }
}

/** Bytes, mostly as a data URL, or the id of a file. */
function decodeFile(file: JsonValue | undefined, path: string): UserPart {
  if (!isJsonObject(file)) throw invalid(`${path}.file`, 'is required')
  const data = textOf(file.file_data)
  const id = textOf(file.file_id)
  if (data === null && id !== null) return { type: 'file', wire: 'openai-chat', id, mediaType: null, path }
  if (data === null) return { type: 'foreign', kind: 'file', path }
  const name = textOf(file.filename)
  const source = sourceOf(data, `${path}.file.file_data`)
  if (source.kind === 'url') return { type: 'document', source, name, path }
  if (source.mediaType.startsWith('image/')) return { type: 'image', source, detail: null, path }
  if (!isTextType(source.mediaType)) return { type: 'document', source, name, path }
  return encodeTextDocument({ text: Buffer.from(source.base64, 'base64').toString('utf8'), name })
}

/** OpenRouter's clients may send a URL here; the vendor's document has bare base64, for PDFs. */
function sourceOf(data: string, path: string): MediaSource {
  if (/^data:/i.test(data)) return decodeDataUrl(data, path)
  return /^https?:\/\//i.test(data)
    ? { kind: 'url', url: data }
    : { kind: 'base64', mediaType: 'application/pdf', base64: data }
}

/** RFC 2397, of which every vendor accepts only the base64 form. */
function decodeDataUrl(url: string, path: string): Extract<MediaSource, { kind: 'base64' }> {
  const comma = url.indexOf(',')
  const [mediaType = '', ...parameters] = url.slice('data:'.length, Math.max(comma, 0)).split(';')
  const isBase64 = parameters.at(-1)?.toLowerCase() === 'base64'
  if (comma < 0 || mediaType === '' || !isBase64) throw invalid(path, 'must be a base64 data URL with a media type')
  return { kind: 'base64', mediaType: mediaType.toLowerCase(), base64: url.slice(comma + 1) }
}
