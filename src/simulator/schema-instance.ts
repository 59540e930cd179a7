// A minimal JSON value that matches a JSON Schema: the simulated model's answer to a request with a schema, and the arguments of its
// tool calls. Supports the keywords that vendors accept; never throws, whatever the schema.
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'

/** Deep enough for real schemas, shallow enough for recursive ones. */
const MAX_DEPTH = 12
const FORMATS: Readonly<Record<string, string>> = Object.freeze({
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  email: 'a@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
})

/** The same schema yields the same value. An object has its required members, or all of them if none is required. */
export function instanceOf(schema: JsonValue | undefined): JsonValue {
  return build(schema, isJsonObject(schema) ? schema : {}, 0)
}

function build(schema: JsonValue | undefined, root: JsonObject, depth: number): JsonValue {
  if (!isJsonObject(schema) || depth > MAX_DEPTH) return null
  if ('const' in schema) return schema.const ?? null
  if (Array.isArray(schema.enum)) return schema.enum[0] ?? null
  if ('default' in schema) return schema.default ?? null
  if (typeof schema.$ref === 'string') return build(resolve(schema.$ref, root), root, depth + 1)
  for (const key of ['anyOf', 'oneOf']) {
    const options = schema[key]
    if (Array.isArray(options)) return build(options[0], root, depth + 1)
  }
  if (Array.isArray(schema.allOf)) return build(merge(schema.allOf), root, depth + 1)
  return ofType(schema, root, depth)
}

function ofType(schema: JsonObject, root: JsonObject, depth: number): JsonValue {
  const named = Array.isArray(schema.type) ? schema.type[0] : schema.type
  // Gemini writes types in capitals.
  const type = typeof named === 'string' ? named.toLowerCase() : 'properties' in schema ? 'object' : ''
  if (type === 'object') return buildObject(schema, root, depth)
  if (type === 'array') {
    const count = Math.min(typeof schema.minItems === 'number' ? schema.minItems : 0, 16)
    return Array.from({ length: count }, () => build(schema.items, root, depth + 1))
  }
  if (type === 'string') return buildString(schema)
  if (type === 'number' || type === 'integer') return typeof schema.minimum === 'number' ? schema.minimum : 0
  return type === 'boolean' ? true : null
}

function buildObject(schema: JsonObject, root: JsonObject, depth: number): JsonObject {
  const properties = isJsonObject(schema.properties) ? schema.properties : {}
  const required = Array.isArray(schema.required) ? schema.required : Object.keys(properties)
  const entries: Array<[string, JsonValue]> = []
  for (const name of required) {
    if (typeof name === 'string') entries.push([name, build(properties[name], root, depth + 1)])
  }
  return Object.fromEntries(entries)
}

function buildString(schema: JsonObject): string {
  const format = typeof schema.format === 'string' ? FORMATS[schema.format] : undefined
  const minLength = typeof schema.minLength === 'number' ? Math.min(schema.minLength, 1024) : 0
  return (format ?? 'text').padEnd(minLength, 'x')
}

/** Local references only: `#/$defs/name`. */
function resolve(ref: string, root: JsonObject): JsonValue {
  let at: JsonValue = root
  for (const step of ref.replace(/^#\/?/, '').split('/')) {
    if (step === '') continue
    if (!isJsonObject(at)) return null
    at = at[step] ?? null
  }
  return at
}

function merge(schemas: readonly JsonValue[]): JsonObject {
  const merged: JsonObject = {}
  const properties: JsonObject = {}
  const required: JsonValue[] = []
  for (const schema of schemas) {
    if (!isJsonObject(schema)) continue
    Object.assign(merged, schema)
    if (isJsonObject(schema.properties)) Object.assign(properties, schema.properties)
    if (Array.isArray(schema.required)) required.push(...schema.required)
  }
  if (Object.keys(properties).length === 0) return merged
  return { ...merged, properties, ...(required.length > 0 ? { required } : {}) }
}
