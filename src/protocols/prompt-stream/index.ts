// POST /stream: a prompt, whose answer is streamed so that nothing on the way times out. A surface only. The answer is one JSON document,
// written as it is generated, or typed events for clients that accept an event stream.
import { type Protocol, type Surface } from '../contract/protocol.js'
import { encodeError, encodeResponse } from './answer.js'
import { describe } from './describe.js'
import { EventEncoder, encodeErrorEvent } from './event-encoder.js'
import { decodeRequest, readFacts } from './request.js'
import { encodeResultError, KEEPALIVE, ResultEncoder } from './result-encoder.js'

const ID = 'prompt-stream'
const EVENTS_ID = 'prompt-stream-events'
const PATH = '/stream'

const shared = { promptMembers: ['prompt'], readFacts, decodeRequest, encodeResponse, encodeError, describe }

const result: Surface = Object.freeze({
  ...shared,
  id: ID,
  routes: Object.freeze([{ method: 'POST', path: PATH }] as const),
  framing: 'json',
  keepaliveFrame: KEEPALIVE,
  createEncoder: (emit) => new ResultEncoder(emit),
  encodeErrorFrame: (error, _requestId, hasFrames = false) => encodeResultError(error, hasFrames),
})

const events: Surface = Object.freeze({
  ...shared,
  id: EVENTS_ID,
  routes: Object.freeze([{ method: 'POST', path: PATH, accept: 'text/event-stream' }] as const),
  framing: 'sse',
  keepaliveFrame: ': ping\n',
  createEncoder: (emit) => new EventEncoder(emit),
  encodeErrorFrame: (error) => encodeErrorEvent(error),
})

/** The prompt stream API, in its two forms of answer. */
export const promptStream: readonly Protocol[] = Object.freeze([
  Object.freeze({ id: ID, surface: result, dialect: null }),
  Object.freeze({ id: EVENTS_ID, surface: events, dialect: null }),
])
