// The canonical request -> a Messages body for one target, and the few edits of a body that passes as bytes.
// Everything the target does not accept is left out and named. Counterpart of decode-request.ts.

import { isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type ChatRequest, type Message, type ResponseFormat, type ToolDefinition } from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { type EditedRequest, type EditValue, type EncodedRequest, type RequestFacts } from '../../contract/protocol.js'
import { instructFormat } from '../../fit/format-instruction.js'
import { fitReasoning } from '../../fit/reasoning.js'
import { refuseStoredFiles, type StoredFiles } from '../../fit/stored-files.js'
import { fitUser } from '../../fit/user.js'
import { type EncodedThinking, encodeThinking, NO_ROOM, NO_THINKING } from '../thinking.js'
import { encodeMessages, encodeText, isBlank, isOwnThinking } from './encode-messages.js'
import { rulesOf } from './generation.js'
import { withJsonTool } from './json-tool.js'

/** Extensions that this wire accepts under the same name (API reference and its betas). */
const CARRIED_EXTENSIONS: ReadonlySet<string> = new Set([
  'cache_control',
  'compaction',
  'container',
  'context_management',
  'diagnostics',
  'fallbacks',
  'inference_geo',
  'mcp_servers',
  'speed',
])

/** OpenAI has a field of this name with other values. */
const SERVICE_TIERS: readonly JsonValue[] = ['auto', 'standard_only']

/** The maximum length of `metadata.user_id`. @see https://platform.claude.com/docs/en/api/messages */
const MAX_USER_CHARS = 256

/** With thinking enabled, the vendor accepts `top_p` from here to 1 and rejects the rest. */
const MIN_TOP_P_THINKING = 0.95

/** Encodes for one target; the request takes precedence over `extraBody`. @throws invalid_request, see json-tool.ts */
export function encodeRequest(asked: ChatRequest, target: Target): EncodedRequest {
  const fitting = withJsonTool(asked, target)
  const request = isFormatAsked(fitting, target) ? fitting : instructFormat(fitting)
  const dropped = new Set<string>()
  const thinking = chooseThinking(request, target, dropped)
  const body: JsonObject = { ...target.extraBody }
  body.model = target.model
  body.max_tokens = encodeMaxTokens(request, target, thinking)
  const system = request.system.filter((part) => !isBlank(part)).map(encodeText)
  if (system.length > 0) body.system = system
  body.messages = encodeMessages(request.messages, target, dropped)
  encodeTools(request, body, dropped)
  if (thinking.thinking !== null) body.thinking = thinking.thinking
  encodeOutput(request, { body, target, effort: thinking.effort }, dropped)
  encodeSampling(request, { body, target, isThinking: thinking.isOn }, dropped)
  if (request.user !== null) body.metadata = { user_id: fitUser(request.user, MAX_USER_CHARS) }
  if (request.stream) body.stream = true
  encodeExtensions(request.extensions, body, dropped)
  for (const field of target.quirks.refusedFields) if (field in body) refuse(field, body, dropped)
  const { rawPredictVersion } = target.quirks
  if (rawPredictVersion !== null) {
    delete body.model
    body.anthropic_version ??= rawPredictVersion
  }
  return { body, dropped: [...dropped] }
}

/**
 * Below the base URL. Where the model is in the path (Google Cloud), it is one segment, whose `@` before a date stays as it is.
 * @see https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
 */
export function requestPath({ model, quirks }: Target, stream: boolean): string {
  if (quirks.rawPredictVersion === null) return '/messages'
  const segment = encodeURIComponent(model.replace(/\p{Surrogate}/gu, '\uFFFD')).replaceAll('%40', '@')
  return `/models/${segment}:${stream ? 'streamRawPredict' : 'rawPredict'}`
}

const FILE_ID = 'file_id'

/**
 * Where a block names a file of the vendor's Files API: {"type":"document","source":{"type":"file","file_id":"file_..."}}, or an upload into
 * a container. What a tool of the vendor has made is named in its result, which may come back.
 */
export const STORED_FILES: StoredFiles = Object.freeze({
  members: [FILE_ID],
  turns: 'messages',
  values: new Set(['input']),
  nameIn: ({ type, source, file_id: uploaded }) => {
    if (type === 'container_upload' && typeof uploaded === 'string') return FILE_ID
    const isFile = isJsonObject(source) && source.type === 'file' && typeof source.file_id === 'string'
    return isFile ? `source.${FILE_ID}` : null
  },
})

