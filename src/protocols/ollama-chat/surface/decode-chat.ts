// A validated chat -> the canonical request. Only between different protocols; its counterpart is dialect/encode-request.ts.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type AssistantPart,
  type ChatRequest,
  type Message,
  type TextPart,
  type ToolDefinition,
  type UserPart,
} from '../../../model/request.js'
import { invalidField } from '../../fields/field-error.js'
import { CallIds } from '../../fit/call-ids.js'
import { booleanOf, stringOf, textOf } from '../../scalars.js'
import { decodeImage } from './decode-image.js'
import { decodeExtensions, decodeFormat, decodeSampling, decodeThink, findLost } from './decode-options.js'

/** Members that have a canonical place; all others go to `extensions`. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['model', 'messages', 'stream', 'format', 'think', 'options', 'tools'],
])

/**
 * The canonical request of a body that readChatFacts has accepted.
 * @throws invalid_request without messages, which on this wire only loads or unloads a model
 */
export function decodeChat(body: JsonObject): ChatRequest {
  const messages = listOf(body.messages).filter(isJsonObject)
  if (messages.length === 0) throw invalidField('messages', 'must not be empty')
  const system: TextPart[] = []
  for (const { role, content } of messages) {
    if (role === 'system' && typeof content === 'string') system.push({ type: 'text', text: content })
  }
  return {
    model: String(body.model),
    stream: body.stream !== false,
    includeUsage: true,
    system,
    messages: decodeMessages(messages),
    tools: listOf(body.tools).flatMap((tool) => (isJsonObject(tool) ? decodeTool(tool) : [])),
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: decodeFormat(body),
    reasoning: decodeThink(body),
    sampling: decodeSampling(body),
    user: null,
    extensions: decodeExtensions(body, KNOWN_FIELDS, findLost(body)),
  }
}

function decodeMessages(messages: readonly JsonObject[]): Message[] {
  const calls = new CallIds(messages.flatMap(idsOf))
  return messages.flatMap((message, index): Message[] => {
    const path = `messages.${index}`
    switch (message.role) {
      case 'assistant':
        return [{ role: 'assistant', content: decodeAssistant(message, calls) }]
      case 'tool': {
        const name = textOf(message.tool_name)
        const callId = calls.answered(name, textOf(message.tool_call_id))
        const content = decodeContent(message, path)
        return [{ role: 'tool', content: [{ type: 'tool-result', callId, name, content, isError: false }] }]
      }
      case 'user':
        return [{ role: 'user', content: decodeContent(message, path) }]
      default:
        return []
    }
  })
}

function idsOf({ tool_call_id: answered, tool_calls: calls }: JsonObject): string[] {
  const ids = listOf(calls).map((call) => (isJsonObject(call) ? call.id : null))
  return [answered, ...ids].filter((id) => typeof id === 'string')
}

function decodeContent({ content, images }: JsonObject, path: string): UserPart[] {
  const text = textOf(content)
  const parts: UserPart[] = text === null ? [] : [{ type: 'text', text }]
  for (const [index, image] of listOf(images).entries()) {
    if (typeof image === 'string') parts.push(decodeImage(image, `${path}.images.${index}`))
  }
  return parts
}

/** Thinking first, then the content, then the calls: the order in which the model writes them. */
function decodeAssistant({ thinking, content, tool_calls: called }: JsonObject, calls: CallIds): AssistantPart[] {
  const parts: AssistantPart[] = []
  const thought = textOf(thinking)
  const text = textOf(content)
  if (thought !== null) parts.push({ type: 'reasoning', text: thought, signature: null, redacted: null })
  if (text !== null) parts.push({ type: 'text', text })
  for (const call of listOf(called)) {
    if (!isJsonObject(call) || !isJsonObject(call.function)) continue
    const { name, arguments: given } = call.function
    const id = calls.called(String(name), textOf(call.id))
    const args = JSON.stringify(isJsonObject(given) ? given : {})
    parts.push({ type: 'tool-call', id, name: String(name), arguments: args, signature: null })
  }
  return parts
}

function decodeTool({ function: tool }: JsonObject): ToolDefinition[] {
  if (!isJsonObject(tool)) return []
  const { name, description, parameters, strict } = tool
  return [
    {
      name: String(name),
      description: stringOf(description),
      parameters: isJsonObject(parameters) ? parameters : {},
      strict: booleanOf(strict),
    },
  ]
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return isJsonArray(value) ? value : []
}
