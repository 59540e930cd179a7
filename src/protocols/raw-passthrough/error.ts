// Failures that are not an upstream's own, in the words of the API that this is a part of.
//
//   {"error": "bad_request", "details": "..."}
import { type ErrorData } from '../../model/error.js'
import { type ErrorAnswer } from '../protocol.js'

const WORDS: ReadonlyMap<number, string> = new Map([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [413, 'payload_too_large'],
  [415, 'unsupported_media_type'],
  [429, 'rate_limited'],
])
const FIRST_SERVER_STATUS = 500

/** The envelope of an answer that has not begun. */
export function encodeError({ status, message }: ErrorData): ErrorAnswer {
  const word = status >= FIRST_SERVER_STATUS ? 'internal_error' : (WORDS.get(status) ?? 'bad_request')
  return { status, body: { error: word, details: message } }
}
