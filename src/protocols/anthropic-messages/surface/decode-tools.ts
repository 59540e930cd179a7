// Tools of a validated Messages body -> canonical functions. Tools that only the vendor can run are left out and named if there are
// other tools; a request with no others is rejected, since an answer without them would be made up.
import { GatewayError } from '../../../errors.js'
import { type JsonObject } from '../../../model/json.js'
import { type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { type ToolChoiceParam, type ToolParam } from '../wire.js'
import { isClientTool } from './schema.js'
import { decodeVendorTool } from './vendor-tools.js'

/** `dropped`: names for what is not carried, such as `tools.web_search`. */
export type DecodedTools = {
  readonly tools: readonly ToolDefinition[]
  readonly choice: ToolChoice | null
  readonly dropped: readonly string[]
}

/** Members of a tool that have a canonical form, or are a hint for the vendor's cache. */
const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  ...['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'],
  // In a description, by decodeVendorTool.
  ...['display_width_px', 'display_height_px'],
])

/** @throws invalid_request with the path of a tool that only the vendor can run, if it is forced or there is no other */
export function decodeTools(params: readonly ToolParam[], choice: ToolChoiceParam | null): DecodedTools {
  const tools: ToolDefinition[] = []
  const dropped = new Set<string>()
  let foreign: GatewayError | null = null
  for (const [index, param] of params.entries()) {
    const tool = isClientTool(param.type) ? decodeTool(param) : decodeVendorTool(param)
    if (tool === null) {
      const refusal = refuseTool(param, index)
      if (choice?.type === 'tool' && choice.name === param.name) throw refusal
      foreign ??= refusal
      dropped.add(`tools.${param.name ?? param.type}`)
      continue
    }
    tools.push(tool)
    for (const member of Object.keys(param)) if (!isKnown(param, member)) dropped.add(`tools.${member}`)
  }
  if (foreign !== null && tools.length === 0) throw foreign
  return { tools, choice: choice === null ? null : decodeToolChoice(choice), dropped: [...dropped] }
}

function isKnown(param: ToolParam, member: string): boolean {
  const value = (param as JsonObject)[member]
  return value === null || KNOWN_MEMBERS.has(member)
}

function decodeTool(tool: ToolParam): ToolDefinition {
  return {
    name: tool.name,
    description: tool.description ?? null,
    parameters: tool.input_schema ?? {},
    strict: tool.strict ?? null,
  }
}

function decodeToolChoice(choice: ToolChoiceParam): ToolChoice {
  if (choice.type === 'tool') return { type: 'tool', name: choice.name ?? '' }
  return { type: choice.type === 'any' ? 'required' : choice.type }
}

function refuseTool({ type }: ToolParam, index: number): GatewayError {
  const param = `tools.${index}.type`
  const message = `${param}: '${type}' runs at its vendor and is not available from the provider of the chosen model; send a function tool instead.`
  return new GatewayError('invalid_request', { param, message, retryable: true })
}
