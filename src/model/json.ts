// JSON as a type: what JSON.parse may return and what survives structured clone and msgpack unchanged.

export type JsonValue = string | number | boolean | null | JsonArray | JsonObject
export type JsonArray = JsonValue[]
export type JsonObject = { [key: string]: JsonValue }

/** True for a plain JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Merges objects at every depth; any other value of `over` replaces that of `under`. Neither argument is changed. */
export function mergeUnder(under: JsonObject, over: JsonObject): JsonObject {
  // Entries, not assignments: a key `__proto__` stays a key.
  const merged = new Map(Object.entries(under))
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key)
    merged.set(key, isJsonObject(below) && isJsonObject(value) ? mergeUnder(below, value) : value)
  }
  return Object.fromEntries(merged)
}

/** True for a JSON array. */
export function isJsonArray(value: unknown): value is JsonArray {
  return Array.isArray(value)
}
