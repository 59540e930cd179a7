// System text and turns of the canonical request -> `messages`. Content is one string here; images are a separate member.
import { type AssistantPart, type ChatRequest, type MediaPart, type ToolResultPart } from '../../../model/request.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { MADE_IMAGE_STAND_IN, MADE_IMAGES } from '../../fit/content.js'
import { type Message } from '../wire.js'

/** Joins parts that were separate in the client's request. */
const PART_BREAK = '\n'
const SYSTEM_BREAK = '\n\n'

/** Encodes system text and turns; what cannot be carried is added to `dropped`. */
export function encodeMessages(request: ChatRequest, dropped: Set<string>): Message[] {
  const messages: Message[] = []
  const callNames = new Map<string, string>()
  const system = request.system.map((part) => part.text).join(SYSTEM_BREAK)
  if (system !== '') messages.push({ role: 'system', content: system })
  for (const message of request.messages) {
    switch (message.role) {
      case 'user':
        messages.push({ role: 'user', ...encodeContent(message.content, dropped) })
        break
      case 'assistant':
        for (const part of message.content) if (part.type === 'tool-call') callNames.set(part.id, part.name)
        messages.push(encodeAssistant(message.content, dropped))
        break
      case 'tool':
        for (const result of message.content) messages.push(encodeToolResult(result, callNames, dropped))
    }
  }
  return messages
}

type Content = { content: string; images?: string[] }

function encodeContent(parts: ToolResultPart['content'], dropped: Set<string>): Content {
  const texts: string[] = []
  const images: string[] = []
  for (const part of parts) {
    if (part.type === 'text') texts.push(part.text)
    else if (part.type === 'image' && part.source.kind === 'base64') {
      if (part.detail === 'low' || part.detail === 'high') dropped.add('detail')
      images.push(part.source.base64)
    }
  }
  return { content: texts.join(PART_BREAK), ...(images.length === 0 ? {} : { images }) }
}

/** Accepts images in base64 only. */
export function carries({ type, source }: MediaPart): boolean {
  return type === 'image' && source.kind === 'base64'
}

function encodeAssistant(parts: readonly AssistantPart[], dropped: Set<string>): Message {
  const message: Message = { role: 'assistant', content: '' }
  for (const part of parts) {
    switch (part.type) {
      case 'text':
      case 'refusal':
        message.content += part.text
        break
      case 'made-image':
        dropped.add(MADE_IMAGES)
        message.content += MADE_IMAGE_STAND_IN
        break
      case 'reasoning':
        // A signature means nothing here and encrypted thinking cannot be read by another vendor's model.
        if (part.redacted !== null) dropped.add('messages.reasoning')
        else if (part.text !== '') message.thinking = (message.thinking ?? '') + part.text
        break
      case 'tool-call': {
        message.tool_calls ??= []
        // Malformed arguments are kept as text in a member of ours: the turn must show what the model wrote.
        const args = parseToolArguments(part.arguments) ?? { arguments: part.arguments }
        message.tool_calls.push({ id: part.id, function: { name: part.name, arguments: args } })
      }
    }
  }
  return message
}

function encodeToolResult(result: ToolResultPart, callNames: Map<string, string>, dropped: Set<string>): Message {
  if (result.isError) dropped.add('is_error')
  return {
    role: 'tool',
    ...encodeContent(result.content, dropped),
    tool_name: result.name ?? callNames.get(result.callId) ?? result.callId,
    tool_call_id: result.callId,
  }
}
