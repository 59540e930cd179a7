// Surface half, request: a client's chat completions body -> facts for routing, or the canonical request for another
// protocol. Within this protocol decodeRequest is never called: the client's own bytes pass
// (edit-request.ts).
import { countAnswers } from '../../../model/estimate.js'
import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type ChatRequest,
  type ReasoningEffort,
  type ReasoningRequest,
  type ResponseFormat,
  type Sampling,
  type ToolChoice,
  type ToolDefinition,
} from '../../../model/request.js'
import { type RequestFacts } from '../../contract/protocol.js'
import { findLeftOver } from '../../fit/left-over.js'
import { booleanOf, numberOf, stringOf, textOf } from '../../scalars.js'
import { CANONICAL_FIELDS } from '../fields.js'
import { KNOWN_MEMBERS } from '../known-members.js'
import { decodeMessages } from './decode-messages.js'
import { invalid, notCarried } from './invalid.js'
import { checkBody } from './schema.js'

const EFFORTS: readonly string[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] satisfies ReasoningEffort[]

/**
 * What routing, limits and the relay need of a body, after a check of all known fields.
 * @throws invalid_request with `param`
 */
export function readFacts(body: JsonObject): RequestFacts {
  checkBody(body)
  return factsOf(body)
}

function factsOf(body: JsonObject): RequestFacts {
  const options = isJsonObject(body.stream_options) ? body.stream_options : {}
  const answers = countAnswers([body.n, body.best_of])
  return {
    model: String(body.model),
    stream: body.stream === true,
    includeUsage: options.include_usage === true,
    maxOutputTokens: numberOf(body.max_completion_tokens) ?? numberOf(body.max_tokens),
    // An object is OpenRouter's own routing field, not the gateway's.
    provider: textOf(body.provider),
    prompt: null,
    ...(answers > 1 ? { answers } : {}),
  }
}

/**
 * The canonical request of a body that readFacts has accepted.
 * @throws invalid_request with `param`, also for content that only this protocol can carry
 */
export function decodeRequest(body: JsonObject): ChatRequest {
  const facts = factsOf(body)
  const { system, messages } = decodeMessages(body.messages as JsonArray)
  return {
    model: facts.model,
    stream: facts.stream,
    includeUsage: facts.includeUsage,
    system,
    messages,
    tools: decodeTools(body),
    toolChoice: decodeToolChoice(body.tool_choice ?? body.function_call),
    parallelToolCalls: booleanOf(body.parallel_tool_calls),
    responseFormat: decodeResponseFormat(body.response_format),
    reasoning: decodeReasoning(body),
    sampling: decodeSampling(body, facts.maxOutputTokens),
    user: stringOf(body.user),
    extensions: decodeExtensions(body),
  }
}

function decodeTools(body: JsonObject): ToolDefinition[] {
  const tools = isJsonArray(body.tools) ? body.tools : []
  const functions = isJsonArray(body.functions) ? body.functions : []
  return [
    ...tools.map((tool, i) => {
      const definition = isJsonObject(tool) ? tool.function : undefined
      if (!isJsonObject(definition)) throw notCarried(`tools.${i}`, 'not a function tool')
      return decodeFunction(definition)
    }),
    ...functions.map((definition) => decodeFunction(definition as JsonObject)),
  ]
}

function decodeFunction(definition: JsonObject): ToolDefinition {
  return {
    name: String(definition.name),
    description: stringOf(definition.description),
    parameters: isJsonObject(definition.parameters) ? definition.parameters : {},
    strict: booleanOf(definition.strict),
  }
}

/** Null for values without a canonical form, such as `allowed_tools`, which stay extensions. */
function decodeToolChoice(choice: JsonValue | undefined): ToolChoice | null {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice }
  // Mistral's name for `required`.
  if (choice === 'any') return { type: 'required' }
  if (!isJsonObject(choice)) return null
  // {type: 'function', function: {name}}, or the deprecated function_call {name}.
  const name = isJsonObject(choice.function) ? textOf(choice.function.name) : textOf(choice.name)
  return name === null ? null : { type: 'tool', name }
}

