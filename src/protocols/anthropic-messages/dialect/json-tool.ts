// JSON by a schema from servers of this wire without an output format: the model is forced to call a tool whose input is the answer,
// and that input is returned as text. Both directions are here; the decoders recognize the tool by its name.
import { GatewayError } from '../../../errors.js'
import { type FinishReason } from '../../../model/event.js'
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type ChatRequest, type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { type Target } from '../../../model/target.js'

/** A client's tool must not have this name at such a server: its calls would be mistaken for the answer. */
const JSON_TOOL = 'sluice_json_answer'

/**
 * The request as the server gets it: if the target has no output format, with the tool in its place. With the client's own tools beside
 * it, the model must call one of them all; if the client forces a call of its own tools, only the format is removed.
 * @throws invalid_request for a schema that a tool cannot have, and for a client's tool with the reserved name
 */
export function withJsonTool(request: ChatRequest, target: Target): ChatRequest {
  if (request.tools.some(({ name }) => name === JSON_TOOL)) {
    throw invalid(
      'tools',
      `must not contain a function named ${JSON_TOOL}, which the gateway reserves for this provider`,
    )
  }
  const format = request.responseFormat
  if (format?.type !== 'json-schema' || target.quirks.jsonSchema !== 'tool') return request
  const choice = request.toolChoice?.type ?? 'auto'
  if (choice === 'required' || choice === 'tool') return { ...request, responseFormat: null }
  const description = ['Gives the final answer; call it once.', format.description].filter(Boolean).join(' ')
  const tool: ToolDefinition = {
    name: JSON_TOOL,
    description,
    parameters: toParameters(format.schema),
    strict: null,
  }
  const isAlone = request.tools.length === 0 || choice === 'none'
  const toolChoice: ToolChoice = isAlone ? { type: 'tool', name: JSON_TOOL } : { type: 'required' }
  return {
    ...request,
    tools: [...request.tools, tool],
    toolChoice,
    parallelToolCalls: isAlone ? false : request.parallelToolCalls,
    responseFormat: null,
  }
}

function toParameters(schema: unknown): JsonObject {
  if (isJsonObject(schema) && (schema.type ?? 'object') === 'object') return schema
  throw invalid('response_format', 'must have a schema of type object for this provider')
}

/** Retryable: another target may accept it. */
function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', { param, message: `'${param}' ${problem}.`, retryable: true })
}

/** True for a call of that tool, whose input is the answer. */
export function isJsonTool(block: JsonObject): boolean {
  return block.type === 'tool_use' && block.name === JSON_TOOL
}

/** A call of that tool is an ordinary end, unless other tools were called with it. */
export function finishAfterJson(reason: FinishReason, hasCalls: boolean): FinishReason {
  return reason === 'tool-calls' && !hasCalls ? 'stop' : reason
}
