// Answers that are known as a whole: a result, or an error before anything was sent.
import { type ErrorData } from '../../model/error.js'
import { type JsonObject } from '../../model/json.js'
import { type ChatResponse } from '../../model/response.js'
import { type ErrorAnswer } from '../protocol.js'

const BAD_REQUEST = 400

/** The model's text, no reasoning. */
export function encodeResponse(response: ChatResponse): JsonObject {
  return { result: response.content.map((part) => (part.type === 'text' ? part.text : '')).join('') }
}

/** `{"error": "..."}`; about the token `{"message": "..."}`. */
export function encodeError(error: ErrorData, _requestId: string, model: string | null = null): ErrorAnswer {
  const { code, status, param, message } = error
  if (code === 'unauthenticated') {
    return { status, body: { message: param === null ? 'Invalid token!' : 'Token is missing!' } }
  }
  if (code === 'model_not_found' && model !== null) {
    return { status: BAD_REQUEST, body: { error: `Unsupported model: ${model}` } }
  }
  return { status, body: { error: message } }
}