/**
 * Edits of the client's own bytes: the model if it differs, the members of the target's `extraBody` that the client leaves out,
 * and the fields that the target rejects. Without a difference there are no edits, so the bytes stay identical.
 */
export function editRequest(facts: RequestFacts, body: JsonObject, target: Target): EditedRequest {
  if (facts.isOwnAccount !== true) refuseStoredFiles(body, STORED_FILES)
  const edits = new Map<string, EditValue>()
  const dropped: string[] = []
  for (const [name, value] of Object.entries(target.extraBody)) if (!(name in body)) edits.set(name, value)
  const { rawPredictVersion } = target.quirks
  if (rawPredictVersion !== null) {
    edits.set('model', undefined)
    if (!('anthropic_version' in body)) edits.set('anthropic_version', rawPredictVersion)
  } else if (facts.model !== target.model) edits.set('model', target.model)
  if (target.thinks === false) dropThinking(body, edits, dropped)
  for (const field of target.quirks.refusedFields) {
    edits.delete(field)
    if (!(field in body)) continue
    edits.set(field, undefined)
    dropped.push(field)
  }
  return { edits, dropped }
}

/** Whether the messages may name a file: nothing else in them is of interest. */
export function editsBulk(_head: JsonObject, _target: Target, mentions: (name: string) => boolean): boolean {
  return STORED_FILES.members.some(mentions)
}

/** For a model that is known not to think. A member that disables thinking may stay. */
function dropThinking(body: JsonObject, edits: Map<string, EditValue>, dropped: string[]): void {
  const { thinking, output_config: output } = body
  if (isJsonObject(thinking) && thinking.type !== 'disabled') {
    edits.set('thinking', undefined)
    dropped.push('thinking')
  }
  if (!isJsonObject(output) || output.effort === undefined || output.effort === null) return
  const { effort: _, ...rest } = output
  edits.set('output_config', Object.keys(rest).length === 0 ? undefined : rest)
  dropped.push('output_config.effort')
}

/** The vendor rejects thinking with a forced tool, and a budget if the tool turn to continue has no thinking block. */
function chooseThinking(request: ChatRequest, target: Target, dropped: Set<string>): EncodedThinking {
  const reasoning = fitReasoning(request, target, (field) => dropped.add(field))
  const thinking = encodeThinking(reasoning, target, request.sampling.maxOutputTokens)
  const isForced = request.toolChoice?.type === 'required' || request.toolChoice?.type === 'tool'
  if (thinking === NO_ROOM) dropped.add('reasoning')
  const lacksThinking = thinking.budgetTokens > 0 && continuesWithoutThinking(request.messages)
  if (!thinking.isOn || !(isForced || lacksThinking)) return thinking
  dropped.add('reasoning')
  return NO_THINKING
}

function continuesWithoutThinking(messages: readonly Message[]): boolean {
  if (messages.at(-1)?.role !== 'tool') return false
  const turn = messages.findLast((message) => message.role === 'assistant')
  return turn !== undefined && !turn.content.some((part) => part.type === 'reasoning' && isOwnThinking(part))
}

/** `max_tokens` includes thinking: a default without room for the budget is raised by the budget. A client's cap never is. */
function encodeMaxTokens(request: ChatRequest, target: Target, thinking: EncodedThinking): number {
  const configured = target.extraBody.max_tokens
  const fallback = typeof configured === 'number' ? configured : target.quirks.defaultMaxTokens
  const cap = request.sampling.maxOutputTokens ?? fallback
  return cap > thinking.budgetTokens ? cap : cap + thinking.budgetTokens
}

function encodeTools(request: ChatRequest, body: JsonObject, dropped: Set<string>): void {
  const choice = request.toolChoice
  if (request.tools.length === 0) {
    // The vendor rejects a tool choice without tools; `auto` and `none` have no effect then.
    if (choice?.type === 'required' || choice?.type === 'tool') dropped.add('tool_choice')
    return
  }
  body.tools = request.tools.map(encodeTool)
  const wire = encodeToolChoice(request)
  if (wire !== null) body.tool_choice = wire
}

