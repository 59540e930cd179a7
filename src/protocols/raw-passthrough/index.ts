// A request in a provider's own words, for clients alone: path and body are sent as they are, and so is the answer. What the
// gateway must know of it is read beside it; nothing is translated.
//
//   {"provider": "openai", "path": "/embeddings", "body": {...}}      or {"model": ...}, which leads to its provider
import { GatewayError } from '../../errors.js'
import { type Protocol, type Surface } from '../contract/protocol.js'
import { encodeErrorWords } from '../error-words.js'
import { UPSTREAM_FRAMES } from '../upstream-frames.js'
import { describe } from './describe.js'
import { readFacts } from './request.js'

const ID = 'raw-passthrough'

function notTranslated(): never {
  throw new GatewayError('internal', { cause: new Error(`${ID} is not translated`) })
}

const surface: Surface = {
  id: ID,
  // A part of the API that stands below the prefix.
  routes: [{ method: 'POST', path: '/passthrough', isPrefixed: true }],
  framing: 'sse',
  ...UPSTREAM_FRAMES.sse,
  upstreamFrames: UPSTREAM_FRAMES,
  promptMembers: [],
  readFacts,
  decodeRequest: notTranslated,
  createEncoder: notTranslated,
  encodeResponse: notTranslated,
  encodeError: encodeErrorWords,
  describe,
}

export const rawPassthrough: Protocol = { id: ID, surface, dialect: null }
