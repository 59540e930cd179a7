// Dialect half, request: the canonical request -> a chat completions body for one vendor, by its quirks.
import { type JsonObject, type JsonValue } from '../../../model/json.js'
import { effortOf } from '../../../model/reasoning.js'
import {
  type ChatRequest,
  type ReasoningEffort,
  type ReasoningRequest,
  type ResponseFormat,
  type ToolChoice,
  type ToolDefinition,
} from '../../../model/request.js'
import { type Quirks, type Target } from '../../../model/target.js'
import { type EncodedRequest } from '../../contract/protocol.js'
import { instructFormat } from '../../fit/format-instruction.js'
import { fitReasoning } from '../../fit/reasoning.js'
import { fitUser } from '../../fit/user.js'
import { openaiPath } from '../../openai-upstream.js'
import { CARRIED_EXTENSIONS, SERVICE_TIERS, VENDOR_EXTENSIONS } from '../fields.js'
import { type WireResponseFormat, type WireTool, type WireToolChoice } from '../wire.js'
import { encodeMessages } from './encode-messages.js'

/** The body under construction, and where to report what this vendor does not accept. */
type Draft = { readonly body: JsonObject; readonly quirks: Quirks; readonly drop: (field: string) => void }

/**
 * Path below the base URL. A dated Azure API has the model in it, as a deployment; the `/openai` before it belongs to the base URL.
 * @see https://learn.microsoft.com/azure/ai-services/openai/reference
 */
export function requestPath(target: Target): string {
  return openaiPath(target, '/chat/completions')
}

/** What the vendor cannot carry is named in `dropped` by its field name on this wire. */
export function encodeRequest(asked: ChatRequest, target: Target): EncodedRequest {
  const { quirks } = target
  const isSchemaLost = asked.responseFormat?.type === 'json-schema' && quirks.jsonSchema !== 'json-schema'
  const request = isSchemaLost ? instructFormat(asked) : asked
  const dropped = new Set<string>()
  const drop = (field: string): void => void dropped.add(field)
  const messages = encodeMessages(request, { quirks, drop })
  const body: JsonObject = { model: target.model, messages, stream: request.stream }
  const draft: Draft = { body, quirks, drop }
  encodeExtensions(draft, request.extensions)
  encodeStreamOptions(draft, request)
  if (request.tools.length > 0) body.tools = request.tools.map(encodeTool)
  if (request.toolChoice !== null) body.tool_choice = encodeToolChoice(request.toolChoice)
  set(body, 'parallel_tool_calls', request.parallelToolCalls)
  if (request.responseFormat !== null) encodeResponseFormat(draft, request.responseFormat)
  encodeReasoning(draft, request, target)
  encodeSampling(draft, request)
  if (request.user !== null) body.user = fitUser(request.user, MAX_USER_CHARS)
  for (const field of quirks.refusedFields) {
    if (body[field] === undefined) continue
    delete body[field]
    drop(field)
  }
  const defaults = fittingDefaults(target.extraBody, (field) => body[field] !== undefined)
  return { body: { ...Object.fromEntries(defaults), ...body }, dropped: [...dropped] }
}

/** "string too long. Expected a string with maximum length 64" is the vendor's error for a longer `user`. */
const MAX_USER_CHARS = 64

/** Two names of the same cap; OpenAI rejects a body with both. */
const CAP_FIELDS: readonly string[] = ['max_tokens', 'max_completion_tokens']

/** The members of the target's `extraBody` that a request does not set. */
export function fittingDefaults(extraBody: JsonObject, has: (field: string) => boolean): [string, JsonValue][] {
  const fields = Object.entries(extraBody)
  if (fields.length === 0) return fields
  const isCapped = CAP_FIELDS.some(has)
  return fields.filter(([field]) => !has(field) && !(isCapped && CAP_FIELDS.includes(field)))
}

/** OpenAI's json_schema, or the part of it that the vendor accepts; null for none. */
export function fitResponseFormat(format: WireResponseFormat, quirks: Quirks): WireResponseFormat | null {
  if (format.type !== 'json_schema' || quirks.jsonSchema === 'json-schema') return format
  return quirks.jsonSchema === 'none' ? null : { type: 'json_object' }
}

