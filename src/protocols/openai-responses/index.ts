// OpenAI's Responses API, both halves: POST /v1/responses for clients, POST {baseUrl}/responses at upstreams.
// @see https://platform.openai.com/docs/api-reference/responses and https://www.openresponses.org/specification
import { type ErrorData } from '../../model/error.js'
import { type Dialect, type Protocol, type Surface } from '../contract/protocol.js'
import { decodeError, encodeError, refusesThinking } from '../openai-error.js'
import { OPENAI_ENDPOINTS } from '../openai-upstream.js'
import { counting } from './dialect/counting.js'
import { editRequest } from './dialect/edit-request.js'
import { carries } from './dialect/encode-input.js'
import { encodeRequest, requestPath } from './dialect/encode-request.js'
import { limitOutput } from './dialect/limit-output.js'
import { ResponsesObserver } from './dialect/observer.js'
import { ResponsesDecoder } from './dialect/stream-decoder.js'
import { encodeResponseId } from './ids.js'
import { citesAs } from './parts/annotations.js'
import { hasPlaceFor } from './parts/made.js'
import { decodeResponse, encodeResponse, readFinish, readUsage } from './response.js'
import { socketMode } from './socket-mode.js'
import { stored } from './stored.js'
import { decodeRequest } from './surface/decode-request.js'
import { describe } from './surface/describe.js'
import { encodeResponseObject, readEcho } from './surface/echo.js'
import { readFacts } from './surface/schema.js'
import { encodeErrorEvent, encodeEvent, failureOf, ResponsesEncoder } from './surface/stream-encoder.js'

const ID = 'openai-responses'

const surface: Surface = Object.freeze({
  id: ID,
  routes: Object.freeze([
    { method: 'POST', path: '/v1/responses', isTriedByWebSocket: true },
    { method: 'POST', path: '/v1/responses/input_tokens', counts: true },
  ] as const),
  framing: 'sse',
  hasStatefulEnd: true,
  isTimed: true,
  // One line break only: a blank line would be an empty event to some of the API's clients.
  keepaliveFrame: ': ping\n',
  promptMembers: Object.freeze(['tools', 'instructions', 'input']),
  readFacts,
  readEcho,
  decodeRequest,
  hasPlaceFor: (part) => (part.kind === 'citation' ? citesAs(part) : hasPlaceFor(part)),
  createEncoder: (emit, options) => new ResponsesEncoder(emit, options),
  encodeResponse,
  encodeCount: (inputTokens) => ({ object: 'response.input_tokens', input_tokens: inputTokens }),
  encodeError,
  encodeErrorFrame,
  describe,
  stored,
  socketMode,
})

/** For a stream that has sent nothing but keepalives. */
function encodeErrorFrame(error: ErrorData, requestId: string): string {
  const head = { id: encodeResponseId(requestId), createdSec: 0, model: '', status: 'failed' } as const
  const response = JSON.stringify(encodeResponseObject({ ...head, error: failureOf(error) }, [], null))
  return encodeErrorEvent(error, 0) + encodeEvent('response.failed', `"response":${response}`, 1)
}

const dialect: Dialect = Object.freeze({
  id: ID,
  framing: 'sse',
  headers: Object.freeze({}),
  parameterHeaders: Object.freeze([]),
  path: requestPath,
  carries,
  encodeRequest,
  editRequest,
  limitOutput,
  hidesThinking: () => true,
  createDecoder: (emit, options) => new ResponsesDecoder(emit, options),
  // Usage is part of the last event that every client gets: there is nothing to strip.
  createObserver: ({ own = null }) => new ResponsesObserver(own),
  decodeResponse,
  readUsage,
  readFinish,
  decodeError,
  refusesThinking,
  endpoints: Object.freeze({ ...OPENAI_ENDPOINTS, input_tokens: counting }),
})

/** The Responses protocol. */
export const openaiResponses: Protocol = Object.freeze({ id: ID, surface, dialect })
