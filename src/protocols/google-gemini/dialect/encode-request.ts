// The canonical request -> generateContent's body. The model and streaming are in the path, not in the body.
import { isJsonObject, type JsonObject, mergeUnder } from '../../../model/json.js'
import { type ChatRequest, type ToolChoice, type ToolDefinition } from '../../../model/request.js'
import { type Target } from '../../../model/target.js'
import { type EncodedRequest } from '../../contract/protocol.js'
import { instructFormat } from '../../fit/format-instruction.js'
import { type Refusal, removeRefused } from '../../fit/refused-fields.js'
import { refuseStored } from '../../fit/stored-files.js'
import { spellField } from '../surface/field-names.js'
import { type FunctionCallingConfig, type FunctionDeclaration, type GenerateContentRequest } from '../wire.js'
import { encodeContents } from './encode-contents.js'
import { encodeGenerationConfig } from './generation-config.js'

/** Encodes the request; the target's extraBody is merged member by member, and the request takes precedence. */
export function encodeRequest(asked: ChatRequest, target: Target): EncodedRequest {
  const isSchemaLost = asked.responseFormat?.type === 'json-schema' && target.quirks.jsonSchema !== 'json-schema'
  const request = isSchemaLost ? instructFormat(asked) : asked
  const dropped = new Set<string>(Object.keys(request.extensions))
  const body: GenerateContentRequest = { contents: encodeContents(request, target, dropped) }
  const system = request.system.filter((part) => part.text !== '')
  if (system.length > 0) body.systemInstruction = { parts: system.map((part) => ({ text: part.text })) }
  if (request.tools.length > 0) {
    body.tools = [{ functionDeclarations: request.tools.map((tool) => encodeTool(tool, dropped)) }]
    if (request.toolChoice !== null) {
      body.toolConfig = { functionCallingConfig: encodeToolChoice(request.toolChoice) }
    }
  }
  const config = encodeGenerationConfig(request, target, dropped)
  if (Object.keys(config).length > 0) body.generationConfig = config
  if (request.parallelToolCalls === false) dropped.add('parallel_tool_calls')
  if (request.user !== null) dropped.add('user')
  const merged = mergeUnder(target.extraBody, { ...body, ...takeOwn(request.extensions, dropped) })
  for (const field of removeRefused(merged, refusalOf(target))) dropped.add(field)
  return { body: merged, dropped: [...dropped] }
}

/** Members of this wire without a canonical form, which clients of other APIs may send as well. */
const OWN_MEMBERS = ['safetySettings'] as const

function takeOwn(extensions: JsonObject, dropped: Set<string>): JsonObject {
  // Without it the model would answer another question, and what it names may be anybody's.
  if (typeof extensions.cachedContent === 'string') throw refuseStored('cachedContent')
  const own: JsonObject = {}
  for (const name of OWN_MEMBERS) {
    const value = extensions[name]
    if (value === undefined || value === true) continue
    own[name] = value
    dropped.delete(name)
  }
  return own
}

function encodeTool(tool: ToolDefinition, dropped: Set<string>): FunctionDeclaration {
  // Calls follow the schema as well as the model can; strict conformance cannot be requested.
  if (tool.strict === true) dropped.add('strict')
  const { $schema: _dialect, ...schema } = tool.parameters
  return {
    name: tool.name,
    ...(tool.description === null ? {} : { description: tool.description }),
    // A tool without parameters has no schema here; the vendor rejects an object without properties.
    ...(isEmptySchema(schema) ? {} : { parametersJsonSchema: schema }),
  }
}

/** True for `{}`, `{type: object}` and equivalents. */
function isEmptySchema({ type, properties, required: _, additionalProperties: __, ...others }: JsonObject): boolean {
  const isObject = type === undefined || type === 'object'
  const hasNone = properties === undefined || (isJsonObject(properties) && Object.keys(properties).length === 0)
  return isObject && hasNone && Object.keys(others).length === 0
}

function encodeToolChoice(choice: ToolChoice): FunctionCallingConfig {
  switch (choice.type) {
    case 'auto':
      return { mode: 'AUTO' }
    case 'none':
      return { mode: 'NONE' }
    case 'required':
      return { mode: 'ANY' }
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [choice.name] }
  }
}

/** What a vendor on this wire refuses, in the body or in its generationConfig. */
export function refusalOf({ quirks }: Target): Refusal {
  return { refused: quirks.refusedFields, holder: 'generationConfig', spell: spellField }
}
