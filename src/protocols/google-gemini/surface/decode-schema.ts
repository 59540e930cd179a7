// The vendor's own form of a schema, a subset of OpenAPI 3.0, -> JSON Schema, which every other wire has.
//
//   {"type":"STRING","nullable":true,"maxLength":"5"}      ->      {"type":["string","null"],"maxLength":5}
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'

/** Written as text, as are all 64-bit numbers in the vendor's JSON. */
const NUMBERS: ReadonlySet<string> = new Set([
  ...['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'],
])
/** Members that hold one schema, and those that hold a list of them. */
const ONE: ReadonlySet<string> = new Set(['items', 'additionalProperties', 'not'])
const MANY: ReadonlySet<string> = new Set(['anyOf', 'allOf', 'oneOf', 'prefixItems'])
/** Members without a meaning in JSON Schema. */
const LEFT_OUT: ReadonlySet<string> = new Set(['nullable', 'propertyOrdering', 'example'])

/** The schema as JSON Schema; anything that is no schema stays as it is. */
export function decodeSchema(schema: JsonValue): JsonValue {
  return isJsonObject(schema) ? decodeObject(schema) : schema
}

function decodeObject(schema: JsonObject): JsonObject {
  const entries: [string, JsonValue][] = []
  for (const [name, value] of Object.entries(schema)) {
    // `format: enum` only says that there is an enum.
    if (!LEFT_OUT.has(name) && !(name === 'format' && value === 'enum')) entries.push([name, decodeMember(name, value)])
  }
  const decoded: JsonObject = Object.fromEntries(entries)
  if (schema.nullable !== true) return decoded
  if (typeof decoded.type === 'string') decoded.type = [decoded.type, 'null']
  if (isJsonArray(decoded.enum) && !decoded.enum.includes(null)) decoded.enum = [...decoded.enum, null]
  return decoded
}

function decodeMember(name: string, value: JsonValue): JsonValue {
  if (name === 'type') return decodeType(value)
  if (NUMBERS.has(name)) return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (ONE.has(name)) return decodeSchema(value)
  if (MANY.has(name)) return isJsonArray(value) ? value.map(decodeSchema) : value
  if (name !== 'properties' || !isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decodeSchema(inner)]))
}

function decodeType(type: JsonValue): JsonValue {
  if (typeof type === 'string') return type.toLowerCase()
  return isJsonArray(type) ? type.map(decodeType) : type
}
