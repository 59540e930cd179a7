// Whole answers: a result, or an error before anything was sent.
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import { isWords } from '../../model/refusal.js'
import { type ChatResponse } from '../../model/response.js'
import { type ErrorAnswer, type ErrorSubject } from '../contract/protocol.js'

const BAD_REQUEST = 400
const UNKNOWN: ErrorSubject = Object.freeze({ model: null, hasKey: true })

/** The model's text or refusal, no reasoning. */
export function encodeResponse(response: ChatResponse): JsonObject {
  return { result: response.content.map((part) => (isWords(part) ? part.text : '')).join('') }
}

/** `{"error": "..."}`; about the token `{"message": "..."}`. */
export function encodeError(error: ErrorData, _requestId: string, subject: ErrorSubject = UNKNOWN): ErrorAnswer {
  const { code, status, message } = error
  if (code === 'unauthenticated') {
    return { status, body: { message: subject.hasKey ? 'Invalid token!' : 'Token is missing!' } }
  }
  if (code === 'model_not_found' && subject.model !== null) {
    return { status: BAD_REQUEST, body: { error: `Unsupported model: ${subject.model}` } }
  }
  return { status, body: { error: message } }
}