function decodeResponseFormat(format: JsonValue | undefined): ResponseFormat | null {
  if (!isJsonObject(format)) return null
  if (format.type === 'text') return { type: 'text' }
  if (format.type === 'json_object') return { type: 'json' }
  if (format.type !== 'json_schema') return null
  const schema = format.json_schema
  if (!isJsonObject(schema)) throw invalid('response_format.json_schema', 'is required')
  return {
    type: 'json-schema',
    name: textOf(schema.name) ?? 'response',
    description: stringOf(schema.description),
    schema: schema.schema ?? {},
    strict: booleanOf(schema.strict),
  }
}

/** OpenAI `reasoning_effort`, or OpenRouter `reasoning: {effort, max_tokens, enabled}`. */
function decodeReasoning(body: JsonObject): ReasoningRequest | null {
  const asked = isJsonObject(body.reasoning) ? body.reasoning : {}
  const effort = decodeEffort(asked.effort ?? body.reasoning_effort) ?? (asked.enabled === false ? 'none' : null)
  const budgetTokens = numberOf(asked.max_tokens)
  return effort === null && budgetTokens === null ? null : { effort, budgetTokens }
}

function decodeEffort(effort: JsonValue | undefined): ReasoningEffort | null {
  // OpenAI's newest step above `xhigh`; the canonical scale ends there.
  if (effort === 'max') return 'xhigh'
  return typeof effort === 'string' && EFFORTS.includes(effort) ? (effort as ReasoningEffort) : null
}

function decodeSampling(body: JsonObject, maxOutputTokens: number | null): Sampling {
  const topK = numberOf(body.top_k)
  return {
    temperature: numberOf(body.temperature),
    topP: numberOf(body.top_p),
    topK: topK !== null && topK > 0 ? topK : null,
    maxOutputTokens,
    frequencyPenalty: numberOf(body.frequency_penalty),
    presencePenalty: numberOf(body.presence_penalty),
    seed: numberOf(body.seed),
    stop: typeof body.stop === 'string' ? [body.stop] : isJsonArray(body.stop) ? body.stop.map(String) : [],
  }
}

/** Fields without a canonical form, and values of canonical fields without one. */
function decodeExtensions(body: JsonObject): JsonObject {
  const entries = Object.entries(body).filter(([field, value]) => value !== null && !CANONICAL_FIELDS.has(field))
  const keepUnless = (isDecoded: boolean, field: string, value: JsonValue | undefined = body[field]): void => {
    if (!isDecoded && value !== undefined && value !== null) entries.push([field, value])
  }
  keepUnless(decodeToolChoice(body.tool_choice) !== null, 'tool_choice')
  keepUnless(decodeResponseFormat(body.response_format) !== null, 'response_format')
  keepUnless(decodeEffort(body.reasoning_effort) !== null, 'reasoning_effort')
  keepUnless(typeof body.provider === 'string', 'provider')
  // The speaker's name: no other protocol has a field for it.
  const isNamed = (turn: JsonValue): boolean =>
    isJsonObject(turn) && turn.role !== 'tool' && turn.role !== 'function' && textOf(turn.name) !== null
  if ((body.messages as JsonArray).some(isNamed)) entries.push(['messages.name', true])
  const isSpoken = (turn: JsonValue): boolean => isJsonObject(turn) && isJsonObject(turn.audio)
  if ((body.messages as JsonArray).some(isSpoken)) entries.push(['messages.audio', true])
  if (isJsonObject(body.stream_options)) {
    const { include_usage: _, ...others } = body.stream_options
    keepUnless(Object.keys(others).length === 0, 'stream_options', others)
  }
  const lost = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, lost, field)
  for (const name of lost) entries.push([name, true])
  // Not by assignment: a client's field may be named `__proto__`.
  return Object.fromEntries(entries)
}
