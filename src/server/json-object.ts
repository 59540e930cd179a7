// A plain JSON object as the front end meets it: in envelopes of surfaces and in messages of WebSocket clients.
import { type ErrorAnswer } from '../protocols/protocol.js'

/** The body of an envelope. */
export type JsonObject = ErrorAnswer['body']

/** True for a plain JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
