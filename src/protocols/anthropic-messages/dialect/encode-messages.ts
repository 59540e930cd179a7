// Canonical messages -> turns of a Messages body, as strict as the vendor is: alternating roles, tool results first,
// no blank text, no thinking block without its signature. Counterpart of decode-messages.ts.
import { type JsonObject } from '../../../model/json.js'
import {
  type AssistantPart,
  type MediaPart,
  type MediaSource,
  type Message,
  type ReasoningPart,
  type TextPart,
  type ToolResultPart,
  type UserPart,
} from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { MADE_IMAGE_STAND_IN, MADE_IMAGES } from '../../fit/content.js'

type Turn = { readonly role: 'user' | 'assistant'; readonly content: JsonObject[] }
type Context = { readonly target: Target; readonly dropped: Set<string> }

/** Characters that the vendor rejects in the id of a tool call (its pattern is `^[a-zA-Z0-9_-]+$`); other vendors use them. */
const ID_REFUSED = /[^a-zA-Z0-9_-]/g

/** The vendor's signatures are base64. Other dialects mark theirs with a name and a colon. */
const OWN_SIGNATURE = /^[A-Za-z0-9+/_=-]+$/

/** Member that wraps tool arguments that are not a JSON object: the vendor requires one, and the model should see what it wrote. */
const ILL_FORMED_ARGUMENTS = 'raw_arguments'

/**
 * Encodes all turns, merging neighbours of one role as the vendor does itself; turns left without content are left out.
 * What cannot be carried is named in `dropped`.
 */
export function encodeMessages(messages: readonly Message[], target: Target, dropped: Set<string>): JsonObject[] {
  const context: Context = { target, dropped }
  const turns: Turn[] = []
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const blocks = encodeContent(message, context)
    if (blocks.length === 0) continue
    const last = turns.at(-1)
    // No spread: a turn may hold more blocks than a call takes arguments.
    if (last?.role === role) for (const block of blocks) last.content.push(block)
    else turns.push({ role, content: blocks })
  }
  return turns.map((turn) => ({
    role: turn.role,
    content: turn.role === 'user' ? resultsFirst(turn.content) : turn.content,
  }))
}

function encodeContent(message: Message, context: Context): JsonObject[] {
  switch (message.role) {
    case 'user':
      return encodeUserParts(message.content, context)
    case 'tool':
      return message.content.map((part) => encodeToolResult(part, context))
    case 'assistant':
      return encodeAssistantParts(message.content, context)
  }
}

/** The vendor rejects text before a tool result in the same turn; the order within each kind is kept. */
function resultsFirst(content: JsonObject[]): JsonObject[] {
  const isResult = (block: JsonObject) => block.type === 'tool_result'
  const firstOther = content.findIndex((block) => !isResult(block))
  if (firstOther < 0 || !content.slice(firstOther).some(isResult)) return content
  return [...content.filter(isResult), ...content.filter((block) => !isResult(block))]
}

function encodeUserParts(parts: readonly UserPart[], { dropped }: Context): JsonObject[] {
  const blocks: JsonObject[] = []
  for (const part of parts) {
    if (part.type === 'text') {
      if (!isBlank(part)) blocks.push(encodeText(part))
    } else if (part.type === 'image') {
      if (part.detail === 'low' || part.detail === 'high') dropped.add('detail')
      blocks.push({ type: 'image', source: encodeSource(part.source) })
    } else if (part.type === 'file') {
      const type = part.mediaType?.startsWith('image/') === true ? 'image' : 'document'
      blocks.push({ type, source: { type: 'file', file_id: part.id } })
    } else if (part.type === 'document') {
      const title = part.name === null ? {} : { title: part.name }
      blocks.push({ type: 'document', source: encodeSource(part.source), ...title })
    }
  }
  return blocks
}

function encodeSource(source: MediaSource): JsonObject {
  return source.kind === 'url'
    ? { type: 'url', url: source.url }
    : { type: 'base64', media_type: source.mediaType, data: source.base64 }
}

/** Images and PDFs, in base64 or by URL if the server accepts that. */
export function carries({ type, source }: MediaPart, { quirks }: Target): boolean {
  if (type === 'document' && !quirks.documents) return false
  if (source.kind === 'url') return quirks.imageUrls
  return type === 'image' || source.mediaType === PDF
}

const PDF = 'application/pdf'

/** One text block with its cache breakpoint; also used for the system prompt. */
export function encodeText(part: TextPart): JsonObject {
  const block: JsonObject = { type: 'text', text: part.text }
  if (part.cacheBreakpoint === true) block.cache_control = { type: 'ephemeral' }
  return block
}

/** The vendor rejects text blocks without a visible character. */
export function isBlank(part: Pick<TextPart, 'text'>): boolean {
  return part.text.trim() === ''
}

function encodeToolResult(part: ToolResultPart, context: Context): JsonObject {
  const block: JsonObject = { type: 'tool_result', tool_use_id: encodeCallId(part.callId) }
  const content = encodeUserParts(part.content, context)
  if (content.length > 0) block.content = content
  if (part.isError) block.is_error = true
  return block
}

/** The same replacement on both sides keeps a call and its result together. */
function encodeCallId(id: string): string {
  return id.replace(ID_REFUSED, '_')
}

/** Thinking opens its message unless the model itself has put another thinking block first (interleaved thinking). */
function encodeAssistantParts(parts: readonly AssistantPart[], context: Context): JsonObject[] {
  const isReasoning = (part: AssistantPart) => part.type === 'reasoning'
  const first = parts[0]
  const isOrdered = first === undefined || isReasoning(first) || !parts.some(isReasoning)
  const ordered = isOrdered ? parts : [...parts.filter(isReasoning), ...parts.filter((part) => !isReasoning(part))]
  return ordered.map((part) => encodeAssistantPart(part, context)).filter((block) => block !== null)
}

function encodeAssistantPart(part: AssistantPart, context: Context): JsonObject | null {
  switch (part.type) {
    case 'text':
      return isBlank(part) ? null : encodeText(part)
    // This wire has no block for it.
    case 'refusal':
      return isBlank(part) ? null : { type: 'text', text: part.text }
    case 'made-image':
      context.dropped.add(MADE_IMAGES)
      return { type: 'text', text: MADE_IMAGE_STAND_IN }
    case 'tool-call':
      return {
        type: 'tool_use',
        id: encodeCallId(part.id),
        name: part.name,
        input: encodeToolInput(part.arguments),
      }
    case 'reasoning':
      if (part.redacted !== null) return { type: 'redacted_thinking', data: part.redacted }
      if (isOwnThinking(part)) return { type: 'thinking', thinking: part.text, signature: part.signature }
      // Thinking of another vendor's model has no signature or a foreign one, and the vendor rejects both.
      context.dropped.add('messages.reasoning')
      return null
  }
}

/** True for thinking that the vendor itself has signed or encrypted. */
export function isOwnThinking(part: ReasoningPart): boolean {
  return part.redacted !== null || (part.signature !== null && OWN_SIGNATURE.test(part.signature))
}

/** Arguments as the object that the vendor requires; other text is wrapped, so that no request fails because of it. */
export function encodeToolInput(text: string): JsonObject {
  return parseToolArguments(text) ?? { [ILL_FORMED_ARGUMENTS]: text }
}
