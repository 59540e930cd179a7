// Validates a client's body: the known fields by type and range, unknown ones pass. Messages and tools are checked
// one by one, so that the work is linear and the error of a 10,000-message body costs that of one message.
import { Array as ArrayOf, Object as ObjectOf, Optional, type TSchema, Unsafe } from 'typebox'
import { type GatewayError } from '../../../errors.js'
import { type JsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import { LateValidator } from '../../fields/late-validator.js'
import { invalid } from './invalid.js'

/** The longest model name: the limit of labels and log lines that contain it. */
const MAX_MODEL_LENGTH = 256
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const

// One schema with a list of types, not a union: a union reports one error per branch, none of them readable.
const typed = (type: string | readonly string[], rules: object = {}): TSchema => Unsafe<unknown>({ type, ...rules })
/** Optional and nullable, as are most fields in the vendor's own document. */
const maybe = (type: string, rules: object = {}): TSchema => Optional(typed([type, 'null'], rules))
const part = { type: 'object', required: ['type'], properties: { type: { type: 'string' } } }
const NAME = { type: 'string', minLength: 1 }
const call = { name: { type: 'string' }, arguments: { type: ['string', 'object', 'null'] } }

const REQUEST = ObjectOf({
  model: typed('string', { minLength: 1, maxLength: MAX_MODEL_LENGTH }),
  messages: ArrayOf(Unsafe<unknown>({}), { minItems: 1 }),
  stream: maybe('boolean'),
  stream_options: maybe('object', { properties: { include_usage: { type: ['boolean', 'null'] } } }),
  tools: maybe('array'),
  functions: maybe('array'),
  tool_choice: Optional(
    typed(['string', 'object', 'null'], { properties: { name: NAME, function: { properties: { name: NAME } } } }),
  ),
  function_call: Optional(typed(['string', 'object', 'null'], { properties: { name: NAME } })),
  parallel_tool_calls: maybe('boolean'),
  response_format: maybe('object', { required: ['type'], properties: { type: { type: 'string' } } }),
  reasoning_effort: maybe('string'),
  reasoning: maybe('object', {
    properties: { effort: { type: ['string', 'null'] }, max_tokens: { type: ['integer', 'null'], minimum: 0 } },
  }),
  temperature: maybe('number', { minimum: 0, maximum: 2 }),
  top_p: maybe('number', { minimum: 0, maximum: 1 }),
  // vLLM accepts -1 for "no limit".
  top_k: maybe('integer', { minimum: -1 }),
  max_tokens: maybe('integer', { minimum: 1 }),
  max_completion_tokens: maybe('integer', { minimum: 1 }),
  frequency_penalty: maybe('number', { minimum: -2, maximum: 2 }),
  presence_penalty: maybe('number', { minimum: -2, maximum: 2 }),
  seed: maybe('integer'),
  // OpenAI accepts 4, vLLM and others any number: the upstream decides.
  stop: Optional(typed(['string', 'array', 'null'], { items: { type: 'string' } })),
  n: maybe('integer', { minimum: 1 }),
  logprobs: maybe('boolean'),
  top_logprobs: maybe('integer', { minimum: 0 }),
  logit_bias: maybe('object'),
  metadata: maybe('object'),
  user: maybe('string'),
})

const MESSAGE = ObjectOf({
  role: typed('string', { enum: ROLES }),
  content: Optional(typed(['string', 'array', 'null'], { items: part })),
  name: maybe('string'),
  tool_calls: maybe('array', {
    items: {
      type: 'object',
      properties: { id: { type: ['string', 'null'] }, function: { type: 'object', properties: call } },
    },
  }),
  function_call: maybe('object', { properties: call }),
  tool_call_id: maybe('string'),
})

const TOOL = ObjectOf({
  type: typed('string'),
  function: Optional(
    typed('object', {
      required: ['name'],
      properties: {
        name: { type: 'string', minLength: 1 },
        description: { type: ['string', 'null'] },
        parameters: { type: ['object', 'null'] },
        strict: { type: ['boolean', 'null'] },
      },
    }),
  ),
})

const FUNCTION = ObjectOf({ name: typed('string', { minLength: 1 }), parameters: maybe('object') })

const CONTENT_OWED = ['user', 'system', 'developer'] as const

/** The rules of checkUserContent as an OpenAPI schema. */
const DOCUMENTED_MESSAGE = Unsafe<unknown>({
  ...MESSAGE,
  if: { properties: { role: { enum: CONTENT_OWED } } },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: { required: ['content'], properties: { content: { type: ['string', 'array'] } } },
})

/** The whole body as one schema, for the API's document; validation checks it piece by piece. */
export function bodySchema(): TSchema {
  return ObjectOf({
    ...REQUEST.properties,
    messages: ArrayOf(DOCUMENTED_MESSAGE, { minItems: 1 }),
    tools: maybe('array', { items: TOOL }),
    functions: maybe('array', { items: FUNCTION }),
    provider: Optional(Unsafe<unknown>({ description: 'A string pins the request to the provider of that name.' })),
  })
}

type Validator = { Check(value: unknown): boolean; Errors(value: unknown): SchemaError[] }
type SchemaError = { keyword: string; instancePath: string; params: object; message: string }

const request: Validator = new LateValidator(REQUEST)
const message: Validator = new LateValidator(MESSAGE)
const tool: Validator = new LateValidator(TOOL)
const legacyFunction: Validator = new LateValidator(FUNCTION)

/**
 * Checks a body's known fields.
 * @throws invalid_request with the dotted path of the first wrong field
 */
export function checkBody(body: JsonObject): void {
  if (!request.Check(body)) throw explain(request, body, '')
  checkEach(message, body.messages, 'messages')
  checkEach(tool, body.tools, 'tools')
  checkEach(legacyFunction, body.functions, 'functions')
  checkUserContent(body.messages as JsonArray)
}

function checkEach(validator: Validator, items: JsonValue | undefined, path: string): void {
  if (!Array.isArray(items)) return
  for (let i = 0; i < items.length; i++) {
    if (!validator.Check(items[i])) throw explain(validator, items[i], `${path}.${i}`)
  }
}

/** An assistant's content may be absent if there are tool calls; a user's may not. */
function checkUserContent(messages: JsonArray): void {
  for (let i = 0; i < messages.length; i++) {
    const turn = messages[i] as JsonObject
    const isOwed = CONTENT_OWED.some((role) => role === turn.role)
    if (isOwed && (turn.content === undefined || turn.content === null)) {
      throw invalid(`messages.${i}.content`, 'is required')
    }
  }
}

function explain(validator: Validator, value: unknown, base: string): GatewayError {
  const first = validator.Errors(value)[0]
  if (first === undefined) return invalid(base, 'is not valid')
  const path = `${base}${first.instancePath.replaceAll('/', '.')}`.replace(/^\./, '')
  const { params } = first
  if ('requiredProperties' in params && Array.isArray(params.requiredProperties)) {
    return invalid([path, String(params.requiredProperties[0])].filter((step) => step !== '').join('.'), 'is required')
  }
  if ('allowedValues' in params && Array.isArray(params.allowedValues)) {
    return invalid(path, `must be one of ${params.allowedValues.join(', ')}`)
  }
  return invalid(path, first.message)
}
