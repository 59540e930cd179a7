// The Gemini API, both halves: generateContent, its two streams and countTokens below /v1beta/models for clients, and below
// {baseUrl}/models at upstreams. The model is in the path.
// @see https://ai.google.dev/api/generate-content

import { type Target } from '../../model/target.js'
import { encodeSseFrame } from '../../wire/sse.js'
import { type Dialect, type Protocol, type Surface, type SurfaceRoute } from '../contract/protocol.js'
import { ARRAY_FRAMES, ArrayEncoder, encodeArrayError } from './array-encoder.js'
import { counting } from './dialect/counting.js'
import { editRequest, editsBulk } from './dialect/edit-request.js'
import { embeddings } from './dialect/embeddings.js'
import { carries } from './dialect/encode-contents.js'
import { encodeRequest } from './dialect/encode-request.js'
import { limitOutput } from './dialect/limit-output.js'
import { GeminiObserver } from './dialect/observer.js'
import { GeminiDecoder } from './dialect/stream-decoder.js'
import { decodeError, refusesThinking } from './error.js'
import { modelPath } from './model-path.js'
import { decodeResponse, encodeResponse, readFinish } from './response.js'
import { decodeRequest } from './surface/decode-request.js'
import { describe } from './surface/describe.js'
import { encodeError, encodeStatus } from './surface/encode-error.js'
import { hasPlaceFor } from './surface/encode-parts.js'
import { modelListing } from './surface/models.js'
import { readFacts } from './surface/schema.js'
import { GeminiEncoder } from './surface/stream-encoder.js'
import { decodeUsageTail, findUsage } from './usage.js'

const ID = 'google-gemini'
const ARRAY_ID = 'google-gemini-array'
/** The vendor's stable version has the same methods. */
const MODEL_PATHS = ['/v1beta/models/{model}', '/v1/models/{model}'] as const
/** White space before a JSON document. */
const ARRAY_KEEPALIVE = ' '

/** The routes of a method on both paths. */
function routesOf(method: string, route: Omit<SurfaceRoute, 'method' | 'path'> = {}): SurfaceRoute[] {
  return MODEL_PATHS.map((path) => ({ ...route, method: 'POST', path: `${path}:${method}` }))
}

const shared = {
  keyParameter: 'key',
  promptMembers: Object.freeze(['tools', 'systemInstruction', 'contents']),
  bulkMembers: Object.freeze({ contents: [{ role: 'user', parts: [] }], tools: [] }),
  readFacts,
  decodeRequest,
  hasPlaceFor,
  encodeResponse,
  encodeError,
  describe,
}

const surface: Surface = Object.freeze({
  ...shared,
  id: ID,
  routes: Object.freeze([
    ...routesOf('generateContent'),
    ...routesOf('streamGenerateContent', { streams: true, query: { name: 'alt', value: 'sse' } }),
    ...routesOf('countTokens', { counts: true }),
  ]),
  framing: 'sse',
  models: modelListing,
  // With a blank line: the vendor's client takes what follows a comment up to the next one for a part of it.
  keepaliveFrame: ': ping\n\n',
  createEncoder: (emit) => new GeminiEncoder((payload) => emit(encodeSseFrame(payload))),
  encodeCount: (totalTokens) => ({ totalTokens }),
  encodeErrorFrame: (error) => encodeSseFrame(JSON.stringify(encodeStatus(error))),
})

const array: Surface = Object.freeze({
  ...shared,
  id: ARRAY_ID,
  wire: ID,
  routes: Object.freeze(routesOf('streamGenerateContent', { streams: true })),
  framing: 'json',
  payloads: ARRAY_FRAMES,
  keepaliveFrame: ARRAY_KEEPALIVE,
  createEncoder: (emit) => new ArrayEncoder(emit),
  encodeErrorFrame: (error, _requestId, hasFrames = false) =>
    encodeArrayError(JSON.stringify(encodeStatus(error)), hasFrames),
})

const dialect: Dialect = Object.freeze({
  id: ID,
  framing: 'sse',
  headers: Object.freeze({}),
  parameterHeaders: Object.freeze([]),
  path: encodePath,
  carries,
  encodeRequest,
  editRequest,
  limitOutput,
  hidesThinking: () => true,
  editsBulk,
  createDecoder: (emit, options) => new GeminiDecoder(emit, options),
  // Usage is in every chunk that a client gets: there is nothing to strip.
  createObserver: () => new GeminiObserver(),
  decodeResponse,
  readFinish,
  readUsage(body) {
    const tail = findUsage(body)
    return tail === null ? null : decodeUsageTail(tail)
  },
  decodeError,
  refusesThinking,
  endpoints: Object.freeze({ embeddings, input_tokens: counting }),
})

/** The Gemini protocol, and the second form of its stream. */
export const googleGemini: Protocol = Object.freeze({ id: ID, surface, dialect })
export const googleGeminiArray: Protocol = Object.freeze({ id: ARRAY_ID, surface: array, dialect: null })

function encodePath({ model }: Target, stream: boolean): string {
  return `${modelPath(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`
}

export { geminiEmbeddings } from './embedding-surfaces.js'
