// Dialect half, messages: canonical system text and turns -> this wire's messages. Part of encode-request.ts.
import { isWords } from '../../../model/refusal.js'
import {
  type AssistantPart,
  type ChatRequest,
  type DocumentPart,
  type ImagePart,
  type MediaPart,
  type MediaSource,
  type Message,
  type ReasoningPart,
  type TextPart,
  type UserPart,
} from '../../../model/request.js'
import { type Quirks, type Target } from '../../../model/target.js'
import { MADE_IMAGE_STAND_IN, MADE_IMAGES } from '../../fit/content.js'
import { type WireAssistantMessage, type WireContentPart, type WireMessage, type WireToolCall } from '../wire.js'

type AssistantMessage = Extract<Message, { role: 'assistant' }>
type ToolMessage = Extract<Message, { role: 'tool' }>

/** Joins the texts of a turn that must become one string. */
const PARAGRAPH = '\n\n'

/** One vendor: what it accepts, and where to report what it does not. */
export type Vendor = { readonly quirks: Quirks; readonly drop: (field: string) => void }

/** Content that the vendor does not accept is reported to `drop`, by its name on this wire. */
export function encodeMessages(request: ChatRequest, vendor: Vendor): WireMessage[] {
  const { quirks } = vendor
  const messages: WireMessage[] = []
  if (request.system.length > 0) {
    const role = quirks.developerRole ? 'developer' : 'system'
    messages.push({ role, content: encodeTexts(request.system, quirks) })
  }
  for (const [i, message] of request.messages.entries()) {
    if (message.role === 'user') messages.push({ role: 'user', content: encodeParts(message.content, quirks) })
    else if (message.role === 'assistant') messages.push(encodeAssistant(message, vendor))
    else {
      messages.push(...message.content.map((result) => encodeToolResult(result, vendor)))
      // Results of one run must follow their calls without a gap: their images come after the last of them.
      if (request.messages[i + 1]?.role !== 'tool') messages.push(...encodeResultMedia(request.messages, i, quirks))
    }
  }
  return messages
}

function encodeAssistant(message: AssistantMessage, { quirks, drop }: Vendor): WireMessage {
  if (message.content.some(isImage)) {
    drop(MADE_IMAGES)
    const content = message.content.map((part) => (isImage(part) ? STAND_IN : part))
    return encodeAssistant({ role: 'assistant', content }, { quirks, drop })
  }
  const refusals = message.content.filter((part) => part.type === 'refusal')
  // Vendors that have copied this wire reject members that they do not know: to them it is text.
  const isTold = refusals.length > 0 && quirks.developerRole
  const texts = isTold ? message.content.filter(isText) : message.content.filter(isWords)
  const calls = message.content.filter((part) => part.type === 'tool-call')
  const reasoning = message.content.map((part) => (part.type === 'reasoning' ? part.text : '')).join('')
  const isBare = texts.length === 0 && (calls.length > 0 || isTold)
  const wire: WireAssistantMessage = {
    role: 'assistant',
    content: isBare ? null : texts.map((part) => part.text).join(''),
  }
  if (isTold) wire.refusal = refusals.map((part) => part.text).join('')
  // OpenAI itself rejects unknown message members, so its profile lists this one as a refused field.
  const isReasoningTaken = !quirks.refusedFields.includes(quirks.reasoningField)
  if (reasoning !== '' && isReasoningTaken) wire[quirks.reasoningField] = reasoning
  const isReasoningLost = message.content.some((part) => part.type === 'reasoning' && isLost(part, isReasoningTaken))
  if (isReasoningLost) drop('messages.reasoning')
  if (calls.length > 0) {
    wire.tool_calls = calls.map(
      (call): WireToolCall => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: call.arguments },
      }),
    )
  }
  return wire
}

const STAND_IN: TextPart = Object.freeze({ type: 'text', text: MADE_IMAGE_STAND_IN })

function isImage(part: AssistantPart): boolean {
  return part.type === 'made-image'
}

function isText(part: AssistantPart): part is TextPart {
  return part.type === 'text'
}

/** Only its vendor can read encrypted thinking; a signature alone has no meaning here and is no loss. */
function isLost(part: ReasoningPart, isReasoningTaken: boolean): boolean {
  return part.redacted !== null || (part.text !== '' && !isReasoningTaken)
}

function encodeToolResult(result: ToolMessage['content'][number], { quirks, drop }: Vendor): WireMessage {
  if (result.isError) drop('is_error')
  const texts = result.content.filter((part) => part.type === 'text')
  return { role: 'tool', tool_call_id: result.callId, content: encodeTexts(texts, quirks) }
}

/** A tool message contains only text; the images and documents of a run of results follow in a user turn. */
function encodeResultMedia(messages: readonly Message[], last: number, quirks: Quirks): WireMessage[] {
  const media: UserPart[] = []
  for (let i = last; i >= 0; i--) {
    const message = messages[i]
    if (message?.role !== 'tool') break
    media.unshift(...message.content.flatMap((result) => result.content.filter((part) => part.type !== 'text')))
  }
  return media.length === 0 ? [] : [{ role: 'user', content: encodeParts(media, quirks) }]
}

/** A vendor with the full wire gets the texts unchanged; many others accept only a string. */
function encodeTexts(texts: readonly TextPart[], quirks: Quirks): string | WireContentPart[] {
  if (quirks.developerRole && texts.length > 1) return texts.map((part) => ({ type: 'text', text: part.text }))
  return texts.map((part) => part.text).join(PARAGRAPH)
}

function encodeParts(parts: readonly UserPart[], quirks: Quirks): string | WireContentPart[] {
  const texts = parts.filter((part) => part.type === 'text')
  if (texts.length === parts.length) return encodeTexts(texts, quirks)
  const content: WireContentPart[] = []
  for (const part of parts) {
    if (part.type === 'text') content.push({ type: 'text', text: part.text })
    else if (part.type === 'image') content.push(encodeImage(part))
    else if (part.type === 'document') content.push(encodeDocument(part))
    else if (part.type === 'file') content.push({ type: 'file', file: { file_id: part.id } })
  }
  return content
}

function encodeImage({ source, detail }: ImagePart): WireContentPart {
  const url = urlOf(source)
  return { type: 'image_url', image_url: detail === null ? { url } : { url, detail } }
}

/** The name of a document without one: the vendor requires a name with the bytes. */
const DOCUMENT_NAME = 'document.pdf'

function encodeDocument({ source, name }: DocumentPart): WireContentPart {
  return { type: 'file', file: { filename: name ?? DOCUMENT_NAME, file_data: urlOf(source) } }
}

function urlOf(source: MediaSource): string {
  return source.kind === 'url' ? source.url : `data:${source.mediaType};base64,${source.base64}`
}

/** Images in base64, or by URL if the vendor accepts that; PDFs in base64 if it accepts documents. */
export function carries({ type, source }: MediaPart, { quirks }: Target): boolean {
  if (type === 'image') return source.kind === 'base64' || quirks.imageUrls
  return quirks.documents && source.kind === 'base64' && source.mediaType === PDF
}

const PDF = 'application/pdf'
