// Dialect half, input: canonical system text and turns -> this wire's items. Part of encode-request.ts.
import { type JsonObject } from '../../../model/json.js'
import {
  type AssistantPart,
  type ChatRequest,
  type ImagePart,
  type MediaPart,
  type MediaSource,
  type ToolResultPart,
  type UserPart,
} from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { MADE_IMAGE_STAND_IN, MADE_IMAGES } from '../../fit/content.js'
import { fitCallId } from '../ids.js'
import { unmarkEncrypted } from '../sealed.js'

/** The name of a document without one: the vendor requires a name with the bytes. */
const DOCUMENT_NAME = 'document.pdf'
const PDF = 'application/pdf'

/** Where to report what the vendor does not accept, and who it is. */
export type Vendor = { readonly target: Target; readonly drop: (field: string) => void }

/** Instructions are the first system text; further ones come before all turns, as the canonical model has them. */
export function encodeInput(
  request: ChatRequest,
  vendor: Vendor,
): { instructions: string | null; input: JsonObject[] } {
  const [instructions, ...rest] = request.system
  const input = rest.map(({ text }): JsonObject => ({ type: 'message', role: 'developer', content: text }))
  for (const message of request.messages) {
    if (message.role === 'user') {
      input.push({ type: 'message', role: 'user', content: encodeParts(message.content) })
    } else if (message.role === 'assistant') {
      for (const part of message.content) input.push(...encodeAssistant(part, vendor))
    } else input.push(...message.content.map((result) => encodeResult(result, vendor)))
  }
  return { instructions: instructions?.text ?? null, input }
}

function encodeAssistant(part: AssistantPart, { target, drop }: Vendor): JsonObject[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'message', role: 'assistant', content: part.text }]
    case 'refusal':
      return [{ type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: part.text }] }]
    case 'made-image':
      drop(MADE_IMAGES)
      return [{ type: 'message', role: 'assistant', content: MADE_IMAGE_STAND_IN }]
    case 'tool-call': {
      const { id, name } = part
      // The vendor rejects a call whose arguments are not JSON; no arguments are an empty object.
      return [{ type: 'function_call', call_id: fitCallId(id), name, arguments: part.arguments || '{}' }]
    }
    case 'reasoning': {
      const encrypted = unmarkEncrypted(part.signature, target.provider)
      if (encrypted === null) {
        drop('messages.reasoning')
        return []
      }
      // Without its id, which the vendor would look up among stored items (NousResearch/hermes-agent#10217).
      const summary = part.text === '' ? [] : [{ type: 'summary_text', text: part.text }]
      return [{ type: 'reasoning', summary, encrypted_content: encrypted }]
    }
  }
}

function encodeResult({ callId, content, isError }: ToolResultPart, { drop }: Vendor): JsonObject {
  if (isError) drop('is_error')
  return { type: 'function_call_output', call_id: fitCallId(callId), output: encodeParts(content) }
}

/** One text is a string, which every server on this wire accepts. */
function encodeParts(parts: readonly UserPart[]): string | JsonObject[] {
  const [first] = parts
  if (first === undefined) return ''
  if (parts.length === 1 && first.type === 'text') return first.text
  return parts.flatMap((part): JsonObject[] => {
    if (part.type === 'text') return [{ type: 'input_text', text: part.text }]
    if (part.type === 'image') return [encodeImage(part)]
    return part.type === 'document' ? [encodeDocument(part)] : []
  })
}

function encodeImage({ source, detail }: ImagePart): JsonObject {
  return { type: 'input_image', image_url: urlOf(source), detail: detail ?? 'auto' }
}

function encodeDocument({ source, name }: Exclude<MediaPart, ImagePart>): JsonObject {
  if (source.kind === 'url') return { type: 'input_file', file_url: source.url }
  return { type: 'input_file', filename: name ?? DOCUMENT_NAME, file_data: urlOf(source) }
}

function urlOf(source: MediaSource): string {
  return source.kind === 'url' ? source.url : `data:${source.mediaType};base64,${source.base64}`
}

/** Images in base64, or by URL if the vendor accepts that; PDFs the same way if it accepts documents. */
export function carries({ type, source }: MediaPart, { quirks }: Target): boolean {
  if (type === 'document' && !quirks.documents) return false
  if (source.kind === 'url') return quirks.imageUrls
  return type === 'image' || source.mediaType === PDF
}
