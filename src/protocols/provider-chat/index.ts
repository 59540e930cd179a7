// The small chat API with the provider in its path, a surface only. Its request bodies are those of a given surface. Whole answers have
// one small form for all providers; streams and errors are the upstream's own bytes.
//
//   POST /v1/chat/openai  {"model", "messages", ...}  ->  {"provider", "model", "content", "stop_reason"}
//   or {"detail": "Unsupported provider: x", "error": {"message", "type", "param", "code"}}
import { type ErrorData } from '../../model/error.js'
import { type ErrorAnswer, type Protocol, type Surface } from '../contract/protocol.js'
import { UPSTREAM_FRAMES } from '../upstream-frames.js'
import { describe } from './describe.js'
import { encodeResponse } from './response.js'

const ID = 'provider-chat'

/** A protocol without a dialect; `chat` is the surface whose bodies it reuses, and whose chunks for an upstream that does not stream. */
export function createProviderChat(chat: Surface): Protocol {
  const surface: Surface = {
    id: ID,
    routes: [{ method: 'POST', path: '/v1/chat/{provider}' }],
    framing: 'sse',
    ...UPSTREAM_FRAMES.sse,
    upstreamFrames: UPSTREAM_FRAMES,
    promptMembers: chat.promptMembers,
    ...(chat.bulkMembers === undefined ? {} : { bulkMembers: chat.bulkMembers }),
    readFacts: chat.readFacts,
    decodeRequest: chat.decodeRequest,
    createEncoder: chat.createEncoder,
    encodeResponse,
    encodeError,
    describe: () => describe(chat),
  }
  return { id: ID, surface, dialect: null }
}

/**
 * Failures other than an upstream's refusal, which passes unchanged: the text in FastAPI's `detail`, and beside it the member
 * `error` that clients of most other APIs expect.
 */
function encodeError(error: ErrorData): ErrorAnswer {
  const { status, message, param, code, upstreamType, upstreamCode } = error
  const words = { message, type: upstreamType ?? code, param, code: upstreamCode ?? code }
  return { status, body: { detail: message, error: words } }
}
