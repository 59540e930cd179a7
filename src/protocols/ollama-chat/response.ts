// Decodes a whole answer of POST /api/chat by the same rules as the stream: aggregate(decode(stream)) = decodeResponse(json).
import { GatewayError } from '../../errors.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { type JsonObject } from '../../model/json.js'
import { type AssistantPart } from '../../model/request.js'
import { type ChatResponse } from '../../model/response.js'
import { callId, mapDoneReason, parseReply, type Reply, readReply } from './dialect/reply.js'

/**
 * Thinking comes first, then the content, then the calls: the order in which the model writes them.
 * @throws upstream_malformed without a message, or the upstream's own error if the body has one
 */
export function decodeResponse(body: JsonObject, fallback: ResponseMeta): ChatResponse {
  const reply = readOrThrow(body)
  if (reply.error !== null) throw GatewayError.of(reply.error)
  if (!reply.isChat) throw new GatewayError('upstream_malformed')
  const content: AssistantPart[] = []
  if (reply.thinking !== '') content.push({ type: 'reasoning', text: reply.thinking, signature: null, redacted: null })
  if (reply.content !== '') content.push({ type: 'text', text: reply.content })
  reply.calls.forEach((call, at) => {
    const { name, arguments: args } = call
    content.push({ type: 'tool-call', id: call.id ?? callId(fallback.id, at), name, arguments: args, signature: null })
  })
  return {
    meta: {
      id: fallback.id,
      model: reply.model ?? fallback.model,
      createdSec: reply.createdSec ?? fallback.createdSec,
      usage: null,
    },
    content,
    finishReason: mapDoneReason(reply.doneReason, reply.calls.length > 0),
    stopSequence: null,
    usage: reply.usage,
  }
}

/** The finish reason of a whole answer. It is parsed, since the arguments of a call may contain another `done_reason`. */
export function readFinish(body: Buffer): FinishReason | null {
  const reply = parseReply(body)
  return reply?.isDone === true ? mapDoneReason(reply.doneReason, reply.calls.length > 0) : null
}

/** Throws only if the answer is nested too deeply to be serialized again. */
function readOrThrow(body: JsonObject): Reply {
  try {
    return readReply(body)
  } catch (cause) {
    throw new GatewayError('upstream_malformed', { cause })
  }
}
