// Parts of an answer as clients get them, whole or streamed. Each is one object of the vendor's `parts`.
import { type JsonObject } from '../../../model/json.js'
import { type MediaSource } from '../../../model/request.js'
import { type AnswerPart } from '../../../model/response.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { type RarePart } from '../../fit/answer.js'
import { encodeRedacted, encodeSignature } from '../signature.js'

/** A part without anything in it: clients take a content without parts for invalid. */
export const EMPTY_PART: JsonObject = Object.freeze({ text: '' })

/** One part of a whole answer. */
export function encodePart(part: AnswerPart): JsonObject {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return { text: part.text }
    case 'reasoning':
      return encodeThought(part.text, part.signature, part.redacted)
    case 'tool-call':
      return encodeCall(part, part.arguments, part.signature)
    case 'made-image':
      return encodeImage(part.source, null)
    case 'opaque':
      return part.value
  }
}

/** Whether this wire has a place for it: pages, images that are bytes, and what is its own. */
export function hasPlaceFor(part: RarePart): boolean {
  if (part.kind === 'citation') return part.url !== null
  return part.kind === 'image' ? part.source.kind === 'base64' : part.wire === WIRE
}

const WIRE = 'google-gemini'

/** An image that a model has made. */
export function encodeImage(source: MediaSource, signature: string | null): JsonObject {
  const [mimeType, data] = source.kind === 'base64' ? [source.mediaType, source.base64] : ['', '']
  return {
    inlineData: { mimeType, data },
    ...(signature === null ? {} : { thoughtSignature: encodeSignature(signature) }),
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
