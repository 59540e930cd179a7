// What the stream decoder and the observer both read from an event: how it ends the stream, and errors.
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { errorIn } from './response.js'

/** The response of an event that ends a stream well; null for any other event. */
export function completedResponse(event: JsonObject): JsonObject | null {
  const isEnd = event.type === 'response.completed' || event.type === 'response.incomplete'
  return isEnd && failureIn(event) === null ? responseOf(event) : null
}

/** The response object in an event; empty if there is none. */
export function responseOf({ response }: JsonObject): JsonObject {
  return isJsonObject(response) ? response : {}
}

/**
 * The error in an event, for decodeStreamError; null for none: an `error` event, flat as in the vendor's document or nested, a failed
 * response, or an error envelope without a type, which proxies put into streams.
 */
export function failureIn(event: JsonObject): JsonValue | null {
  const { type, error } = event
  if (type === 'response.failed' || type === 'response.completed' || type === 'response.incomplete') {
    const found = errorIn(responseOf(event))
    return found ?? (type === 'response.failed' ? NO_WORDS : null)
  }
  if (type === 'error') {
    const { code = null, message = null, param = null } = event
    const flat = { code, message, param }
    return isJsonObject(error) ? { ...flat, ...error } : flat
  }
  const isBare = type === undefined && (isJsonObject(error) || (typeof error === 'string' && error !== ''))
  return isBare ? (error ?? null) : null
}

const NO_WORDS: JsonObject = Object.freeze({ code: 'server_error', message: null })
