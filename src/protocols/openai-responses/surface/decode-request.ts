// A validated responses body -> the canonical request. Only between different protocols; its counterpart is encode-request.ts.
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import {
  type ChatRequest,
  NO_SAMPLING,
  type ReasoningEffort,
  type ReasoningRequest,
  type ResponseFormat,
} from '../../../model/request.js'
import { findLeftOver } from '../../fit/left-over.js'
import { booleanOf, numberOf, stringOf, textOf } from '../../scalars.js'
import { KNOWN_MEMBERS } from '../known-members.js'
import { decodeInput } from './decode-input.js'
import { decodeTools } from './decode-tools.js'
import { invalid } from './invalid.js'

/** Members that have a canonical place, or that mean nothing to another vendor; all others go to `extensions`. */
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...['model', 'input', 'instructions', 'stream', 'stream_options', 'tools', 'tool_choice', 'parallel_tool_calls'],
  ...['max_output_tokens', 'reasoning', 'text', 'temperature', 'top_p', 'user'],
  // Nothing is stored; a label of the client is repeated in the answer.
  ...['store', 'background', 'previous_response_id', 'conversation', 'prompt', 'metadata'],
  // Only values other than the default are reported.
  ...['include', 'truncation', 'top_logprobs'],
])

const EFFORTS: readonly JsonValue[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] satisfies ReasoningEffort[]
/** What every answer of this surface includes, as far as there is any. */
const INCLUDED: readonly JsonValue[] = ['reasoning.encrypted_content']

/**
 * The canonical request of a body that readFacts has accepted.
 * @throws invalid_request with `param`, also for what only this wire carries
 */
export function decodeRequest(body: JsonObject): ChatRequest {
  const { system, messages, dropped: items } = decodeInput(body.input)
  const { tools, choice, dropped } = decodeTools(body)
  const instructions = textOf(body.instructions)
  return {
    model: String(body.model),
    stream: body.stream === true,
    includeUsage: true,
    system: instructions === null ? system : [{ type: 'text', text: instructions }, ...system],
    messages,
    tools,
    toolChoice: choice,
    parallelToolCalls: booleanOf(body.parallel_tool_calls),
    responseFormat: decodeFormat(body.text),
    reasoning: decodeReasoning(body.reasoning),
    sampling: {
      ...NO_SAMPLING,
      temperature: numberOf(body.temperature),
      topP: numberOf(body.top_p),
      maxOutputTokens: numberOf(body.max_output_tokens),
    },
    user: stringOf(body.user),
    extensions: decodeExtensions(body, [...items, ...dropped, ...lostOf(body)]),
  }
}

function decodeFormat(text: JsonValue | undefined): ResponseFormat | null {
  const format = isJsonObject(text) ? text.format : undefined
  if (!isJsonObject(format)) return null
  if (format.type === 'text') return { type: 'text' }
  if (format.type === 'json_object') return { type: 'json' }
  if (format.type !== 'json_schema') return null
  if (format.schema === undefined) throw invalid('text.format.schema', 'is required')
  return {
    type: 'json-schema',
    name: textOf(format.name) ?? 'response',
    description: stringOf(format.description),
    schema: format.schema,
    strict: booleanOf(format.strict),
  }
}

function decodeReasoning(reasoning: JsonValue | undefined): ReasoningRequest | null {
  const effort = isJsonObject(reasoning) ? decodeEffort(reasoning.effort) : null
  return effort === null ? null : { effort, budgetTokens: null }
}

function decodeEffort(effort: JsonValue | undefined): ReasoningEffort | null {
  // The vendor's newest step above `xhigh`; the canonical scale ends there.
  if (effort === 'max') return 'xhigh'
  return effort !== undefined && EFFORTS.includes(effort) ? (effort as ReasoningEffort) : null
}

/** Members that are not read here, and values without a canonical form. */
function lostOf(body: JsonObject): Set<string> {
  const lost = new Set<string>()
  for (const [field, shape] of Object.entries(KNOWN_MEMBERS)) findLeftOver(body[field], shape, lost, field)
  const { include, reasoning, text } = body
  if (isJsonArray(include) && include.some((name) => !INCLUDED.includes(name))) lost.add('include')
  if (body.truncation === 'auto') lost.add('truncation')
  if (body.top_logprobs) lost.add('top_logprobs')
  const effort = isJsonObject(reasoning) ? (reasoning.effort ?? null) : null
  if (effort !== null && decodeEffort(effort) === null) lost.add('reasoning.effort')
  const format = isJsonObject(text) ? (text.format ?? null) : null
  if (format !== null && decodeFormat(text) === null) lost.add('text.format')
  return lost
}

/** `lost`: names of what the canonical request cannot hold, reported as dropped for every target. */
function decodeExtensions(body: JsonObject, lost: readonly string[]): JsonObject {
  const entries = Object.entries(body).filter(([name, value]) => value !== null && !KNOWN_FIELDS.has(name))
  const verbosity = isJsonObject(body.text) ? (body.text.verbosity ?? null) : null
  if (verbosity !== null) entries.push(['verbosity', verbosity])
  // Not by assignment: a client's field may be named `__proto__`.
  return Object.fromEntries([...entries, ...lost.map((name): [string, JsonValue] => [name, true])])
}
