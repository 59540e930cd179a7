// Why the model stopped, as the status of a response, both ways. This wire has no word for a stop sequence, nor for a call: a response with
// calls is `completed`.
import { type FinishReason } from '../../model/event.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'

const FINISH_OF_REASON: ReadonlyMap<JsonValue | undefined, FinishReason> = new Map<JsonValue | undefined, FinishReason>(
  [
    ['max_output_tokens', 'length'],
    ['content_filter', 'content-filter'],
  ],
)

/** `hasCalls`: the response calls a tool of the client. */
export function decodeFinish(response: JsonObject, hasCalls: boolean): FinishReason {
  if (response.status === 'incomplete') {
    const details = isJsonObject(response.incomplete_details) ? response.incomplete_details : {}
    return FINISH_OF_REASON.get(details.reason) ?? 'other'
  }
  return hasCalls ? 'tool-calls' : 'stop'
}

export type EncodedStatus = {
  readonly status: 'completed' | 'incomplete'
  readonly reason: 'max_output_tokens' | 'content_filter' | null
}

/** A reason that this wire does not have is a plain end. */
export function encodeFinish(reason: FinishReason): EncodedStatus {
  if (reason === 'length') return { status: 'incomplete', reason: 'max_output_tokens' }
  if (reason === 'content-filter') return { status: 'incomplete', reason: 'content_filter' }
  return { status: 'completed', reason: null }
}

/** The items by which a client's tool is called. */
const CALL_ITEMS: ReadonlySet<JsonValue | undefined> = new Set(['function_call', 'custom_tool_call'])

/** True for an item that calls a tool of the client. */
export function isCallItem(item: JsonValue | undefined): boolean {
  return isJsonObject(item) && CALL_ITEMS.has(item.type)
}