function encodeTool(tool: ToolDefinition): JsonObject {
  const wire: JsonObject = { name: tool.name }
  if (tool.description !== null) wire.description = tool.description
  // The vendor requires `type: object`; OpenAI allows an empty schema for tools without parameters.
  wire.input_schema = 'type' in tool.parameters ? tool.parameters : { type: 'object', ...tool.parameters }
  if (tool.strict !== null) wire.strict = tool.strict
  return wire
}

function encodeToolChoice(request: ChatRequest): JsonObject | null {
  const choice = request.toolChoice
  const isSerial = request.parallelToolCalls === false
  if (choice === null && !isSerial) return null
  if (choice?.type === 'none') return { type: 'none' }
  const wire: JsonObject = { type: choice === null ? 'auto' : choice.type === 'required' ? 'any' : choice.type }
  if (choice?.type === 'tool') wire.name = choice.name
  if (isSerial) wire.disable_parallel_tool_use = true
  return wire
}

type OutputScope = { readonly body: JsonObject; readonly target: Target; readonly effort: string | null }

function encodeOutput(request: ChatRequest, scope: OutputScope, dropped: Set<string>): void {
  const configured = scope.target.extraBody.output_config
  const output: JsonObject = isJsonObject(configured) ? { ...configured } : {}
  if (scope.effort !== null) output.effort = scope.effort
  const format = request.responseFormat
  if (format !== null && isFormatAsked(request, scope.target)) {
    output.format = { type: 'json_schema', schema: schemaOf(format) }
  } else if (format !== null && format.type !== 'text') dropped.add('response_format')
  if (Object.keys(output).length > 0) scope.body.output_config = output
}

/** Any other format goes into the instructions. */
function isFormatAsked({ responseFormat: format }: ChatRequest, { quirks }: Target): boolean {
  return format !== null && schemaOf(format) !== null && quirks.jsonSchema === 'json-schema'
}

/** The vendor has no JSON mode without a schema. */
function schemaOf(format: ResponseFormat): JsonObject | null {
  return format.type === 'json-schema' && isJsonObject(format.schema) ? format.schema : null
}

type SamplingScope = { readonly body: JsonObject; readonly target: Target; readonly isThinking: boolean }

/**
 * Thinking allows only temperature 1, no `top_k`, and `top_p` in a narrow range. Models from Opus 4.1 on reject temperature and
 * `top_p` together (open-webui/pipelines#546): temperature is kept, as other vendors' clients mean that one. The newest accept neither.
 */
function encodeSampling(request: ChatRequest, scope: SamplingScope, dropped: Set<string>): void {
  const { temperature, topP, topK, frequencyPenalty, presencePenalty, seed } = request.sampling
  const { body, target, isThinking } = scope
  const { isStrict } = rulesOf(target.model)
  if (temperature !== null) {
    const clamped = Math.min(temperature, target.quirks.maxTemperature)
    if (isStrict || (isThinking && clamped !== 1)) dropped.add('temperature')
    else body.temperature = clamped
  }
  if (topP !== null) {
    const isRefused = isStrict || body.temperature !== undefined || (isThinking && topP < MIN_TOP_P_THINKING)
    if (isRefused) dropped.add('top_p')
    else body.top_p = topP
  }
  if (topK !== null) {
    if (isStrict || isThinking) dropped.add('top_k')
    else body.top_k = topK
  }
  // The vendor rejects stop sequences without a visible character, such as a line break.
  const stop = request.sampling.stop.filter((text) => text.trim() !== '')
  if (stop.length > 0) body.stop_sequences = stop
  if (stop.length < request.sampling.stop.length) dropped.add('stop')
  if (frequencyPenalty !== null) dropped.add('frequency_penalty')
  if (presencePenalty !== null) dropped.add('presence_penalty')
  if (seed !== null) dropped.add('seed')
}

function encodeExtensions(extensions: JsonObject, body: JsonObject, dropped: Set<string>): void {
  for (const [name, value] of Object.entries(extensions)) {
    const isCarried = name === 'service_tier' ? SERVICE_TIERS.includes(value) : CARRIED_EXTENSIONS.has(name)
    if (isCarried) body[name] = value
    else dropped.add(name)
  }
}

function refuse(field: string, body: JsonObject, dropped: Set<string>): void {
  delete body[field]
  dropped.add(field)
}
