// Validates a client's body: the known fields by type and range, unknown ones pass. Contents and parts are checked one by one, so that the
// error of a body of 10,000 parts costs that of one.
import { Object as ObjectOf, Optional, type TSchema, Unsafe } from 'typebox'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type RequestFacts } from '../../contract/protocol.js'
import { demand, type Validator } from '../../fields/field-error.js'
import { LateValidator } from '../../fields/late-validator.js'
import { numberOf } from '../../scalars.js'
import { spellFields, unwrapCounted } from './field-names.js'

// One schema with a list of types, not a union: a union reports one error per branch, none of them readable.
const typed = (type: string | readonly string[], rules: object = {}): TSchema => Unsafe<unknown>({ type, ...rules })
/** Optional and nullable: JSON of this API has null for a field that is not set. */
const maybe = (type: string, rules: object = {}): TSchema => Optional(typed([type, 'null'], rules))
const STRING = { type: 'string' }

const GENERATION = ObjectOf({
  temperature: maybe('number', { minimum: 0, maximum: 2 }),
  topP: maybe('number', { minimum: 0, maximum: 1 }),
  topK: maybe('number', { minimum: 0 }),
  maxOutputTokens: maybe('integer', { minimum: 1 }),
  candidateCount: maybe('integer', { minimum: 1 }),
  stopSequences: maybe('array', { items: STRING }),
  seed: maybe('integer'),
  presencePenalty: maybe('number'),
  frequencyPenalty: maybe('number'),
  responseMimeType: maybe('string'),
  responseSchema: maybe('object'),
  responseJsonSchema: Optional(Unsafe<unknown>({})),
  thinkingConfig: maybe('object', {
    properties: {
      includeThoughts: { type: ['boolean', 'null'] },
      thinkingBudget: { type: ['integer', 'null'], minimum: -1 },
      thinkingLevel: { type: ['string', 'null'] },
    },
  }),
})

const NAME = { type: 'string', minLength: 1 }
const PART = ObjectOf({
  text: maybe('string'),
  thought: maybe('boolean'),
  thoughtSignature: maybe('string'),
  inlineData: maybe('object', { required: ['mimeType', 'data'], properties: { mimeType: STRING, data: STRING } }),
  fileData: maybe('object', { required: ['fileUri'], properties: { fileUri: NAME } }),
  functionCall: maybe('object', {
    required: ['name'],
    properties: { name: NAME, args: { type: ['object', 'null'] }, id: { type: ['string', 'null'] } },
  }),
  functionResponse: maybe('object', {
    required: ['name'],
    properties: { name: NAME, response: { type: ['object', 'null'] }, id: { type: ['string', 'null'] } },
  }),
})
const ROLES = { enum: ['user', 'model', 'function', 'tool', null] }
const CONTENT = ObjectOf({ role: maybe('string', ROLES), parts: maybe('array') })
const SYSTEM = ObjectOf({ parts: maybe('array') })
const DECLARATION = ObjectOf({
  name: Unsafe<unknown>(NAME),
  description: maybe('string'),
  parameters: maybe('object'),
  parametersJsonSchema: maybe('object'),
})
const TOOL = ObjectOf({ functionDeclarations: maybe('array') })
const MODES = { enum: ['MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED', null] }
const CALLING = {
  type: ['object', 'null'],
  properties: {
    mode: { type: ['string', 'null'], ...MODES },
    allowedFunctionNames: { type: ['array', 'null'], items: STRING },
  },
}

const REQUEST = ObjectOf({
  contents: typed('array', { minItems: 1 }),
  systemInstruction: maybe('object'),
  tools: maybe('array'),
  toolConfig: maybe('object', { properties: { functionCallingConfig: CALLING } }),
  generationConfig: Optional(Unsafe<unknown>({ ...GENERATION, type: ['object', 'null'] })),
  safetySettings: maybe('array'),
  cachedContent: maybe('string'),
})

/** The whole body as one schema, for the API's document, where one object may stand for a list of it; validation checks it piece by piece. */
export function bodySchema(): TSchema {
  const listOf = (items: TSchema | object, rules: object = {}) => ({
    anyOf: [{ type: 'array', items, ...rules }, items],
  })
  const maybeListOf = (items: TSchema | object) => ({ anyOf: [{ type: ['array', 'null'], items }, items] })
  const parts = maybeListOf(PART)
  const content = { ...CONTENT, properties: { ...CONTENT.properties, parts } }
  const system = { ...SYSTEM, type: ['object', 'null'], properties: { parts } }
  const tool = { ...TOOL, properties: { functionDeclarations: maybeListOf(DECLARATION) } }
  return ObjectOf({
    ...REQUEST.properties,
    contents: Unsafe<unknown>(listOf(content, { minItems: 1 })),
    systemInstruction: Optional(Unsafe<unknown>(system)),
    tools: Optional(Unsafe<unknown>(maybeListOf(tool))),
  })
}

const request: Validator = new LateValidator(REQUEST)
const content: Validator = new LateValidator(CONTENT)
const system: Validator = new LateValidator(SYSTEM)
const part: Validator = new LateValidator(PART)
const tool: Validator = new LateValidator(TOOL)
const declaration: Validator = new LateValidator(DECLARATION)

/** The body with one spelling of each field, as all of this folder reads it. */
export function readBody(body: JsonObject): JsonObject {
  return spellFields(unwrapCounted(body))
}

/**
 * Validates a body and reads what routing and limits need of it. The model, and whether to stream, are in the path.
 * @throws invalid_request with the dotted path of the first wrong field
 */
export function readFacts(given: JsonObject): RequestFacts {
  const body = readBody(given)
  demand(request, body, '')
  checkEach(body.contents, 'contents', checkContent)
  if (isJsonObject(body.systemInstruction)) checkParts(system, body.systemInstruction, 'systemInstruction')
  checkEach(body.tools, 'tools', checkTool)
  const config = isJsonObject(body.generationConfig) ? body.generationConfig : {}
  const answers = numberOf(config.candidateCount) ?? 1
  return {
    model: '',
    stream: false,
    // The vendor always reports usage, also in a stream.
    includeUsage: true,
    maxOutputTokens: numberOf(config.maxOutputTokens),
    ...(answers > 1 ? { answers } : {}),
    provider: null,
    prompt: null,
  }
}

function checkEach(values: JsonValue | undefined, path: string, check: (value: JsonValue, path: string) => void): void {
  if (isJsonArray(values)) for (let i = 0; i < values.length; i++) check(values[i] ?? null, `${path}.${i}`)
}

function checkContent(value: JsonValue, path: string): void {
  checkParts(content, value, path)
}

function checkParts(validator: Validator, value: JsonValue, path: string): void {
  demand(validator, value, path)
  if (isJsonObject(value)) checkEach(value.parts, `${path}.parts`, (one, at) => demand(part, one, at))
}

function checkTool(value: JsonValue, path: string): void {
  demand(tool, value, path)
  if (!isJsonObject(value)) return
  checkEach(value.functionDeclarations, `${path}.functionDeclarations`, (one, at) => demand(declaration, one, at))
}
