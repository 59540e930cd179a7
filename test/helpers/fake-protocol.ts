// Two tiny protocols with all the parts of a real one, so that codec, offload and laws can be tested by themselves:
// `fake-sse` streams SSE, `fake-lines` streams NDJSON. Their wire is {model, stream, text, ...} and {delta} | {done} | {error}.
import { errorData, GatewayError } from '../../src/errors.js'
import { type StreamEvent } from '../../src/model/event.js'
import { isJsonObject, type JsonObject } from '../../src/model/json.js'
import { type ChatRequest, NO_SAMPLING } from '../../src/model/request.js'
import { type ChatResponse } from '../../src/model/response.js'
import { type Target } from '../../src/model/target.js'
import { NO_USAGE } from '../../src/model/usage.js'
import {
  type DecoderOptions,
  type Dialect,
  FRAME_END,
  FRAME_OTHER,
  type Framing,
  type Protocol,
  type StreamDecoder,
  type Surface,
} from '../../src/protocols/contract/protocol.js'
import { testTarget } from './targets.js'

const KNOWN = new Set(['model', 'stream', 'text'])

function text(body: JsonObject, field: string): string {
  const value = body[field]
  if (typeof value === 'string') return value
  throw new GatewayError('invalid_request', { message: `The field ${field} must be a string.`, param: field })
}

function decodeRequest(body: JsonObject): ChatRequest {
  return {
    model: text(body, 'model'),
    stream: body.stream === true,
    includeUsage: false,
    system: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: text(body, 'text') }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: null,
    reasoning: null,
    sampling: NO_SAMPLING,
    user: null,
    extensions: Object.fromEntries(Object.entries(body).filter(([key]) => !KNOWN.has(key))),
  }
}

function textOf(content: ChatResponse['content']): string {
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function createSurface(id: string, framing: Framing): Surface {
  return {
    id,
    routes: [{ method: 'POST', path: `/${id}` }],
    framing,
    keepaliveFrame: ': k\n\n',
    promptMembers: ['messages'],
    readFacts: (body) => ({
      model: text(body, 'model'),
      stream: body.stream === true,
      includeUsage: false,
      maxOutputTokens: null,
      provider: null,
      prompt: null,
    }),
    decodeRequest,
    createEncoder: (emit) => ({ push: (event) => emit(`data: ${JSON.stringify(event)}\n\n`) }),
    encodeResponse: (response) => ({ by: id, model: response.meta.model, text: textOf(response.content) }),
    encodeError: (error, requestId) => ({ status: error.status, body: { error: error.message, requestId } }),
    encodeErrorFrame: (error) => `data: ${JSON.stringify({ error: error.message })}\n\n`,
  }
}

function createDecoder(emit: (event: StreamEvent) => void, { fallback }: DecoderOptions): StreamDecoder {
  let isOpen = false
  let isEnded = false
  const open = () => {
    if (isOpen) return
    isOpen = true
    emit({ type: 'start', meta: fallback })
    emit({ type: 'block-start', index: 0, block: { kind: 'text' } })
  }
  const push = (data: Buffer) => {
    if (isEnded) return
    let frame: JsonObject
    try {
      frame = JSON.parse(data.toString()) as JsonObject
    } catch {
      return
    }
    if (typeof frame.delta === 'string') {
      open()
      emit({ type: 'block-delta', index: 0, delta: frame.delta })
    } else if (frame.done === true) {
      open()
      isEnded = true
      emit({ type: 'block-end', index: 0, signature: null })
      const usage = typeof frame.usage === 'number' ? { ...NO_USAGE, outputTokens: frame.usage } : null
      emit({ type: 'finish', reason: 'stop', usage, stopSequence: null })
    }
  }
  const end = () => {
    if (!isEnded) emit({ type: 'error', error: errorData('upstream_cut') })
    isEnded = true
  }
  return { push, end }
}

function createDialect(id: string, framing: Framing): Dialect {
  return {
    id,
    framing,
    headers: {},
    parameterHeaders: [],
    path: (target, stream) => `/${id}/${target.model}${stream ? '?stream' : ''}`,
    carries: () => true,
    limitOutput: () => new Map(),
    encodeRequest: (request, target) => ({
      body: {
        model: target.model,
        stream: request.stream,
        usage: request.includeUsage,
        turns: request.messages.length,
        text: request.messages
          .map((message) => textOf(message.content.filter((part) => part.type === 'text')))
          .join(''),
      },
      dropped: Object.keys(request.extensions),
    }),
    editRequest: (facts, _body, target) => ({
      edits: new Map(facts.model === target.model ? [] : [['model', target.model]]),
      dropped: [],
    }),
    createDecoder,
    createObserver: () => ({
      observe: (data) => (data.includes('"done"') ? FRAME_END : FRAME_OTHER),
      usage: null,
      error: null,
      contentBytes: 0,
      finish: null,
      isComplete: () => true,
    }),
    decodeResponse: (body, fallback) => {
      if (typeof body.text !== 'string') throw new GatewayError('upstream_malformed')
      return {
        meta: fallback,
        content: [{ type: 'text', text: body.text }],
        finishReason: 'stop',
        stopSequence: null,
        usage: isJsonObject(body.usage) ? { ...NO_USAGE, outputTokens: Number(body.usage.output) } : null,
      }
    },
    readUsage: () => null,
    readFinish: () => null,
    decodeError: (status) => errorData('upstream_rejected', { upstreamStatus: status }),
  }
}

function createProtocol(id: string, framing: Framing): Protocol {
  return { id, surface: createSurface(id, framing), dialect: createDialect(id, framing) }
}

export const FAKE_PROTOCOLS: readonly Protocol[] = [
  createProtocol('fake-sse', 'sse'),
  createProtocol('fake-lines', 'ndjson'),
]

/** A target with the commonest quirks. */
export function fakeTarget(protocol: string, model = 'up-model'): Target {
  return testTarget(protocol, { provider: 'fake', model })
}
