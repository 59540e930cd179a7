// What an answer repeats of its request, and the response object around it. Clients' schemas of this object are strict: every member is
// there, null or the vendor's default where the request has none (theopenco/llmgateway#2287; Open Responses, ResponseResource).
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { ownOf } from '../own-members.js'
import { listTools, packNames } from '../tool-names.js'

/** Members of a request that its answers repeat, with what the vendor shows where the request has none. */
const REPEATED: Readonly<Record<string, JsonValue>> = Object.freeze({
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  parallel_tool_calls: true,
  presence_penalty: 0,
  frequency_penalty: 0,
  prompt_cache_key: null,
  prompt_cache_retention: null,
  reasoning: null,
  safety_identifier: null,
  service_tier: 'default',
  temperature: 1,
  text: null,
  tool_choice: 'auto',
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  user: null,
})

/** What an answer says of itself unless the gateway has decided otherwise: nothing is stored, nothing runs in the background. */
const FIXED: JsonObject = Object.freeze({ background: false, previous_response_id: null, store: false })
const NO_NAMES: JsonObject = Object.freeze({})
const NO_OWN = Object.freeze({ id: '' })

/** The repeated members of a request, and the names of its tools on other wires. Plain data. */
export function readEcho(body: JsonObject): JsonObject {
  const request: JsonObject = {}
  for (const name of Object.keys(REPEATED)) {
    const value = body[name]
    if (value !== undefined && value !== null) request[name] = value
  }
  return { request, names: packNames(listTools(body)) }
}

/** The names of tools in an echo, for `unpackName`. */
export function namesOf(echo: JsonObject | null): JsonObject {
  return isJsonObject(echo?.names) ? echo.names : NO_NAMES
}

/** What a response object says of itself; the rest repeats its request. */
export type ResponseHead = {
  readonly id: string
  readonly createdSec: number
  readonly model: string
  readonly status: 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'
  readonly incompleteReason?: string | null
  readonly error?: { readonly code: string; readonly message: string } | null
  /** Null until the end. */
  readonly usage?: JsonObject | null
  /** Since the request was accepted; absent if unknown. */
  readonly elapsedMs?: number | undefined
}

/** The members before `output`. There is no clock here: the time of completion is that of creation and what has passed since. */
export function encodeHead(head: ResponseHead) {
  const { id, createdSec, model, status, incompleteReason = null, error = null, elapsedMs } = head
  const isKnown = status === 'completed' && elapsedMs !== undefined
  return {
    id,
    object: 'response',
    created_at: createdSec,
    completed_at: isKnown ? createdSec + Math.round(elapsedMs / MS_PER_SEC) : null,
    status,
    error,
    incomplete_details: incompleteReason === null ? null : { reason: incompleteReason },
    model,
  }
}

const MS_PER_SEC = 1000

/** The members behind `output` and `usage`. */
export function encodeRepeated(echo: JsonObject | null): JsonObject {
  const request = isJsonObject(echo?.request) ? echo.request : NO_NAMES
  const { id: _, ...own } = ownOf(echo) ?? NO_OWN
  const repeated: JsonObject = { ...FIXED, ...REPEATED, ...request, ...own }
  const reasoning = isJsonObject(request.reasoning) ? request.reasoning : NO_NAMES
  repeated.reasoning = { effort: null, summary: null, ...reasoning }
  repeated.text = { format: { type: 'text' }, ...(isJsonObject(request.text) ? request.text : NO_NAMES) }
  if (isJsonArray(request.tools)) repeated.tools = request.tools.map(completeTool)
  return repeated
}

/** The whole object; `output` has the items so far. */
export function encodeResponseObject(head: ResponseHead, output: JsonValue[], echo: JsonObject | null): JsonObject {
  return { ...encodeHead(head), output, usage: head.usage ?? null, ...encodeRepeated(echo) }
}

function completeTool(tool: JsonValue): JsonValue {
  if (!isJsonObject(tool) || tool.type !== 'function') return tool
  return { description: null, parameters: null, strict: null, ...tool }
}
