// Turns of the canonical request -> `contents`: roles user and model; neighbours of one role are merged, since this wire alternates.
import { type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type AssistantPart,
  type ChatRequest,
  type MediaPart,
  type Message,
  type ToolResultPart,
  type UserPart,
} from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { parseObject, parseToolArguments } from '../../../model/tool-arguments.js'
import { unmarkSignature } from '../signature.js'
import { type Content, type Part } from '../wire.js'

/**
 * Replaces the signature of a call that this wire's newer models did not sign, such as one of another vendor's model: they
 * answer 400 if the first call of a turn is returned unsigned. https://ai.google.dev/gemini-api/docs/thought-signatures (FAQ)
 */
export const FOREIGN_SIGNATURE = 'skip_thought_signature_validator'
/** Every `gemini-*` except generations 1 and 2, which sign less and check nothing. */
const CHECKS_SIGNATURES = /^(?:models\/)?gemini-(?![12]\b)/
/** Joins texts that were separate in a tool's result. */
const PART_BREAK = '\n'

/** URIs of Cloud Storage, and of files of the vendor's Files API: only an account of the vendor's can read them. */
const OWN_FILE = /^(?:gs:\/\/|https:\/\/generativelanguage\.googleapis\.com\/)/i
const IMAGE_TYPES: Readonly<Record<string, string>> = Object.freeze({
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  heic: 'image/heic',
  heif: 'image/heif',
})

/** Encodes the turns; what cannot be carried is added to `dropped`. Turns left without parts are left out. */
export function encodeContents(request: ChatRequest, target: Target, dropped: Set<string>): Content[] {
  const encoder: Encoder = { dropped, callNames: new Map() }
  const contents: Content[] = []
  for (const message of request.messages) {
    const parts = encodeMessage(message, encoder)
    if (parts.length === 0) continue
    const role = message.role === 'assistant' ? 'model' : 'user'
    const last = contents.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else contents.push({ role, parts })
  }
  if (checksSignatures(target.model)) for (const content of contents) signFirstCall(content)
  return contents
}

/** Whether the model refuses the first call of a turn without its signature. */
export function checksSignatures(model: string): boolean {
  return CHECKS_SIGNATURES.test(model)
}

type Encoder = {
  readonly dropped: Set<string>
  /** Call id -> tool name of the calls so far: on this wire results must name their tool. */
  readonly callNames: Map<string, string>
}

function encodeMessage(message: Message, encoder: Encoder): Part[] {
  switch (message.role) {
    case 'user':
      return message.content.flatMap((part) => encodeUserPart(part, encoder))
    case 'assistant':
      return message.content.flatMap((part) => encodeAssistantPart(part, encoder))
    case 'tool':
      return encodeToolResults(message.content, encoder)
  }
}

function encodeUserPart(part: UserPart, encoder: Encoder): Part[] {
  if (part.type === 'text') return part.text === '' ? [] : [{ text: part.text }]
  if (part.type === 'file') return [encodeFile(part.id, part.mediaType)]
  return part.type === 'foreign' ? [] : [encodeMedia(part, encoder)]
}

function encodeMedia(part: MediaPart, { dropped }: Encoder): Part {
  if (part.type === 'image' && (part.detail === 'low' || part.detail === 'high')) dropped.add('detail')
  const { source } = part
  if (source.kind === 'base64') return { inlineData: { mimeType: source.mediaType, data: source.base64 } }
  return encodeFile(source.url, part.type === 'document' ? PDF : imageTypeOf(source.url))
}

function encodeFile(fileUri: string, mimeType: string | null): Part {
  return { fileData: { ...(mimeType === null ? {} : { mimeType }), fileUri } }
}

function imageTypeOf(url: string): string | null {
  const extension = /\.(\w+)(?:[?#]|$)/.exec(url)?.[1]?.toLowerCase() ?? ''
  return Object.hasOwn(IMAGE_TYPES, extension) ? (IMAGE_TYPES[extension] ?? null) : null
}

/** True for the URI of a file that the vendor stores. */
export function isStoredUri(uri: JsonValue | undefined): boolean {
  return typeof uri === 'string' && OWN_FILE.test(uri)
}

/** Images and PDFs inline; by URL if the target accepts URLs, and those that the vendor stores in the caller's own account. */
export function carries({ type, source }: MediaPart, { quirks }: Target, isOwnAccount = false): boolean {
  if (type === 'document' && !quirks.documents) return false
  if (source.kind === 'url') return OWN_FILE.test(source.url) ? isOwnAccount : quirks.imageUrls
  return type === 'image' || source.mediaType === PDF
}

const PDF = 'application/pdf'

function encodeAssistantPart(part: AssistantPart, encoder: Encoder): Part[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text === '' ? [] : [{ text: part.text }]
    case 'reasoning': {
      if (part.redacted !== null) encoder.dropped.add('messages.reasoning')
      const signature = unmarkSignature(part.signature)
      if (part.text === '') return signature === null ? [] : [{ text: '', thoughtSignature: signature }]
      return [{ text: part.text, thought: true, ...(signature === null ? {} : { thoughtSignature: signature }) }]
    }
    case 'made-image': {
      const { source } = part
      if (source.kind === 'url') return [encodeFile(source.url, imageTypeOf(source.url))]
      return [{ inlineData: { mimeType: source.mediaType, data: source.base64 } }]
    }
    case 'tool-call': {
      encoder.callNames.set(part.id, part.name)
      const signature = unmarkSignature(part.signature)
      // Malformed arguments are kept as text in a member of ours: the turn must show what the model wrote.
      const args = parseToolArguments(part.arguments) ?? { arguments: part.arguments }
      const functionCall = { id: part.id, name: part.name, args }
      return [{ functionCall, ...(signature === null ? {} : { thoughtSignature: signature }) }]
    }
  }
}

/** All results first, then their images and documents: the vendor requires as many responses as calls, without a gap. */
function encodeToolResults(results: readonly ToolResultPart[], encoder: Encoder): Part[] {
  const responses: Part[] = []
  const media: Part[] = []
  for (const result of results) {
    const name = result.name ?? encoder.callNames.get(result.callId) ?? result.callId
    const texts: string[] = []
    for (const part of result.content) {
      if (part.type === 'text') texts.push(part.text)
      else media.push(...encodeUserPart(part, encoder))
    }
    const words = texts.join(PART_BREAK)
    const response = result.isError ? { error: words } : toResponse(words)
    responses.push({ functionResponse: { id: result.callId, name, response } })
  }
  return [...responses, ...media]
}

/** Most tools return plain text. */
function toResponse(words: string): JsonObject {
  return parseObject(words) ?? { result: words }
}

function signFirstCall(content: Content): void {
  const call = content.parts.find((part) => part.functionCall !== undefined)
  if (call !== undefined) call.thoughtSignature ??= FOREIGN_SIGNATURE
}
