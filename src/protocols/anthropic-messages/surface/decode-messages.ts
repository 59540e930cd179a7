// Turns of a validated Messages body -> canonical messages. Only between different protocols; otherwise the bytes pass unchanged.
import { GatewayError } from '../../../errors.js'
import { type JsonObject } from '../../../model/json.js'
import {
  type AssistantPart,
  type Message,
  type TextPart,
  type ToolResultPart,
  type UserPart,
} from '../../../model/request.js'
import { type BlockParam, type MessageParam } from '../wire.js'
import { decodeContent, decodeText } from './decode-content.js'
import { kindOf, readableText } from './readable-text.js'

export type DecodedMessages = {
  readonly messages: readonly Message[]
  /** Text of `system` turns, which is added to the system prompt: no other protocol has such turns. */
  readonly system: readonly TextPart[]
  /** Types of the vendor's own blocks, of which only the readable text is kept. */
  readonly reduced: ReadonlySet<string>
}

/**
 * Decodes all turns. A user turn with tool results becomes a `tool` message and, for the rest, a `user` message.
 * @throws invalid_request with `param` for a system turn that is not text
 */
export function decodeMessages(params: readonly MessageParam[]): DecodedMessages {
  const messages: Message[] = []
  const system: TextPart[] = []
  const reduced = new Set<string>()
  const toolNames = new Map<string, string>()
  for (let index = 0; index < params.length; index++) {
    const param = params[index]
    if (param === undefined) continue
    const blocks = blocksOf(param.content)
    if (param.role === 'assistant') {
      messages.push({ role: 'assistant', content: decodeAssistant(blocks, { toolNames, reduced }) })
    } else if (param.role === 'system') {
      blocks.forEach((block, at) => {
        if (block.type !== 'text') throw refusal(`messages.${index}.content.${at}`, block.type)
        system.push(decodeText(block))
      })
    } else {
      for (const run of decodeUser(blocks, `messages.${index}.content`, { toolNames, reduced })) messages.push(run)
    }
  }
  return { messages, system, reduced }
}

function blocksOf(content: string | BlockParam[]): readonly BlockParam[] {
  if (typeof content !== 'string') return content
  return content === '' ? [] : [{ type: 'text', text: content }]
}

/** Names of the calls so far, by id, and the types of blocks of which only text was kept. */
type Seen = { readonly toolNames: Map<string, string>; readonly reduced: Set<string> }

function decodeAssistant(blocks: readonly BlockParam[], { toolNames, reduced }: Seen): AssistantPart[] {
  return blocks.map((block): AssistantPart => {
    switch (block.type) {
      case 'text':
        if ((block.citations?.length ?? 0) > 0) reduced.add('citations')
        return decodeText(block)
      case 'thinking':
        return { type: 'reasoning', text: block.thinking, signature: block.signature || null, redacted: null }
      case 'redacted_thinking':
        return { type: 'reasoning', text: '', signature: null, redacted: block.data }
      case 'tool_use':
        toolNames.set(block.id, block.name)
        return {
          type: 'tool-call',
          id: block.id,
          name: block.name,
          arguments: JSON.stringify(block.input),
          signature: null,
        }
      default:
        reduced.add(kindOf(block as JsonObject))
        return { type: 'text', text: readBlock(block as JsonObject) }
    }
  })
}

/** The text of a block about a tool that the vendor runs itself: its call or its result. */
function readBlock(block: JsonObject): string {
  const isCall = typeof block.name === 'string' && block.input !== undefined
  const text = isCall ? `${block.name}(${JSON.stringify(block.input)})` : readableText(block)
  // Ends with a line break, since some wires join the texts of a turn.
  return text === '' ? `[${kindOf(block)} omitted]\n` : `[${kindOf(block)}]\n${text}\n`
}

/** Splits a turn into runs of tool results and of other parts, in order, so that a result never moves behind later text. */
function decodeUser(blocks: readonly BlockParam[], path: string, { toolNames, reduced }: Seen): Message[] {
  const runs: Message[] = []
  let results: ToolResultPart[] = []
  let parts: UserPart[] = []
  const flush = () => {
    if (results.length > 0) runs.push({ role: 'tool', content: results })
    if (parts.length > 0) runs.push({ role: 'user', content: parts })
    results = []
    parts = []
  }
  blocks.forEach((block, at) => {
    const blockPath = `${path}.${at}`
    if (block.type !== 'tool_result') {
      parts.push(...decodeContent(block, blockPath, reduced))
      return
    }
    if (parts.length > 0) flush()
    results.push({
      type: 'tool-result',
      callId: block.tool_use_id,
      name: toolNames.get(block.tool_use_id) ?? null,
      content: blocksOf(block.content ?? '').flatMap((inner, i) =>
        decodeContent(inner, `${blockPath}.content.${i}`, reduced),
      ),
      isError: block.is_error === true,
    })
  })
  flush()
  return runs
}

function refusal(path: string, type: string): GatewayError {
  const param = `${path}.type`
  const message = `${param}: '${type}' is not valid here, or cannot be translated for a provider with another API`
  return new GatewayError('invalid_request', { param, message })
}
