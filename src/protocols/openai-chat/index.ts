// OpenAI's chat completions API: the wire that most providers and clients use. Joins the two halves.
import { type Dialect, type Protocol, type Surface } from '../contract/protocol.js'
import { decodeError, encodeError, encodeErrorFrame, refusesThinking } from '../openai-error.js'
import { OPENAI_ENDPOINTS } from '../openai-upstream.js'
import { editRequest, editsBulk } from './dialect/edit-request.js'
import { carries } from './dialect/encode-messages.js'
import { encodeRequest, requestPath } from './dialect/encode-request.js'
import { limitOutput } from './dialect/limit-output.js'
import { ChatStreamObserver } from './dialect/observer.js'
import { ChatStreamDecoder } from './dialect/stream-decoder.js'
import { decodeResponse, encodeResponse, readFinish } from './response.js'
import { decodeRequest, readFacts } from './surface/decode-request.js'
import { describe } from './surface/describe.js'
import { ChatStreamEncoder } from './surface/stream-encoder.js'
import { readUsage } from './usage.js'

const ID = 'openai-chat'

/** Only its client half, for APIs with the same chunks and answers. */
export const chatSurface: Surface = {
  id: ID,
  routes: [
    { method: 'POST', path: '/v1/chat/completions' },
    { method: 'POST', path: '/v1/chat/stream', streams: true },
  ],
  framing: 'sse',
  keepaliveFrame: ': ping\n',
  promptMembers: ['tools', 'messages'],
  bulkMembers: { messages: [{ role: 'user', content: '' }], tools: [], functions: [] },
  readFacts,
  decodeRequest,
  hasPlaceFor: (part) => (part.kind === 'citation' ? part.url !== null : part.kind === 'image'),
  createEncoder: (emit, options) => new ChatStreamEncoder(emit, options),
  encodeResponse,
  encodeError,
  encodeErrorFrame,
  describe,
}

const dialect: Dialect = {
  id: ID,
  framing: 'sse',
  headers: {},
  parameterHeaders: [],
  path: requestPath,
  carries,
  encodeRequest,
  editRequest,
  limitOutput,
  hidesThinking: ({ quirks }) => quirks.reasoningRequest === 'reasoning_effort',
  editsBulk,
  createDecoder: (emit, options) => new ChatStreamDecoder(emit, options),
  createObserver: (options) => new ChatStreamObserver(options),
  decodeResponse,
  readUsage,
  readFinish,
  decodeError,
  refusesThinking,
  endpoints: OPENAI_ENDPOINTS,
}

export const openaiChat: Protocol = { id: ID, surface: chatSurface, dialect }
