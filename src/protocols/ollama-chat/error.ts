// {"error":"..."}, the error body of this wire <-> ErrorData. The same object comes as an answer and as a line of a stream.
import { errorData } from '../../errors.js'
import { type ErrorCode, type ErrorData } from '../../model/error.js'
import { isJsonObject, type JsonValue } from '../../model/json.js'
import { KEY_REFUSED, toMessage, toPageMessage } from '../../wire/error-text.js'
import { type OverflowWords, readOverflow } from '../context-overflow.js'
import { type ErrorAnswer } from '../contract/protocol.js'

/** The server's own "input length exceeds the context length", and its runner's "exceeds the available context size". */
const TOO_LONG = /exceeds (?:the )?(?:maximum |available )?context (?:length|size)/i

const OVERFLOW: OverflowWords = {
  max: [/context size \(([\d,]+) tokens\)/i],
  input: [/request \(([\d,]+) tokens\)/i],
}

/** The status of an error within a stream, which has none: on this server such errors are failures of the model's runner. */
const IN_STREAM_STATUS = 500

/** Reads an error answer: the vendor's object, or a proxy's page of text. */
export function decodeError(status: number, body: Uint8Array): ErrorData {
  const words = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  try {
    const parsed: unknown = JSON.parse(words)
    if (isJsonObject(parsed) && parsed.error !== undefined) return readError(parsed.error, status)
  } catch {
    // Not JSON: only the beginning of the text is shown.
  }
  return build(status, toPageMessage(words))
}

/** Reads the member `error`: a string, or an object with a message as the server's OpenAI-like routes send. */
export function readError(error: JsonValue, status: number | null): ErrorData {
  const words = isJsonObject(error) ? error.message : error
  return build(status ?? IN_STREAM_STATUS, typeof words === 'string' ? toMessage(words) : null)
}

/** `"m" does not support thinking`, and the errors about a level for models without levels. */
export function refusesThinking({ code, status, message }: ErrorData): boolean {
  return (
    code === 'upstream_rejected' &&
    status < 500 &&
    /does not support thinking|think value .* not supported/i.test(message)
  )
}

/** The error of an answer that has not begun. */
export function encodeError({ status, message }: ErrorData): ErrorAnswer {
  return { status, body: { error: message } }
}

/** The last line of a stream that failed. */
export function encodeErrorLine({ message }: ErrorData): string {
  return `${JSON.stringify({ error: message })}\n`
}

function build(status: number, message: string | null): ErrorData {
  if (status === 401) return errorData('upstream_rejected', { message: KEY_REFUSED, status, upstreamStatus: status })
  // "model 'x' not found" or, from older servers, "model 'x' not found, try pulling it first".
  const isModelMissing = status === 404 && /\bmodel\b.*\bnot found\b/i.test(message ?? '')
  const isTooLong = status === 400 && TOO_LONG.test(message ?? '')
  const overflow = isTooLong ? readOverflow(message ?? '', OVERFLOW) : null
  return errorData(isTooLong ? 'context_length_exceeded' : codeOf(status), {
    ...(overflow === null ? {} : { overflow }),
    ...(message === null ? {} : { message }),
    ...(status === 504 ? {} : { status }),
    retryable: status === 408 || status === 429 || status >= 500,
    upstreamStatus: status,
    upstreamCode: isModelMissing ? 'model_not_found' : null,
  })
}

/** 503 is "server busy": its queue is full. A 500 is a failed runner; another target may succeed. */
function codeOf(status: number): ErrorCode {
  if (status === 429) return 'rate_limited'
  if (status === 503) return 'upstream_overloaded'
  return status === 504 ? 'upstream_timeout' : 'upstream_rejected'
}
