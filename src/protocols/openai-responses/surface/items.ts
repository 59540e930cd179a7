// Output items of this surface: what a block of the canonical model becomes, as a skeleton when it begins and whole when it ends.
import { type ImageHead, type OpaqueHead } from '../../../model/event.js'
import { type JsonObject } from '../../../model/json.js'
import { type MadeImagePart, type TextPart } from '../../../model/request.js'
import { type AnswerPart, type OpaquePart } from '../../../model/response.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { encodeAnnotations } from '../parts/annotations.js'
import { encodeMade } from '../parts/made.js'
import { isSealed, seal, unmarkEncrypted } from '../sealed.js'
import { type ToolName, unpackName } from '../tool-names.js'
import { RawInput } from './raw-input.js'

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'
type CallPart = { readonly id: string; readonly name: string }

/** Prefixes of the vendor's ids, by which its clients tell items apart in logs. */
const ID_PREFIX = {
  message: 'msg',
  image: 'ig',
  reasoning: 'rs',
  function: 'fc',
  custom: 'ctc',
  search: 'tsc',
} as const

/** The id of the item at this place; `base` is that of its response. */
export function itemId(kind: keyof typeof ID_PREFIX, base: string, index: number): string {
  return `${ID_PREFIX[kind]}_${base}_${index}`
}

/** A text as a part of a message. */
export function encodeText(text: string, annotations: JsonObject[] = []): JsonObject {
  return { type: 'output_text', annotations, logprobs: [], text }
}

function encodeCited({ text, citations = [] }: TextPart): JsonObject {
  return encodeText(text, encodeAnnotations(citations, text.length))
}

/** What the model said in place of an answer, as a part of a message. */
export function encodeRefusal(refusal: string): JsonObject {
  return { type: 'refusal', refusal }
}

/** `part` null: a message that has just begun. */
export function encodeMessage(id: string, part: JsonObject | null, status: ItemStatus): JsonObject {
  return { id, type: 'message', status, role: 'assistant', content: part === null ? [] : [part] }
}

/** Reasoning as a summary, which is what clients show. `encrypted` null: the item has nothing that must come back. */
export function encodeReasoning(id: string, text: string, encrypted: string | null): JsonObject {
  const summary = text === '' ? [] : [{ type: 'summary_text', text }]
  return { id, type: 'reasoning', summary, ...(encrypted === null ? {} : { encrypted_content: encrypted }) }
}

/** What a client must send back with a reasoning block; null for nothing. */
export function sealReasoning(signature: string | null, redacted: string | null): string | null {
  if (redacted !== null) return seal({ kind: 'redacted', redacted })
  if (signature === null) return null
  const own = unmarkEncrypted(signature, '')
  // Text of the vendor's own that looks like ours would be taken for ours when it comes back.
  if (own !== null && !isSealed(own)) return own
  return seal({ kind: 'signature', signature })
}

/** A call of a tool, as the kind of item that the tool is. `text`: arguments, or the raw input of a custom tool. */
export function encodeCall(id: string, call: CallPart, tool: ToolName, text: string, status: ItemStatus): JsonObject {
  const space = tool.namespace === null ? {} : { namespace: tool.namespace }
  const head = { id, status, call_id: call.id }
  if (tool.kind === 'custom') return { ...head, type: 'custom_tool_call', name: tool.name, ...space, input: text }
  if (tool.kind === 'function') return { ...head, type: 'function_call', name: tool.name, ...space, arguments: text }
  return { ...head, type: 'tool_search_call', execution: 'client', arguments: parseToolArguments(text) ?? {} }
}

/** Arguments of a call without any: what the vendor writes, and what every client can parse. */
export const NO_ARGUMENTS = '{}'

/** All items of a whole answer; never none, since clients read an empty list as no answer at all (BerriAI/litellm#41014). */
export function encodeItems(
  parts: readonly AnswerPart[],
  { base, names, isCut }: { readonly base: string; readonly names: JsonObject; readonly isCut: boolean },
): JsonObject[] {
  const items: JsonObject[] = []
  parts.forEach((part, i) => {
    const status = isCut && i === parts.length - 1 ? 'incomplete' : 'completed'
    const index = items.length
    if (part.type === 'text' || part.type === 'refusal') {
      const content = part.type === 'text' ? encodeCited(part) : encodeRefusal(part.text)
      items.push(encodeMessage(itemId('message', base, index), content, status))
    } else if (part.type === 'reasoning') {
      const encrypted = sealReasoning(part.signature, part.redacted)
      items.push(encodeReasoning(itemId('reasoning', base, index), part.text, encrypted))
    } else if (part.type === 'made-image' || part.type === 'opaque') {
      items.push(encodeMade(itemId('image', base, index), headOf(part)).whole)
    } else {
      const tool = unpackName(names, part.name)
      const text = tool.kind === 'custom' ? rawInputOf(part.arguments) : part.arguments || NO_ARGUMENTS
      items.push(encodeCall(itemId(tool.kind, base, index), part, tool, text, status))
      if (part.signature !== null) items.push(encodeCallSignature(base, items.length, part.id, part.signature))
    }
  })
  if (items.length > 0) return items
  return [encodeMessage(itemId('message', base, 0), encodeText(''), isCut ? 'incomplete' : 'completed')]
}

function headOf(part: MadeImagePart | OpaquePart): ImageHead | OpaqueHead {
  if (part.type === 'made-image') return { kind: 'image', source: part.source }
  const { wire, name, value } = part
  return { kind: 'opaque', wire, name, value }
}

/** A reasoning item behind a call, for the signature that must come back with it: clients keep no further member of a call. */
export function encodeCallSignature(base: string, index: number, callId: string, signature: string): JsonObject {
  return encodeReasoning(itemId('reasoning', base, index), '', seal({ kind: 'call', callId, signature }))
}

function rawInputOf(text: string): string {
  const input = new RawInput()
  input.push(text)
  input.end()
  return input.text
}
