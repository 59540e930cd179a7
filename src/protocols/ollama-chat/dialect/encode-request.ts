// The canonical request -> the body of POST /api/chat. This wire has no tool choice: for `none` no tools are sent; stricter choices are
// dropped and named.
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { effortOf } from '../../../model/reasoning.js'
import {
  type ChatRequest,
  type ReasoningRequest,
  type ResponseFormat,
  type Sampling,
  type ToolDefinition,
} from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { type EncodedRequest } from '../../contract/protocol.js'
import { instructFormat } from '../../fit/format-instruction.js'
import { fitReasoning } from '../../fit/reasoning.js'
import { removeRefused } from '../../fit/refused-fields.js'
import { type Options, type Tool, type ChatRequest as WireRequest } from '../wire.js'
import { encodeMessages } from './encode-messages.js'

/** Encodes the request; the target's extraBody (`keep_alive`, `options`, ...) is merged with it; the request takes precedence. */
export function encodeRequest(asked: ChatRequest, target: Target): EncodedRequest {
  const isSchemaLost = asked.responseFormat?.type === 'json-schema' && !takesSchema(asked.responseFormat, target)
  const request = isSchemaLost ? instructFormat(asked) : asked
  const dropped = new Set<string>(Object.keys(request.extensions))
  const body: WireRequest = {
    model: target.model,
    messages: encodeMessages(request, dropped),
    stream: request.stream,
  }
  const choice = request.toolChoice?.type ?? 'auto'
  if (request.tools.length > 0 && choice !== 'none') {
    body.tools = request.tools.map((tool) => encodeTool(tool, dropped))
    if (choice !== 'auto') dropped.add('tool_choice')
  }
  setFormat(body, request, { target, dropped })
  const reasoning = fitReasoning(request, target, (field) => dropped.add(field))
  if (reasoning !== null) body.think = encodeThink(reasoning)
  const options = { ...encodeOptions(request.sampling, target), ...takeOwnOptions(request.extensions, dropped) }
  if (Object.keys(options).length > 0) body.options = options
  if (request.parallelToolCalls === false) dropped.add('parallel_tool_calls')
  if (request.user !== null) dropped.add('user')
  const { keep_alive: keepAlive } = request.extensions
  if (typeof keepAlive === 'string' || typeof keepAlive === 'number') {
    body.keep_alive = keepAlive
    dropped.delete('keep_alive')
  }
  const merged = mergeUnder(target.extraBody, body)
  const refusal = { refused: target.quirks.refusedFields, holder: 'options' }
  for (const field of removeRefused(merged, refusal)) dropped.add(field)
  return { body: merged, dropped: [...dropped] }
}

type Encoder = { readonly target: Target; readonly dropped: Set<string> }

function encodeTool(tool: ToolDefinition, dropped: Set<string>): Tool {
  if (tool.strict === true) dropped.add('strict')
  const { name, description } = tool
  // The server's type declares `type` and `properties`, and models' templates print both.
  const parameters = { type: 'object', properties: {}, ...tool.parameters }
  return { type: 'function', function: { name, ...(description === null ? {} : { description }), parameters } }
}

function setFormat(body: WireRequest, request: ChatRequest, { target, dropped }: Encoder): void {
  const format = request.responseFormat
  if (format === null || format.type === 'text') return
  if (format.type === 'json') {
    body.format = 'json'
    return
  }
  if (takesSchema(format, target) && isJsonObject(format.schema)) {
    body.format = format.schema
    return
  }
  dropped.add('response_format')
  if (target.quirks.jsonSchema !== 'none') body.format = 'json'
}

function takesSchema(format: ResponseFormat, { quirks }: Target): boolean {
  return format.type === 'json-schema' && quirks.jsonSchema === 'json-schema' && isJsonObject(format.schema)
}

/** All thinking models accept levels, since some require one; `max` is newer, and older servers reject it. */
function encodeThink(reasoning: ReasoningRequest): boolean | 'low' | 'medium' | 'high' {
  switch (effortOf(reasoning)) {
    case null:
      return true
    case 'none':
      return false
    case 'minimal':
    case 'low':
      return 'low'
    case 'medium':
      return 'medium'
    case 'high':
    case 'xhigh':
      return 'high'
  }
}

function encodeOptions(sampling: Sampling, target: Target): Options {
  const options: Options = {}
  if (sampling.temperature !== null) options.temperature = Math.min(sampling.temperature, target.quirks.maxTemperature)
  if (sampling.topP !== null) options.top_p = sampling.topP
  if (sampling.topK !== null) options.top_k = sampling.topK
  if (sampling.maxOutputTokens !== null) options.num_predict = sampling.maxOutputTokens
  if (sampling.stop.length > 0) options.stop = [...sampling.stop]
  if (sampling.seed !== null) options.seed = sampling.seed
  if (sampling.frequencyPenalty !== null) options.frequency_penalty = sampling.frequencyPenalty
  if (sampling.presencePenalty !== null) options.presence_penalty = sampling.presencePenalty
  return options
}

/** Before the name of an option that only this server has: surface/decode-options.ts. */
const OPTION_PREFIX = 'options.'

/** Options of this server without a canonical member: their names in clients' requests and here. */
const OWN_OPTIONS = [
  ['typical_p', 'typical_p'],
  ['repetition_penalty', 'repeat_penalty'],
] as const

function takeOwnOptions(extensions: JsonObject, dropped: Set<string>): JsonObject {
  const options: JsonObject = {}
  for (const [field, name] of OWN_OPTIONS) {
    const value = extensions[field]
    if (typeof value !== 'number') continue
    options[name] = value
    dropped.delete(field)
  }
  for (const [field, value] of Object.entries(extensions)) {
    if (!field.startsWith(OPTION_PREFIX)) continue
    options[field.slice(OPTION_PREFIX.length)] = value
    dropped.delete(field)
  }
  return options
}

/** Defaults under the request: objects member by member for `options`, anything else as a whole. */
function mergeUnder(under: JsonObject, over: WireRequest): JsonObject {
  const below = under.options
  const options = isJsonObject(below) ? { ...below, ...over.options } : over.options
  return { ...under, ...over, ...(options === undefined ? {} : { options }) }
}
