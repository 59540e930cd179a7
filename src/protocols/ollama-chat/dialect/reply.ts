// A chat line narrowed once: a streamed line and the whole answer are the same type on this wire, so the decoder, the
// observer and decodeResponse all read it here.
import { type ErrorData } from '../../../model/error.js'
import { type FinishReason } from '../../../model/event.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type UsageReport } from '../../../model/usage.js'
import { readError } from '../error.js'
import { decodeUsage } from '../usage.js'

/** A whole call: this wire sends no fragments. */
export type ReplyCall = { readonly id: string | null; readonly name: string; readonly arguments: string }

export type Reply = {
  readonly model: string | null
  readonly createdSec: number | null
  readonly thinking: string
  readonly content: string
  readonly calls: readonly ReplyCall[]
  readonly isDone: boolean
  readonly doneReason: string | null
  readonly usage: UsageReport | null
  readonly error: ErrorData | null
  /** The body has a message or is marked as done; otherwise it is not a chat answer. */
  readonly isChat: boolean
}

/** Reads a line's bytes; null if they are not a JSON object. */
export function parseReply(line: Buffer): Reply | null {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    return isJsonObject(value) ? readReply(value) : null
  } catch {
    // Not JSON, or nested too deeply to be serialized again.
    return null
  }
}

/** Reads a parsed line or body. Unknown members are skipped. */
export function readReply(body: JsonObject): Reply {
  const message = isJsonObject(body.message) ? body.message : null
  return {
    model: readText(body.model) || null,
    createdSec: toSec(body.created_at),
    thinking: readText(message?.thinking),
    content: readText(message?.content),
    calls: readCalls(message?.tool_calls),
    isDone: body.done === true,
    doneReason: readText(body.done_reason) || null,
    usage: decodeUsage(body),
    error: body.error === undefined || body.error === null ? null : readError(body.error, null),
    isChat: message !== null || body.done === true,
  }
}

/** Maps `done_reason`, which older servers leave out. `load` and `unload` answer a request without messages. */
export function mapDoneReason(reason: string | null, hasToolCalls: boolean): FinishReason {
  switch (reason) {
    case null:
    case 'stop':
      return hasToolCalls ? 'tool-calls' : 'stop'
    case 'length':
      return 'length'
    default:
      return 'other'
  }
}

/** An id for a call without one: unique within the conversation, the same on each decode. */
export function callId(responseId: string, call: number): string {
  return `call_${responseId}_${call}`
}

function readCalls(value: JsonValue | undefined): readonly ReplyCall[] {
  const calls: ReplyCall[] = []
  if (!isJsonArray(value)) return calls
  for (const call of value) {
    const called = isJsonObject(call) ? call.function : null
    if (!isJsonObject(call) || !isJsonObject(called)) continue
    const name = readText(called.name)
    if (name === '') continue
    const args = JSON.stringify(isJsonObject(called.arguments) ? called.arguments : {})
    calls.push({ id: readText(call.id) || null, name, arguments: args })
  }
  return calls
}

function toSec(value: JsonValue | undefined): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000)
}

function readText(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}
