// Parts of an answer as clients get them, whole or streamed. Each is one object of the vendor's `parts`.
import { type JsonObject } from '../../../model/json.js'
import { type AssistantPart } from '../../../model/request.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { encodeRedacted, encodeSignature } from '../signature.js'

/** A part without anything in it: clients take a content without parts for invalid. */
export const EMPTY_PART: JsonObject = Object.freeze({ text: '' })

/** One part of a whole answer. */
export function encodePart(part: AssistantPart): JsonObject {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return { text: part.text }
    case 'reasoning':
      return encodeThought(part.text, part.signature, part.redacted)
    case 'tool-call':
      return encodeCall(part, part.arguments, part.signature)
  }
}

/** A thought, or the end of one, with what its vendor has signed or encrypted. */
export function encodeThought(text: string, signature: string | null, redacted: string | null): JsonObject {
  const sealed = redacted === null ? signature && encodeSignature(signature) : encodeRedacted(redacted)
  return { text, thought: true, ...(sealed ? { thoughtSignature: sealed } : {}) }
}

/** The signature at the end of a text. */
export function encodeTextSignature(signature: string): JsonObject {
  return { text: '', thoughtSignature: encodeSignature(signature) }
}

/** A whole call: this wire has no fragments of one. Malformed arguments are kept as text in a member of ours. */
export function encodeCall(call: { id: string; name: string }, text: string, signature: string | null): JsonObject {
  const args = parseToolArguments(text) ?? { arguments: text }
  const functionCall = { id: call.id, name: call.name, args }
  return { functionCall, ...(signature === null ? {} : { thoughtSignature: encodeSignature(signature) }) }
}
