// A request in a provider's own words, for clients alone: path and body are sent as they are, and so is the answer. What the
// gateway must know of it is read beside it; nothing is translated.
//
//   {"provider": "openai", "path": "/embeddings", "body": {...}}      or {"model": ...}, which leads to its provider
import { GatewayError } from '../../errors.js'
import { type Protocol, type Surface } from '../protocol.js'
import { UPSTREAM_FRAMES } from '../upstream-frames.js'
import { encodeError } from './error.js'
import { readFacts } from './request.js'

const ID = 'raw-passthrough'
/** Where the API stands of which this is a part. */
const API_PREFIX = '/api'

function notTranslated(): never {
  throw new GatewayError('internal', { cause: new Error(`${ID} is not translated`) })
}

const surface: Surface = {
  id: ID,
  routes: [{ method: 'POST', path: `${API_PREFIX}/passthrough` }],
  framing: 'sse',
  ...UPSTREAM_FRAMES.sse,
  upstreamFrames: UPSTREAM_FRAMES,
  readFacts,
  decodeRequest: notTranslated,
  createEncoder: notTranslated,
  encodeResponse: notTranslated,
  encodeError,
}

export const rawPassthrough: Protocol = { id: ID, surface, dialect: null }
