// Tools of a validated body -> canonical functions, under the names of tool-names.ts. Tools that only the vendor can run are left out and
// named if there are others; a request with no others is rejected, since an answer without them would be made up.
import { type GatewayError } from '../../../errors.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { booleanOf, stringOf, textOf } from '../../scalars.js'
import { flatName, identityOf, type ListedTool, listTools, SEARCH_NAME } from '../tool-names.js'
import { invalid, notCarried } from './invalid.js'

/** `dropped`: names for what is not carried, such as `tools.web_search`. */
export type DecodedTools = {
  readonly tools: readonly ToolDefinition[]
  readonly choice: ToolChoice | null
  readonly dropped: readonly string[]
}

/**
 * @throws invalid_request with the path of a tool that only the vendor can run, if it is forced or there is no other; and of two tools that
 * would have the same name on another wire
 */
export function decodeTools(body: JsonObject): DecodedTools {
  const listed = listTools(body)
  const { choice, isAllowed } = decodeChoice(body.tool_choice, listed)
  const tools: ToolDefinition[] = []
  const dropped = new Set<string>()
  const owners = new Map<string, ListedTool>()
  let foreign: GatewayError | null = null
  for (const tool of listed) {
    if (tool.kind === null) {
      foreign ??= refuse(tool)
      dropped.add(`tools.${tool.flat}`)
      continue
    }
    const owner = owners.get(tool.flat)
    if (owner !== undefined && identityOf(owner) !== identityOf(tool)) {
      throw invalid(tool.path, `has the name '${tool.flat}' for other providers, which '${owner.path}' has as well`)
    }
    owners.set(tool.flat, tool)
    if (isAllowed(tool)) tools.push(decodeTool(tool))
  }
  if (foreign !== null && owners.size === 0) throw foreign
  return { tools, choice, dropped: [...dropped] }
}

function refuse({ flat, path }: ListedTool): GatewayError {
  return notCarried(`${path}.type`, `'${flat}', a tool that runs at its vendor`)
}

function decodeTool({ kind, flat, tool }: ListedTool): ToolDefinition {
  const description = textOf(tool.description)
  if (kind === 'custom') {
    return { name: flat, description: describeCustom(description, tool.format), parameters: RAW_INPUT, strict: null }
  }
  const parameters = isJsonObject(tool.parameters) ? tool.parameters : {}
  return { name: flat, description, parameters, strict: kind === 'search' ? null : booleanOf(tool.strict) }
}

/** A custom tool takes one text, whatever it is. */
const RAW_INPUT: JsonObject = Object.freeze({
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as raw text.' } },
  required: ['input'],
  additionalProperties: false,
})

/** No other wire constrains text by a grammar, so that the model can only be told. */
function describeCustom(description: string | null, format: JsonValue | undefined): string | null {
  if (!isJsonObject(format) || format.type !== 'grammar') return description
  const syntax = stringOf(format.syntax) ?? 'grammar'
  const grammar = `The input must match this ${syntax} grammar:\n${stringOf(format.definition) ?? ''}`
  return description === null ? grammar : `${description}\n\n${grammar}`
}

type DecodedChoice = { readonly choice: ToolChoice | null; readonly isAllowed: (tool: ListedTool) => boolean }

const ANY = (): boolean => true

function decodeChoice(choice: JsonValue | undefined, listed: readonly ListedTool[]): DecodedChoice {
  if (choice === 'auto' || choice === 'none' || choice === 'required') {
    return { choice: { type: choice }, isAllowed: ANY }
  }
  if (!isJsonObject(choice)) return { choice: null, isAllowed: ANY }
  const index = indexTools(listed)
  if (choice.type === 'allowed_tools') return decodeAllowed(choice, index)
  const found = findTool(choice, index)
  if (found?.kind === null) throw notCarried('tool_choice', `'${found.flat}', a tool that runs at its vendor`)
  const name = found?.flat ?? textOf(choice.name)
  if (name === null) throw notCarried('tool_choice', `of type '${stringOf(choice.type) ?? ''}'`)
  return { choice: { type: 'tool', name }, isAllowed: ANY }
}

/** Only some of the tools may be called; other wires have no word for that, so only those are sent. */
function decodeAllowed(choice: JsonObject, index: ToolIndex): DecodedChoice {
  const named = isJsonArray(choice.tools) ? choice.tools.filter(isJsonObject) : []
  const allowed = new Set(named.map((one) => findTool(one, index)))
  return { choice: { type: choice.mode === 'required' ? 'required' : 'auto' }, isAllowed: (tool) => allowed.has(tool) }
}

/** Tools by each way to name them: a request may have many, and name as many. */
type ToolIndex = ReadonlyMap<string, ListedTool>

function indexTools(listed: readonly ListedTool[]): ToolIndex {
  const index = new Map<string, ListedTool>()
  const add = (key: string, tool: ListedTool): void => {
    if (!index.has(key)) index.set(key, tool)
  }
  for (const tool of listed) add(keyOf(tool.kind === null ? 'vendor' : String(tool.tool.type), tool.flat), tool)
  // By its own name alone, without its namespace, where nothing else has that.
  for (const tool of listed) if (tool.kind !== null) add(keyOf(String(tool.tool.type), tool.name), tool)
  return index
}

function keyOf(type: string, name: string): string {
  return JSON.stringify([type, name])
}

function findTool(choice: JsonObject, index: ToolIndex): ListedTool | undefined {
  const type = stringOf(choice.type) ?? ''
  if (type === SEARCH_NAME) return index.get(keyOf(type, SEARCH_NAME))
  if (type !== 'function' && type !== 'custom') return index.get(keyOf('vendor', type))
  const name = textOf(choice.name) ?? ''
  return index.get(keyOf(type, flatName(textOf(choice.namespace), name))) ?? index.get(keyOf(type, name))
}