/** Extensions of other surfaces have no meaning here: only this API's own fields are carried, to vendors that know them. */
function encodeExtensions({ body, quirks, drop }: Draft, extensions: JsonObject): void {
  for (const [field, value] of Object.entries(extensions)) {
    // Anthropic has a field of this name with other values.
    const isForeign = field === 'service_tier' && !SERVICE_TIERS.includes(value)
    // A vendor with the developer role has the full wire.
    const isUnknown = VENDOR_EXTENSIONS.has(field) && !quirks.developerRole
    if (CARRIED_EXTENSIONS.has(field) && !isForeign && !isUnknown) body[field] = value
    else drop(field)
  }
}

/** Usage is always requested; the relay removes it for a client that did not request it. */
function encodeStreamOptions({ body, quirks }: Draft, request: ChatRequest): void {
  if (!request.stream) delete body.stream_options
  else if (quirks.streamOptions) body.stream_options = { ...(body.stream_options as JsonObject), include_usage: true }
}

function encodeTool(tool: ToolDefinition): WireTool {
  const definition: WireTool['function'] = { name: tool.name }
  if (tool.description !== null) definition.description = tool.description
  // "Omitting parameters defines a function with an empty parameter list."
  if (Object.keys(tool.parameters).length > 0) definition.parameters = completeSchema(tool.parameters)
  if (tool.strict !== null) definition.strict = tool.strict
  return { type: 'function', function: definition }
}

/** The vendor rejects an "object schema missing properties" (langchain-mcp-adapters#343); others accept `{type: object}`. */
function completeSchema(schema: JsonObject): JsonObject {
  return schema.type === 'object' && schema.properties === undefined ? { ...schema, properties: {} } : schema
}

function encodeToolChoice(choice: ToolChoice): WireToolChoice {
  return choice.type === 'tool' ? { type: 'function', function: { name: choice.name } } : choice.type
}

function encodeResponseFormat({ body, quirks, drop }: Draft, format: ResponseFormat): void {
  const wire = toWireFormat(format)
  const fitted = fitResponseFormat(wire, quirks)
  if (fitted !== wire) drop('response_format')
  if (fitted !== null) body.response_format = fitted
}

function toWireFormat(format: ResponseFormat): WireResponseFormat {
  if (format.type === 'text') return { type: 'text' }
  if (format.type === 'json') return { type: 'json_object' }
  const schema: Extract<WireResponseFormat, { type: 'json_schema' }>['json_schema'] = { name: format.name }
  if (format.description !== null) schema.description = format.description
  schema.schema = format.schema
  if (format.strict !== null) schema.strict = format.strict
  return { type: 'json_schema', json_schema: schema }
}

function encodeReasoning({ body, quirks, drop }: Draft, request: ChatRequest, target: Target): void {
  // An effort without a canonical form is an extension.
  if (quirks.reasoningRequest !== 'reasoning_effort' && body.reasoning_effort !== undefined) {
    delete body.reasoning_effort
    drop('reasoning_effort')
  }
  const reasoning = fitReasoning(request, target, drop)
  if (reasoning === null) return
  if (quirks.reasoningRequest === 'none') {
    if (reasoning.effort !== 'none') drop('reasoning_effort')
  } else if (quirks.reasoningRequest === 'reasoning_effort') set(body, 'reasoning_effort', encodeEffort(reasoning))
  // OpenRouter accepts one of the two, not both.
  else if (reasoning.budgetTokens !== null) body.reasoning = { max_tokens: reasoning.budgetTokens }
  else if (reasoning.effort !== null) body.reasoning = { effort: reasoning.effort }
}

/** Few models know `xhigh`, so a mere wish for it is lowered rather than risk a refusal. */
function encodeEffort(reasoning: ReasoningRequest): ReasoningEffort | null {
  const effort = effortOf(reasoning)
  return reasoning.isWish === true && effort === 'xhigh' ? 'high' : effort
}

function encodeSampling({ body, quirks, drop }: Draft, request: ChatRequest): void {
  const { sampling } = request
  if (sampling.temperature !== null) body.temperature = Math.min(sampling.temperature, quirks.maxTemperature)
  set(body, 'top_p', sampling.topP)
  if (sampling.topK !== null) drop('top_k')
  set(body, quirks.maxTokensField, sampling.maxOutputTokens)
  set(body, 'frequency_penalty', sampling.frequencyPenalty)
  set(body, 'presence_penalty', sampling.presencePenalty)
  set(body, 'seed', sampling.seed)
  if (sampling.stop.length > 0) body.stop = [...sampling.stop]
}

function set(body: JsonObject, field: string, value: JsonValue): void {
  if (value !== null) body[field] = value
}
