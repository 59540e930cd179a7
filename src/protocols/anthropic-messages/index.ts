// The Anthropic Messages API, both halves: POST /v1/messages for clients, POST {baseUrl}/messages at upstreams.
// @see https://platform.claude.com/docs/en/api/messages
import { type JsonObject } from '../../model/json.js'
import { type Dialect, type Protocol, type Surface } from '../contract/protocol.js'
import { citesAs } from './citations.js'
import { counting } from './dialect/counting.js'
import { carries } from './dialect/encode-messages.js'
import { editRequest, editsBulk, encodeRequest, requestPath } from './dialect/encode-request.js'
import { limitOutput } from './dialect/limit-output.js'
import { MessagesObserver } from './dialect/observer.js'
import { MessagesDecoder } from './dialect/stream-decoder.js'
import { decodeError, encodeError, encodeErrorFrame, refusesThinking } from './error.js'
import { decodeResponse, encodeResponse, readFinish, readUsage } from './response.js'
import { decodeRequest } from './surface/decode-request.js'
import { describe, describeCounts } from './surface/describe.js'
import { modelListing } from './surface/models.js'
import { readFacts } from './surface/schema.js'
import { MessagesEncoder } from './surface/stream-encoder.js'

const ID = 'anthropic-messages'

const surface: Surface = Object.freeze({
  id: ID,
  routes: Object.freeze([{ method: 'POST', path: '/v1/messages' }] as const),
  framing: 'sse',
  hasStatefulEnd: true,
  requestIdHeader: 'request-id',
  models: modelListing,
  promptMembers: Object.freeze(['tools', 'system', 'messages']),
  bulkMembers: Object.freeze({ messages: [{ role: 'user', content: '' }], system: [], tools: [] }),
  keepaliveFrame: 'event: ping\ndata: {"type":"ping"}\n\n',
  readFacts,
  decodeRequest,
  // Its models make no images.
  hasPlaceFor: (part) => (part.kind === 'citation' ? citesAs(part) : part.kind === 'opaque' && part.wire === ID),
  createEncoder: (emit) => new MessagesEncoder(emit),
  encodeResponse,
  encodeError,
  encodeErrorFrame,
  describe,
})

/** Counts input tokens. Its bodies have no cap of output; everything else is as in a chat. */
export const anthropicCounts: Surface = Object.freeze({
  ...surface,
  id: 'anthropic-counts',
  wire: ID,
  routes: Object.freeze([{ method: 'POST', path: '/v1/messages/count_tokens', counts: true }] as const),
  readFacts: (body: JsonObject) => readFacts(withCap(body)),
  decodeRequest: (body: JsonObject) => decodeRequest(withCap(body)),
  encodeCount: (inputTokens: number) => ({ input_tokens: inputTokens }),
  describe: describeCounts,
})

function withCap(body: JsonObject): JsonObject {
  return 'max_tokens' in body ? body : { ...body, max_tokens: 1 }
}

const dialect: Dialect = Object.freeze({
  id: ID,
  framing: 'sse',
  headers: Object.freeze({ 'anthropic-version': '2023-06-01' }),
  parameterHeaders: Object.freeze(['anthropic-beta']),
  path: requestPath,
  carries,
  encodeRequest,
  editRequest,
  limitOutput,
  editsBulk,
  createDecoder: (emit, options) => new MessagesDecoder(emit, options),
  // Usage is part of the frames every client gets: there is nothing to strip.
  createObserver: () => new MessagesObserver(),
  decodeResponse,
  readUsage,
  readFinish,
  decodeError,
  refusesThinking,
  endpoints: Object.freeze({ input_tokens: counting }),
})

/** The Anthropic Messages protocol. */
export const anthropicMessages: Protocol = Object.freeze({ id: ID, surface, dialect })
