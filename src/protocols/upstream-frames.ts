// The gateway's own frames within an upstream's stream that passes unchanged, whatever its protocol. The client reads that vendor's wire,
// so an error frame must be recognizable on all of them.
//
//   SSE     event: error            NDJSON   {"error":"...", ...}
//           data: {"type":"error","error":{"message": ...}}
import { type ErrorData } from '../model/error.js'
import { encodeSseFrame } from '../wire/sse.js'
import { type FrameForm, type Framing } from './contract/protocol.js'

/** The forms by framing. */
export const UPSTREAM_FRAMES: Readonly<Record<Framing, FrameForm>> = Object.freeze({
  sse: {
    keepaliveFrame: ': ping\n',
    // Anthropic's clients check the event's name, OpenAI's the member `error`.
    encodeErrorFrame: (error) => encodeSseFrame(JSON.stringify({ type: 'error', error: wordsOf(error) }), 'error'),
  },
  ndjson: {
    // A blank line, which NDJSON readers skip.
    keepaliveFrame: '\n',
    // Ollama's errors are plain text.
    encodeErrorFrame: (error) => `${JSON.stringify({ error: error.message, code: wordsOf(error).code })}\n`,
  },
})

function wordsOf({ code, message, param, upstreamType, upstreamCode }: ErrorData) {
  return { message, type: upstreamType ?? code, param, code: upstreamCode ?? code }
}
