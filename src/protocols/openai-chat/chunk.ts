// What both the stream decoder and the observer read from a frame: end marker and errors.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { textOf } from '../scalars.js'

const DONE = Buffer.from('[DONE]')
const BRACKET_OPEN = 0x5b

/** Members that hide the length of a chunk, and mean nothing: OpenAI sends one in each (`include_obfuscation`). */
export const PADDING: readonly Buffer[] = Object.freeze([Buffer.from('"obfuscation"')])

/** True for the `[DONE]` that ends a stream. */
export function isDoneMarker(data: Buffer): boolean {
  return data[0] === BRACKET_OPEN && data.subarray(0, DONE.length).equals(DONE)
}

/**
 * The error in a chunk, or in a whole answer with status 200, if there is one: `{error: ...}`, older vLLM's
 * `{object: "error", message}`, Groq's reason for stopping early, or OpenRouter's error on the choice.
 */
export function errorIn(chunk: JsonObject): JsonValue | null {
  const { error } = chunk
  if (isJsonObject(error) || (typeof error === 'string' && error !== '')) return error
  if (chunk.object === 'error') return chunk
  if (isJsonObject(chunk.x_groq) && textOf(chunk.x_groq.error) !== null) return textOf(chunk.x_groq.error)
  const choice = firstChoice(chunk)
  return choice !== null && isJsonObject(choice.error) ? choice.error : null
}

/** The choice with index 0; others (`n` > 1) have no place in the canonical model. */
export function firstChoice(chunk: JsonObject): JsonObject | null {
  if (!Array.isArray(chunk.choices)) return null
  for (const choice of chunk.choices) {
    if (isJsonObject(choice) && (choice.index === undefined || choice.index === 0)) return choice
  }
  return null
}
