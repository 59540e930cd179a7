// Failures that are not an upstream's refusal, which passes as it is: the text where FastAPI has it, and beside it the
// member that clients of most other APIs look for.
//
//   {"detail": "Unsupported provider: x", "error": {"message", "type", "param", "code"}}
import { type ErrorData } from '../../model/error.js'
import { type ErrorAnswer } from '../contract/protocol.js'

/** The envelope of an answer that has not begun. */
export function encodeError(error: ErrorData): ErrorAnswer {
  const { status, message, param, code, upstreamType, upstreamCode } = error
  const words = { message, type: upstreamType ?? code, param, code: upstreamCode ?? code }
  return { status, body: { detail: message, error: words } }
}
