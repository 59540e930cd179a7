// The vendor's JSON accepts each field in two spellings, `systemInstruction` and `system_instruction`, and one object where a list of
// one is meant; its own examples use all of them. Everything behind this file sees one spelling and lists.
import { type GatewayError } from '../../../errors.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { invalidField } from '../../fields/field-error.js'

/** Members whose inside is the client's own, or a schema with names of the client's: left as they are. */
const OPAQUE: ReadonlySet<string> = new Set([
  ...['args', 'response', 'parameters', 'parametersJsonSchema', 'responseSchema', 'responseJsonSchema', 'labels'],
])
/** Members that are lists. */
const LISTS: ReadonlySet<string> = new Set(['contents', 'parts', 'tools', 'functionDeclarations'])
const UNDERSCORE = /(?<=[a-z0-9])_([a-z0-9])/g

/**
 * The body in one spelling; the same object if it has that already. It is not changed.
 * @throws invalid_request for a field in both, of which the provider might read the other one
 */
export function spellFields(body: JsonObject): JsonObject {
  return spellObject(body)
}

/** The request that a count is of may be wrapped, with its model and instructions, in place of contents beside it. */
export function unwrapCounted(body: JsonObject): JsonObject {
  const inner = body.generateContentRequest ?? body.generate_content_request
  return isJsonObject(inner) && body.contents === undefined ? inner : body
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
  if (isSame) return object
  // Not by assignment: a client's field may be named `__proto__`.
  const spelled = Object.fromEntries(entries)
  if (Object.keys(spelled).length < entries.length) throw doubled(entries)
  return spelled
}

function doubled(entries: readonly (readonly [name: string, value: JsonValue])[]): GatewayError {
  const seen = new Set<string>()
  const [name = ''] = entries.find(([one]) => seen.size === seen.add(one).size) ?? []
  return invalidField(name, 'must not be given in two spellings')
}
