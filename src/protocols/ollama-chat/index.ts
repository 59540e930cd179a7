// The protocol ollama-chat: POST /api/chat. Only upstreams use it here, so it has no surface. Base URLs have no `/v1`.
import { type Dialect, type Protocol } from '../contract/protocol.js'
import { embeddings } from './dialect/embeddings.js'
import { carries } from './dialect/encode-messages.js'
import { encodeRequest } from './dialect/encode-request.js'
import { OllamaObserver } from './dialect/observer.js'
import { OllamaDecoder } from './dialect/stream-decoder.js'
import { decodeError, refusesThinking } from './error.js'
import { decodeResponse, readFinish } from './response.js'
import { findUsage } from './usage.js'

const ID = 'ollama-chat'

const dialect: Dialect = {
  id: ID,
  framing: 'ndjson',
  headers: Object.freeze({}),
  parameterHeaders: Object.freeze([]),
  path: () => '/api/chat',
  carries,
  encodeRequest,
  editRequest: (facts, _body, target) => ({
    edits: facts.model === target.model ? new Map() : new Map([['model', target.model]]),
    dropped: [],
  }),
  createDecoder: (emit, options) => new OllamaDecoder(emit, options),
  createObserver: () => new OllamaObserver(),
  decodeResponse,
  readUsage: findUsage,
  readFinish,
  decodeError,
  refusesThinking,
  endpoints: Object.freeze({ embeddings }),
}

/** @see https://docs.ollama.com/api/chat */
export const ollamaChat: Protocol = Object.freeze({ id: ID, surface: null, dialect })
