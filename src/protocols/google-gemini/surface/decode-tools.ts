// Tools of a validated body -> canonical functions. Tools that only the vendor can run, such as its search, are left out and named if there
// are others; a request with no others is rejected, since an answer without them would be made up.
import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { notCarried } from '../../fields/field-error.js'
import { stringOf, textOf } from '../../scalars.js'
import { decodeSchema } from './decode-schema.js'

/** `dropped`: names for what is not carried, such as `tools.googleSearch`. */
export type DecodedTools = {
  readonly tools: readonly ToolDefinition[]
  readonly choice: ToolChoice | null
  readonly dropped: readonly string[]
}

const FUNCTIONS = 'functionDeclarations'
const KNOWN_MEMBERS: ReadonlySet<string> = new Set(['name', 'description', 'parameters', 'parametersJsonSchema'])
/** A function without parameters. */
const NO_PARAMETERS: JsonObject = Object.freeze({ type: 'object', properties: {} })

/** @throws invalid_request with the path of a tool that only the vendor can run, if there is no other */
export function decodeTools(body: JsonObject): DecodedTools {
  const tools: ToolDefinition[] = []
  const dropped = new Set<string>()
  let foreign: { readonly path: string; readonly name: string } | null = null
  for (const [index, tool] of listOf(body.tools).entries()) {
    if (!isJsonObject(tool)) continue
    for (const [name, value] of Object.entries(tool)) {
      if (name === FUNCTIONS || value === null) continue
      foreign ??= { path: `tools.${index}.${name}`, name }
      dropped.add(`tools.${name}`)
    }
    for (const declaration of listOf(tool.functionDeclarations)) {
      if (isJsonObject(declaration)) tools.push(decodeFunction(declaration, dropped))
    }
  }
  if (foreign !== null && tools.length === 0) throw notCarried(foreign.path, 'a tool that runs at its vendor')
  return { ...choose(tools, body.toolConfig, dropped), dropped: [...dropped] }
}

function decodeFunction(declaration: JsonObject, dropped: Set<string>): ToolDefinition {
  const { name, description, parameters, parametersJsonSchema } = declaration
  for (const member of Object.keys(declaration)) {
    if (!KNOWN_MEMBERS.has(member) && declaration[member] !== null) dropped.add(`tools.${FUNCTIONS}.${member}`)
  }
  const schema = isJsonObject(parametersJsonSchema)
    ? parametersJsonSchema
    : isJsonObject(parameters)
      ? decodeSchema(parameters)
      : NO_PARAMETERS
  return {
    name: String(name),
    description: textOf(description),
    parameters: isJsonObject(schema) ? schema : NO_PARAMETERS,
    strict: null,
  }
}

/** Which of the tools may be called: other wires have no word for some of them, so only those are sent. */
function choose(
  tools: readonly ToolDefinition[],
  config: JsonValue | undefined,
  dropped: Set<string>,
): Pick<DecodedTools, 'tools' | 'choice'> {
  const calling = isJsonObject(config) ? config.functionCallingConfig : null
  if (!isJsonObject(calling)) return { tools, choice: null }
  const allowed = listOf(calling.allowedFunctionNames).flatMap((name) => stringOf(name) ?? [])
  switch (calling.mode) {
    case 'NONE':
      return { tools, choice: { type: 'none' } }
    case 'AUTO':
      return { tools, choice: { type: 'auto' } }
    case 'VALIDATED':
      // The model follows the schemas as well as it can, as with AUTO.
      dropped.add('toolConfig.functionCallingConfig.mode')
      return { tools: someOf(tools, allowed), choice: { type: 'auto' } }
    case 'ANY': {
      const [only, ...others] = allowed
      if (only !== undefined && others.length === 0) return { tools, choice: { type: 'tool', name: only } }
      return { tools: someOf(tools, allowed), choice: { type: 'required' } }
    }
    default:
      return { tools, choice: null }
  }
}

function someOf(tools: readonly ToolDefinition[], allowed: readonly string[]): readonly ToolDefinition[] {
  return allowed.length === 0 ? tools : tools.filter(({ name }) => allowed.includes(name))
}

function listOf(value: JsonValue | undefined): JsonArray {
  return isJsonArray(value) ? value : []
}
