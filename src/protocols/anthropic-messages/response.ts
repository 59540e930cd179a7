// A whole Messages answer, both ways, face to face. Blocks of tools that the vendor runs are opaque.
import { GatewayError } from '../../errors.js'
import { type FinishReason, type ResponseMeta } from '../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type AnswerPart, type ChatResponse, type OpaquePart } from '../../model/response.js'
import { believable, NO_USAGE, type UsageReport } from '../../model/usage.js'
import { scanMembers } from '../../wire/body/members.js'
import { decodeCitations, encodeCitation } from './citations.js'
import { encodeToolInput } from './dialect/encode-messages.js'
import { finishAfterJson, isJsonTool } from './dialect/json-tool.js'
import { decodeErrorObject } from './error.js'
import { decodeStopDetails, encodeEnding } from './stop-details.js'
import { decodeStopReason } from './stop-reason.js'
import { encodeUsage, readCounts, readStartCounts, usageOf } from './usage.js'

/** The prefix of the vendor's ids, which its clients may check. */
const ID_PREFIX = 'msg_'

/** An id as this surface shows it: foreign ones get the vendor's prefix. */
export function encodeMessageId(id: string): string {
  return id.startsWith(ID_PREFIX) ? id : `${ID_PREFIX}${id}`
}

/** Encodes a whole answer. `usage` is a required member: unknown counts are 0. */
export function encodeResponse(response: ChatResponse): JsonObject {
  return {
    id: encodeMessageId(response.meta.id),
    type: 'message',
    role: 'assistant',
    model: response.meta.model,
    content: response.content.flatMap(encodePart),
    ...encodeEnding({
      reason: response.finishReason,
      refusal: response.refusal,
      hasRefused: response.content.some((part) => part.type === 'refusal'),
    }),
    stop_sequence: response.stopSequence,
    usage: encodeUsage(believable(response.usage) ?? NO_USAGE),
  }
}

/** Images have no block, and fit/answer.ts has left them out. */
function encodePart(part: AnswerPart): JsonObject | [] {
  switch (part.type) {
    case 'text': {
      const citations = (part.citations ?? []).flatMap((citation) => encodeCitation(citation) ?? [])
      return { type: 'text', text: part.text, ...(citations.length === 0 ? {} : { citations }) }
    }
    case 'refusal':
      return { type: 'text', text: part.text }
    case 'reasoning':
      if (part.redacted !== null) return { type: 'redacted_thinking', data: part.redacted }
      return { type: 'thinking', thinking: part.text, signature: part.signature ?? '' }
    case 'tool-call':
      return { type: 'tool_use', id: part.id, name: part.name, input: encodeToolInput(part.arguments) }
    case 'opaque':
      return part.value
    case 'made-image':
      return []
  }
}

/**
 * Decodes a whole answer.
 * @throws upstream_malformed if it is not a message; the vendor's own error if it is an error with status 200
 */
export function decodeResponse(body: JsonObject, fallback: ResponseMeta): ChatResponse {
  if (body.type === 'error' && isJsonObject(body.error)) throw GatewayError.of(decodeErrorObject(body.error))
  if (!isJsonArray(body.content)) throw new GatewayError('upstream_malformed')
  const counts = readCounts(body.usage, null)
  const content = decodeBlocks(body.content)
  const refusal = decodeStopDetails(body.stop_details)
  return {
    meta: decodeMeta(body, fallback),
    content,
    finishReason: decodeFinish(body),
    stopSequence: typeof body.stop_sequence === 'string' ? body.stop_sequence : null,
    usage: counts === null ? null : usageOf(counts),
    ...(refusal === null ? {} : { refusal }),
  }
}

function decodeFinish(message: JsonObject): FinishReason {
  const reason = decodeStopReason(message.stop_reason)
  const blocks = isJsonArray(message.content) ? message.content.filter(isJsonObject) : []
  if (!blocks.some(isJsonTool)) return reason
  return finishAfterJson(
    reason,
    blocks.some((block) => block.type === 'tool_use' && !isJsonTool(block)),
  )
}

/** Reads id, model and the input counts of a message object: the same of `message_start` and of a whole answer. */
export function decodeMeta(message: JsonObject, fallback: ResponseMeta): ResponseMeta {
  const counts = readStartCounts(message.usage)
  return {
    id: typeof message.id === 'string' && message.id !== '' ? message.id : fallback.id,
    model: typeof message.model === 'string' && message.model !== '' ? message.model : fallback.model,
    createdSec: fallback.createdSec,
    usage: counts === null ? fallback.usage : usageOf({ ...counts, thinking: 0 }),
  }
}

/** Of several calls of the JSON tool only the first is the answer: further ones would make the JSON invalid. */
function decodeBlocks(blocks: readonly JsonValue[]): AnswerPart[] {
  const first = blocks.findIndex((block) => isJsonObject(block) && isJsonTool(block))
  return blocks
    .filter((block, i) => i === first || !isJsonObject(block) || !isJsonTool(block))
    .map(decodeBlock)
    .filter((part) => part !== null)
}

function decodeBlock(block: JsonValue): AnswerPart | null {
  if (!isJsonObject(block)) return null
  if (isJsonTool(block)) return { type: 'text', text: JSON.stringify(block.input ?? {}) }
  switch (block.type) {
    case 'text': {
      const citations = decodeCitations(block.citations)
      return { type: 'text', text: textOf(block.text), ...(citations.length === 0 ? {} : { citations }) }
    }
    case 'thinking':
      return {
        type: 'reasoning',
        text: textOf(block.thinking),
        signature: textOf(block.signature) || null,
        redacted: null,
      }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', signature: null, redacted: textOf(block.data) }
    case 'tool_use':
      return {
        type: 'tool-call',
        id: textOf(block.id),
        name: textOf(block.name),
        arguments: JSON.stringify(block.input ?? {}),
        signature: null,
      }
    default:
      return decodeOpaque(block)
  }
}

/** A block of a tool that the vendor runs. */
function decodeOpaque(block: JsonObject): OpaquePart | null {
  const name = textOf(block.type)
  return name === '' || isJsonTool(block) ? null : { type: 'opaque', wire: WIRE, name, value: block }
}

const WIRE = 'anthropic-messages'

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** Usage of a whole answer. The body is parsed, since a tool's input may contain another `usage`. */
export function readUsage(body: Buffer): UsageReport | null {
  const counts = readCounts(parseMessage(body)?.usage, null)
  return counts === null ? null : usageOf(counts)
}

/** Why the model stopped, of a whole answer. */
export function readFinish(body: Buffer): FinishReason | null {
  const member = scanMembers(body)?.find(({ key }) => key === STOP_REASON) ?? null
  if (member === null || body[member.valueStart] !== QUOTE) return null
  const reason = decodeStopReason(body.toString('latin1', member.valueStart + 1, member.valueEnd - 1))
  // Only if a tool was called can its input be the answer; then the blocks are checked.
  const message = reason === 'tool-calls' ? parseMessage(body) : null
  return message === null ? reason : decodeFinish(message)
}

const STOP_REASON = 'stop_reason'
const QUOTE = 0x22

function parseMessage(body: Buffer): JsonObject | null {
  try {
    const message: unknown = JSON.parse(body.toString('utf8'))
    return isJsonObject(message) ? message : null
  } catch {
    return null
  }
}
