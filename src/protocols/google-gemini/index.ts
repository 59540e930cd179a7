// The protocol google-gemini: generateContent and streamGenerateContent. Only upstreams use it here, so it has no surface.
import { type Target } from '../../model/target.js'
import { type Dialect, type Protocol } from '../contract/protocol.js'
import { carries } from './dialect/encode-contents.js'
import { encodeRequest } from './dialect/encode-request.js'
import { GeminiObserver } from './dialect/observer.js'
import { GeminiDecoder } from './dialect/stream-decoder.js'
import { decodeError, refusesThinking } from './error.js'
import { decodeResponse, readFinish } from './response.js'
import { decodeUsageTail, findUsage } from './usage.js'

const ID = 'google-gemini'

const dialect: Dialect = {
  id: ID,
  framing: 'sse',
  headers: Object.freeze({}),
  parameterHeaders: Object.freeze([]),
  path: encodePath,
  carries,
  encodeRequest,
  // No client uses this wire, and the model is in the path: there is nothing to edit.
  editRequest: () => ({ edits: new Map(), dropped: [] }),
  createDecoder: (emit, options) => new GeminiDecoder(emit, options),
  createObserver: () => new GeminiObserver(),
  decodeResponse,
  readFinish,
  readUsage(body) {
    const tail = findUsage(body)
    return tail === null ? null : decodeUsageTail(tail)
  },
  decodeError,
  refusesThinking,
}

/** @see https://ai.google.dev/api/generate-content */
export const googleGemini: Protocol = Object.freeze({ id: ID, surface: null, dialect })

/** The model is always one path segment: a slash is encoded; a lone surrogate cannot be encoded and is replaced. */
function encodePath(target: Target, stream: boolean): string {
  const model = target.model.replace(/^models\//, '').replace(/\p{Surrogate}/gu, '\uFFFD')
  return `/models/${encodeURIComponent(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`
}
