// Tool-call arguments travel as the text the model wrote; some wires want an object.
import { isJsonObject, type JsonObject } from './json.js'

/** The arguments as an object: empty text is `{}`; null when the text is not a JSON object. */
export function parseToolArguments(text: string): JsonObject | null {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : null
  } catch {
    return null
  }
}
