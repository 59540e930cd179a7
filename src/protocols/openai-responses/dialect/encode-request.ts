// Dialect half, request: the canonical request -> a responses body for one vendor, by its quirks. Nothing is ever stored there: the account
// is the operator's, and the input is always complete.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { effortOf } from '../../../model/reasoning.js'
import { type ChatRequest, type ResponseFormat, type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { type Quirks, type Target } from '../../../model/target.js'
import { type EncodedRequest } from '../../contract/protocol.js'
import { instructFormat } from '../../fit/format-instruction.js'
import { fitReasoning } from '../../fit/reasoning.js'
import { fitUser } from '../../fit/user.js'
import { encodeInput } from './encode-input.js'

/** Without it a vendor that stores nothing loses the reasoning of each turn. */
export const ENCRYPTED_REASONING = 'reasoning.encrypted_content'
/** "string too long. Expected a string with maximum length 64" is the vendor's error for a longer `user`. */
const MAX_USER_CHARS = 64

/** Extensions that are this API's own fields (openai-node 6.49, ResponseCreateParams) and so are carried to its upstreams. */
const CARRIED_EXTENSIONS: ReadonlySet<string> = new Set([
  'max_tool_calls',
  'metadata',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
])
const SERVICE_TIERS: readonly JsonValue[] = ['auto', 'default', 'flex', 'scale', 'priority']

/** Path below the base URL; a dated Azure API has its version in the query. */
export function requestPath({ quirks }: Target): string {
  const version = quirks.deploymentApiVersion
  return version === null ? '/responses' : `/responses?api-version=${encodeURIComponent(version)}`
}

/** What the vendor cannot carry is named in `dropped`. */
export function encodeRequest(asked: ChatRequest, target: Target): EncodedRequest {
  const { quirks, extraBody } = target
  const isSchemaLost = asked.responseFormat?.type === 'json-schema' && quirks.jsonSchema !== 'json-schema'
  const request = isSchemaLost ? instructFormat(asked) : asked
  const dropped = new Set<string>()
  const drop = (field: string): void => void dropped.add(field)
  const { instructions, input } = encodeInput(request, { target, drop })
  const body: JsonObject = { model: target.model, input, stream: request.stream, store: false }
  set(body, 'instructions', instructions)
  if (request.tools.length > 0) body.tools = request.tools.map(encodeTool)
  if (request.toolChoice !== null) body.tool_choice = encodeChoice(request.toolChoice)
  set(body, 'parallel_tool_calls', request.parallelToolCalls)
  encodeText(request, { body, quirks, drop })
  encodeReasoning(request, { body, target, drop })
  encodeSampling(request, { body, quirks, drop })
  if (request.user !== null) body.user = fitUser(request.user, MAX_USER_CHARS)
  encodeExtensions(request.extensions, body, drop)
  for (const field of quirks.refusedFields) {
    if (body[field] === undefined) continue
    delete body[field]
    drop(field)
  }
  return { body: { ...extraBody, ...body }, dropped: [...dropped] }
}

type Drop = (field: string) => void

/** Without `strict` this wire makes every schema strict that can be; other wires do not. */
function encodeTool(tool: ToolDefinition): JsonObject {
  const { name, description, parameters, strict } = tool
  const schema = Object.keys(parameters).length === 0 ? NO_PARAMETERS : parameters
  const described = description === null ? {} : { description }
  return { type: 'function', name, ...described, parameters: schema, strict: strict ?? false }
}

const NO_PARAMETERS: JsonObject = Object.freeze({ type: 'object', properties: {} })

function encodeChoice(choice: ToolChoice): JsonValue {
  return choice.type === 'tool' ? { type: 'function', name: choice.name } : choice.type
}

type TextScope = { readonly body: JsonObject; readonly quirks: Quirks; readonly drop: Drop }

function encodeText({ responseFormat, extensions }: ChatRequest, { body, quirks, drop }: TextScope): void {
  const text: JsonObject = {}
  const format = responseFormat === null ? null : fitFormat(responseFormat, quirks)
  if (format !== null) text.format = format
  if (responseFormat?.type === 'json-schema' && format?.type !== 'json_schema') drop('response_format')
  if (typeof extensions.verbosity === 'string') text.verbosity = extensions.verbosity
  if (Object.keys(text).length > 0) body.text = text
}

function fitFormat(format: ResponseFormat, { jsonSchema }: Quirks): JsonObject | null {
  if (format.type === 'text') return { type: 'text' }
  if (format.type === 'json') return { type: 'json_object' }
  if (jsonSchema !== 'json-schema') return jsonSchema === 'none' ? null : { type: 'json_object' }
  const { name, description, schema, strict } = format
  const wire: JsonObject = { type: 'json_schema', name, schema }
  set(wire, 'description', description)
  // Without it this wire is strict, unlike others.
  wire.strict = strict ?? false
  return wire
}

type ReasoningScope = { readonly body: JsonObject; readonly target: Target; readonly drop: Drop }

function encodeReasoning(request: ChatRequest, { body, target, drop }: ReasoningScope): void {
  const { quirks, extraBody, thinks } = target
  const fitted = fitReasoning(request, target, drop)
  const effort = fitted === null ? null : effortOf(fitted)
  const isAsked = effort !== null && effort !== 'none'
  if (quirks.reasoningRequest === 'none') {
    if (isAsked) drop('reasoning')
    return
  }
  // Few models know `xhigh`, so a mere wish for it is lowered rather than risk a refusal.
  const asked = fitted?.isWish === true && effort === 'xhigh' ? 'high' : effort
  const configured = isJsonObject(extraBody.reasoning) ? extraBody.reasoning : {}
  if (asked !== null) body.reasoning = { ...configured, effort: asked }
  if (isAsked || thinks === true) body.include = withEncrypted(extraBody.include)
}

/** The list with the encrypted reasoning in it. */
export function withEncrypted(include: JsonValue | undefined): JsonValue[] {
  const others = isJsonArray(include) ? include.filter((name) => name !== ENCRYPTED_REASONING) : []
  return [...others, ENCRYPTED_REASONING]
}

function encodeSampling({ sampling }: ChatRequest, { body, quirks, drop }: TextScope): void {
  if (sampling.temperature !== null) body.temperature = Math.min(sampling.temperature, quirks.maxTemperature)
  set(body, 'top_p', sampling.topP)
  set(body, 'max_output_tokens', sampling.maxOutputTokens)
  if (sampling.topK !== null) drop('top_k')
  if (sampling.frequencyPenalty !== null) drop('frequency_penalty')
  if (sampling.presencePenalty !== null) drop('presence_penalty')
  if (sampling.seed !== null) drop('seed')
  if (sampling.stop.length > 0) drop('stop')
}

function encodeExtensions(extensions: JsonObject, body: JsonObject, drop: Drop): void {
  for (const [field, value] of Object.entries(extensions)) {
    // Anthropic has a field of this name with other values.
    const isCarried = field === 'service_tier' ? SERVICE_TIERS.includes(value) : CARRIED_EXTENSIONS.has(field)
    if (isCarried) body[field] = value
    // Stored nowhere, here or there; `verbosity` is a part of `text`.
    else if (field !== 'store' && !(field === 'verbosity' && typeof value === 'string')) drop(field)
  }
}

function set(body: JsonObject, field: string, value: JsonValue): void {
  if (value !== null) body[field] = value
}
