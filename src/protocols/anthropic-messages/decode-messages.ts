// Turns of a checked Messages body -> canonical messages. What no other protocol can carry is refused with its path,
// which only happens on a cross-protocol way: on the same-protocol way the bytes pass and this file is not called.
import { GatewayError } from '../../errors.js'
import {
  type AssistantPart,
  type ImagePart,
  type Message,
  type TextPart,
  type ToolResultPart,
  type UserPart,
} from '../../model/request.js'
import { type BlockParam, type ImageBlockParam, type MessageParam, type TextBlockParam } from './wire.js'

/** Canonical turns, and the text of `system` turns, which joins the system prompt: no other protocol has its place. */
export type DecodedMessages = { readonly messages: readonly Message[]; readonly system: readonly TextPart[] }

/**
 * Decodes all turns. A user turn with tool results becomes a `tool` message and, for the rest, a `user` message.
 * @throws invalid_request with `param` for blocks that the canonical model does not know
 */
export function decodeMessages(params: readonly MessageParam[]): DecodedMessages {
  const messages: Message[] = []
  const system: TextPart[] = []
  const toolNames = new Map<string, string>()
  for (let index = 0; index < params.length; index++) {
    const param = params[index]
    if (param === undefined) continue
    const blocks = blocksOf(param.content)
    if (param.role === 'assistant') {
      messages.push({ role: 'assistant', content: decodeAssistant(blocks, index, toolNames) })
    } else if (param.role === 'system') {
      blocks.forEach((block, at) => {
        if (block.type !== 'text') throw refusal(`messages.${index}.content.${at}`, block.type)
        system.push(decodeText(block))
      })
    } else {
      for (const run of decodeUser(blocks, index, toolNames)) messages.push(run)
    }
  }
  return { messages, system }
}

function blocksOf(content: string | BlockParam[]): readonly BlockParam[] {
  if (typeof content !== 'string') return content
  return content === '' ? [] : [{ type: 'text', text: content }]
}

function decodeAssistant(
  blocks: readonly BlockParam[],
  index: number,
  toolNames: Map<string, string>,
): AssistantPart[] {
  return blocks.map((block, at): AssistantPart => {
    switch (block.type) {
      case 'text':
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
        throw refusal(`messages.${index}.content.${at}`, block.type)
    }
  })
}

/** Runs of tool results and of other parts in their order, so that a result never moves behind later text. */
function decodeUser(blocks: readonly BlockParam[], index: number, toolNames: ReadonlyMap<string, string>): Message[] {
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
    const path = `messages.${index}.content.${at}`
    if (block.type !== 'tool_result') {
      parts.push(decodeUserPart(block, path))
      return
    }
    if (parts.length > 0) flush()
    results.push({
      type: 'tool-result',
      callId: block.tool_use_id,
      name: toolNames.get(block.tool_use_id) ?? null,
      content: blocksOf(block.content ?? '').map((inner, i) => decodeUserPart(inner, `${path}.content.${i}`)),
      isError: block.is_error === true,
    })
  })
  flush()
  return runs
}

function decodeUserPart(block: BlockParam, path: string): UserPart {
  if (block.type === 'text') return decodeText(block)
  if (block.type === 'image') return decodeImage(block, path)
  throw refusal(path, block.type)
}

/** One text block with its cache breakpoint; also used for the system prompt. */
export function decodeText(block: TextBlockParam): TextPart {
  const isBreakpoint = block.cache_control !== undefined && block.cache_control !== null
  return isBreakpoint ? { type: 'text', text: block.text, cacheBreakpoint: true } : { type: 'text', text: block.text }
}

function decodeImage(block: ImageBlockParam, path: string): ImagePart {
  const source = block.source
  if (source.type === 'base64' && typeof source.media_type === 'string' && typeof source.data === 'string') {
    return {
      type: 'image',
      source: { kind: 'base64', mediaType: source.media_type, base64: source.data },
      detail: null,
    }
  }
  if (source.type === 'url' && typeof source.url === 'string') {
    return { type: 'image', source: { kind: 'url', url: source.url }, detail: null }
  }
  throw refusal(`${path}.source`, source.type)
}

function refusal(path: string, type: string): GatewayError {
  const param = `${path}.type`
  const message = `${param}: '${type}' is not valid here, or cannot be carried to a provider of another protocol`
  return new GatewayError('invalid_request', { param, message })
}
