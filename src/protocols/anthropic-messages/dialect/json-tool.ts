// JSON by a schema from servers of this wire without an output format: the model is forced to call a tool whose input is the answer,
// and that input is returned as text. Both directions are here; the decoders recognize the tool by its name.
import { GatewayError } from '../../../errors.js'
import { type FinishReason } from '../../../model/event.js'
import { isJsonObject, type JsonObject } from '../../../model/json.js'
import { type ChatRequest, type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { type Target } from '../../../model/target.js'

/** No client may have a tool of this name at such a server: its calls would be taken for the answer. */
const JSON_TOOL = 'sluice_json_answer'

/**
 * The request as it goes to the server: with the tool, and without the format, where the target has none. Beside the client's
 * own tools the model must call one of all; where the client has it call one of its own, there is no answer to form yet.
 * @throws invalid_request for a schema that no tool can have, and for a client's tool of the reserved name
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

/** Another target may take it. */
function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', { param, message: `'${param}' ${problem}.`, retryable: true })
}

/** True for a block of an answer that is the answer itself. */
export function isJsonTool(block: JsonObject): boolean {
  return block.type === 'tool_use' && block.name === JSON_TOOL
}

/** To have called that tool is to have answered, unless others were called with it. */
export function finishAfterJson(reason: FinishReason, hasCalls: boolean): FinishReason {
  return reason === 'tool-calls' && !hasCalls ? 'stop' : reason
}
