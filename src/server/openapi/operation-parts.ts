// What the OpenAPI operations of routes that run no exchange are made of.
import { type JsonObject } from '../../model/json.js'
import { EVERY_HEADER } from './openapi-components.js'

/** The number of a frame or an event. */
export const CURSOR = { type: 'string', pattern: '^[0-9]+$' }

/** A parameter of the query. */
export function queryParameter(name: string, schema: JsonObject): JsonObject {
  return { name, in: 'query', schema }
} /** An answer of JSON with an example. */
export function json(
  description: string,
  value: JsonObject,
  headers = EVERY_HEADER,
  schema: JsonObject = { type: 'object' },
) {
  return {
    description,
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: { 'application/json': { schema, examples: { answer: { value } } } },
  }
}

/** The error of routes that belong to no surface. */
export function refusal(message: string, code: string, param: string | null = null): JsonObject {
  const value = { error: { message, type: code, param, code } }
  return json(message, value, EVERY_HEADER, { $ref: '#/components/schemas/error' })
}

/** The refusal of a request without a key, or with an unknown one. */
export const UNAUTHENTICATED = refusal('Missing or unknown API key.', 'unauthenticated')
