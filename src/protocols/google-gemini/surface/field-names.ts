// The vendor's JSON accepts each field in two spellings, `systemInstruction` and `system_instruction`, and one object where a list of
// one is meant; its own examples use all of them. Everything behind this file sees one spelling and lists.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'

/** Members whose inside is the client's own, or a schema with names of the client's: left as they are. */
const OPAQUE: ReadonlySet<string> = new Set([
  ...['args', 'response', 'parameters', 'parametersJsonSchema', 'responseSchema', 'responseJsonSchema', 'labels'],
])
/** Members that are lists. */
const LISTS: ReadonlySet<string> = new Set(['contents', 'parts', 'tools', 'functionDeclarations'])
const UNDERSCORE = /(?<=[a-z0-9])_([a-z0-9])/g

/** The body in one spelling; the same object if it has that already. It is not changed. */
export function spellFields(body: JsonObject): JsonObject {
  return spellObject(body)
}

/** The request that a count is of may be wrapped, with its model and instructions. */
export function unwrapCounted(body: JsonObject): JsonObject {
  const inner = body.generateContentRequest ?? body.generate_content_request
  return isJsonObject(inner) ? inner : body
}

/** `a_b` as `aB`. */
export function spellField(name: string): string {
  return name.includes('_') ? name.replace(UNDERSCORE, (_, letter: string) => letter.toUpperCase()) : name
}

function spellValue(value: JsonValue): JsonValue {
  if (isJsonArray(value)) {
    let copy: JsonValue[] | null = null
    for (const [i, item] of value.entries()) {
      const spelled = spellValue(item)
      if (spelled === item) continue
      copy ??= [...value]
      copy[i] = spelled
    }
    return copy ?? value
  }
  return isJsonObject(value) ? spellObject(value) : value
}

function spellObject(object: JsonObject): JsonObject {
  let isSame = true
  const entries: [string, JsonValue][] = []
  for (const [name, value] of Object.entries(object)) {
    const spelled = spellField(name)
    const inner = OPAQUE.has(spelled) ? value : spellValue(value)
    const listed = LISTS.has(spelled) && isJsonObject(inner) ? [inner] : inner
    if (spelled !== name || listed !== value) isSame = false
    entries.push([spelled, listed])
  }
  // Not by assignment: a client's field may be named `__proto__`.
  return isSame ? object : Object.fromEntries(entries)
}
