// The interface of each simulated vendor wire: read a request, write a stream or a whole answer, write errors. The wires are written by
// hand from the vendors' documents, not with src/protocols, so that the same mistake is not on both sides.
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type Performance, type SimRequest } from '../persona.js'

export type SimWire = {
  /** The id of the protocol that speaks to it, a folder in src/protocols. */
  readonly id: string
  readonly streamContentType: string
  /** POST paths; `*` at the end matches any rest. */
  readonly paths: readonly string[]
  /** GET path of the model list. */
  readonly listPath: string
  /** Reads a parsed body; `url` holds what the wire has in its path and query. */
  readRequest(body: JsonObject, url: SimUrl): SimRequest | Refusal
  /** The key as this vendor's clients send it; empty if absent. */
  readKey(headers: HeaderLookup, url: SimUrl): string
  /** A header that the vendor requires in every request; null for none. */
  readonly requiredHeader: string | null
  openStream(answer: SimAnswer): StreamScript
  encodeWhole(answer: SimAnswer): string
  encodeError(status: number, message: string): string
  /** An error within a stream that has begun: a whole frame. */
  encodeErrorFrame(message: string): string
  encodeModelList(models: readonly string[], createdSec: number): string
  /** A frame with any payload, in this wire's framing. */
  encodeFrame(payload: string): string
  /** Text without a frame, to send only a head. */
  readonly silence: string
}

export type HeaderLookup = (name: string) => string
export type SimUrl = { readonly path: string; readonly query: string }
export type Refusal = { readonly status: number; readonly body: string }

/** A request with its performance and the answer's unique id. */
export type SimAnswer = {
  readonly request: SimRequest
  readonly performance: Performance
  /** 24 hex digits. */
  readonly id: string
  readonly createdMs: number
}

/** One stream: `open` at once, then one step per token (with the frames that belong before it), then `close` and `end`. */
export type StreamScript = {
  readonly open: string
  readonly steps: Iterator<string, void>
  readonly close: string
  /** The end marker. */
  readonly end: string
}

/** True if readRequest has refused the request. */
export function isRefusal(read: SimRequest | Refusal): read is Refusal {
  return 'status' in read
}

/** The text of a vendor's content: a string, a part with `text`, parts within `content` or `parts`, or a list of those. */
export function textOf(content: JsonValue | undefined): string {
  if (typeof content === 'string') return content
  if (Array.isArray(content)) return content.map((part) => textOf(part)).join('')
  if (typeof content !== 'object' || content === null) return ''
  if (typeof content.text === 'string') return content.text
  return textOf(content.content ?? content.parts)
}

/** The objects of a list; everything else in it is left out. */
export function objectsOf(list: JsonValue | undefined): JsonObject[] {
  if (!Array.isArray(list)) return []
  return list.filter((item): item is JsonObject => typeof item === 'object' && item !== null && !Array.isArray(item))
}

/** A member that is an object, else an empty one. */
export function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

/** A member that is a number, else null. */
export function numberOf(value: JsonValue | undefined): number | null {
  return typeof value === 'number' ? value : null
}

/** A stop list: one string or several. */
export function stopsOf(value: JsonValue | undefined): string[] {
  const list = Array.isArray(value) ? value : [value ?? null]
  return list.filter((stop): stop is string => typeof stop === 'string' && stop !== '')
}
