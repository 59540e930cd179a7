// A request in a provider's own format, a surface only: path, body and answer are passed on unchanged. The gateway reads what it must
// know from the members beside them; nothing is translated.
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
  // Part of the API below the prefix.
  routes: [{ method: 'POST', path: '/passthrough', prefix: 'apiPrefix' }],
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
