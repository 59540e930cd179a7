// Answers as clients get them, in the two forms: the message of a chat, or the text that follows a prompt. A line of a stream and a whole
// answer are the same type on this wire.
//
//   chat       {"model","created_at","message":{"role","content","thinking"?,"tool_calls"?},"done", ...}
//   generate   {"model","created_at","response","thinking"?,"done", ...}
import { type FinishReason, type ResponseMeta } from '../../../model/event.js'
import { type JsonObject } from '../../../model/json.js'
import { finishOfRefusal, isWords } from '../../../model/refusal.js'
import { type ChatResponse } from '../../../model/response.js'
import { parseToolArguments } from '../../../model/tool-arguments.js'
import { believable, type UsageReport } from '../../../model/usage.js'

const MS_PER_SECOND = 1000
/** The end of the year 9999, the last that clients parse: a provider may have its times in another unit. */
const MAX_SECONDS = 253_402_300_799
const NS_PER_MS = 1_000_000

/** What a line says, in one of the two forms. */
export type AnswerForm = (content: string, more?: JsonObject) => JsonObject

/** A line of a chat. */
export const CHAT_FORM: AnswerForm = (content, more = {}) => ({ message: { role: 'assistant', content, ...more } })

/** A line of a text that follows a prompt. */
export const GENERATE_FORM: AnswerForm = (content, more = {}) => ({ response: content, ...more })

/** How an answer ended, and what it cost. */
export type AnswerEnd = {
  readonly reason: FinishReason
  readonly usage: UsageReport | null
  /** From accepting the request to the end; absent if unknown. */
  readonly totalMs?: number | undefined
  /** Of it, up to the first content. */
  readonly firstMs?: number | undefined
}

/** A whole answer in one of the forms. */
export function encodeAnswer(response: ChatResponse, form: AnswerForm): JsonObject {
  const { meta, content, finishReason, usage, elapsedMs } = response
  let text = ''
  let thinking = ''
  const calls: JsonObject[] = []
  for (const part of content) {
    if (isWords(part)) text += part.text
    else if (part.type === 'reasoning') thinking += part.text
    else if (part.type === 'tool-call') calls.push(encodeCall(part, part.arguments))
  }
  const more = {
    ...(thinking === '' ? {} : { thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
  const hasRefused = content.some((part) => part.type === 'refusal')
  const reason = hasRefused ? finishOfRefusal(finishReason) : finishReason
  return { ...encodeHead(meta), ...form(text, more), ...encodeEnd({ reason, usage, totalMs: elapsedMs }) }
}

/** The members before what a line says. */
export function encodeHead({ model, createdSec }: ResponseMeta): JsonObject {
  return { model, created_at: new Date(Math.min(createdSec, MAX_SECONDS) * MS_PER_SECOND).toISOString() }
}

/** The members behind it, of the last line or a whole answer. Durations are in nanoseconds; loading a model is not known here. */
export function encodeEnd({ reason, usage, totalMs, firstMs = 0 }: AnswerEnd): JsonObject {
  const counts = believable(usage)
  const duration = totalMs === undefined ? null : Math.max(1, toNs(totalMs))
  const first = duration === null ? 0 : Math.min(toNs(firstMs), duration - 1)
  return {
    done: true,
    done_reason: encodeReason(reason),
    ...(duration === null ? {} : { total_duration: duration, load_duration: 0 }),
    ...(counts === null ? {} : { prompt_eval_count: counts.inputTokens }),
    ...(duration === null ? {} : { prompt_eval_duration: first }),
    ...(counts === null ? {} : { eval_count: counts.outputTokens }),
    ...(duration === null ? {} : { eval_duration: duration - first }),
  }
}

/** A whole call: this wire has no fragments of one. Malformed arguments are kept as text in a member of ours. */
export function encodeCall(call: { id: string; name: string }, text: string): JsonObject {
  const args = parseToolArguments(text) ?? { arguments: text }
  return { id: call.id, function: { name: call.name, arguments: args } }
}

/** The server has two reasons for the end of an answer. The other words are ours. */
function encodeReason(reason: FinishReason): string {
  if (reason === 'length') return 'length'
  if (reason === 'content-filter') return 'content_filter'
  return reason === 'other' ? 'other' : 'stop'
}

function toNs(ms: number): number {
  return Math.round(ms * NS_PER_MS)
}
