// Errors in the form of the API below compat.apiPrefix, for all surfaces there. Its documentation has `bad_request` and
// `internal_error`; the others are named after their status.
//
//   {"error": "bad_request", "details": "..."}
import { type ErrorData } from '../model/error.js'
import { type ErrorAnswer } from './contract/protocol.js'

const WORDS: ReadonlyMap<number, string> = new Map([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [410, 'gone'],
  [413, 'payload_too_large'],
  [415, 'unsupported_media_type'],
  [429, 'rate_limited'],
])
const FIRST_SERVER_STATUS = 500

/** The envelope of an answer that has not begun. */
export function encodeErrorWords({ status, message }: ErrorData): ErrorAnswer {
  const word = status >= FIRST_SERVER_STATUS ? 'internal_error' : (WORDS.get(status) ?? 'bad_request')
  return { status, body: { error: word, details: message } }
}
