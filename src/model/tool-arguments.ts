// Tool-call arguments travel as the text the model wrote; some wires want an object. So do results of tools, which are text, too.
import { isJsonObject, type JsonObject, type JsonValue } from './json.js'

/** As deep as a body may be: JSON in a text is not checked with its body, and what is written of it is written recursively. */
const MAX_DEPTH = 128

/** The arguments as an object: empty text is `{}`; null for what parseObject does not read. */
export function parseToolArguments(text: string): JsonObject | null {
  return text.trim() === '' ? {} : parseObject(text)
}

/** The JSON object in a text; null when it is none, or nested too deeply to be written again. */
export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) && isWithin(value, MAX_DEPTH) ? value : null
  } catch {
    return null
  }
}

/** Whether it has at most so many levels. */
function isWithin(value: JsonValue | undefined, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  const members: Readonly<Record<string, JsonValue>> = value as JsonObject
  for (const name in members) if (!isWithin(members[name], levels - 1)) return false
  return true
}
