// Validates a client's body: the known fields by type and range, unknown ones pass. Items and tools are checked one by one, so that the
// work is linear and the error of a body of 10,000 items costs that of one item.
import { Array as ArrayOf, Object as ObjectOf, Optional, type TSchema, Unsafe } from 'typebox'
import { type GatewayError } from '../../../errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type RequestFacts } from '../../contract/protocol.js'
import { LateValidator } from '../../fields/late-validator.js'
import { numberOf, textOf } from '../../scalars.js'
import { invalid } from './invalid.js'
import { referencesIn, refuseReferences } from './references.js'

/** The longest model name: the limit of labels and log lines that contain it. */
const MAX_MODEL_LENGTH = 256

// One schema with a list of types, not a union: a union reports one error per branch, none of them readable.
const typed = (type: string | readonly string[], rules: object = {}): TSchema => Unsafe<unknown>({ type, ...rules })
/** Optional and nullable, as are most fields in the vendor's own document. */
const maybe = (type: string, rules: object = {}): TSchema => Optional(typed([type, 'null'], rules))
const PART = { type: 'object', required: ['type'], properties: { type: { type: 'string' } } }
const NAME = { type: 'string', minLength: 1 }
const OUTPUT = typed(['string', 'array'], { items: PART })

const REQUEST = ObjectOf({
  model: typed('string', { minLength: 1, maxLength: MAX_MODEL_LENGTH }),
  input: typed(['string', 'array']),
  instructions: maybe('string'),
  stream: maybe('boolean'),
  stream_options: maybe('object'),
  store: maybe('boolean'),
  background: maybe('boolean'),
  previous_response_id: maybe('string'),
  include: maybe('array', { items: { type: 'string' } }),
  tools: maybe('array'),
  tool_choice: Optional(
    typed(['string', 'object', 'null'], { properties: { type: { type: 'string' }, name: NAME }, required: ['type'] }),
  ),
  parallel_tool_calls: maybe('boolean'),
  max_output_tokens: maybe('integer', { minimum: 1 }),
  max_tool_calls: maybe('integer', { minimum: 1 }),
  reasoning: maybe('object', {
    properties: { effort: { type: ['string', 'null'] }, summary: { type: ['string', 'null'] } },
  }),
  text: maybe('object', {
    properties: {
      format: { type: ['object', 'null'], required: ['type'], properties: { type: { type: 'string' } } },
      verbosity: { type: ['string', 'null'] },
    },
  }),
  temperature: maybe('number', { minimum: 0, maximum: 2 }),
  top_p: maybe('number', { minimum: 0, maximum: 1 }),
  top_logprobs: maybe('integer', { minimum: 0 }),
  truncation: maybe('string'),
  metadata: maybe('object'),
  prompt_cache_key: maybe('string'),
  safety_identifier: maybe('string'),
  service_tier: maybe('string'),
  user: maybe('string'),
})

const MESSAGE = ObjectOf({
  role: typed('string', { enum: ['user', 'assistant', 'system', 'developer'] }),
  content: OUTPUT,
})
const CALL_ID = typed('string', { minLength: 1 })

/** Items with a form of their own here; all others pass, and only this wire carries them. */
const ITEMS = {
  message: MESSAGE,
  function_call: ObjectOf({ call_id: CALL_ID, name: Unsafe<unknown>(NAME), arguments: typed('string') }),
  // Without a call it is a note of the client's: Codex 0.171 sends the goal of its user so, with a name and a namespace.
  function_call_output: ObjectOf({ call_id: Optional(typed(['string', 'null'], { minLength: 1 })), output: OUTPUT }),
  custom_tool_call: ObjectOf({ call_id: CALL_ID, name: Unsafe<unknown>(NAME), input: typed('string') }),
  custom_tool_call_output: ObjectOf({ call_id: CALL_ID, output: OUTPUT }),
  reasoning: ObjectOf({
    summary: Optional(typed(['array', 'null'], { items: PART })),
    content: Optional(typed(['array', 'null'], { items: PART })),
    encrypted_content: maybe('string'),
  }),
} as const

const TYPED = ObjectOf({ type: Optional(typed(['string', 'null'])) })
const FUNCTION = ObjectOf({
  type: typed('string'),
  name: Unsafe<unknown>(NAME),
  description: maybe('string'),
  parameters: maybe('object'),
  strict: maybe('boolean'),
})
const CUSTOM = ObjectOf({
  type: typed('string'),
  name: Unsafe<unknown>(NAME),
  description: maybe('string'),
  format: maybe('object'),
})
const NAMESPACE = ObjectOf({ type: typed('string'), name: Unsafe<unknown>(NAME), tools: typed('array') })
const TOOLS = { function: FUNCTION, custom: CUSTOM, namespace: NAMESPACE } as const
const ANY_TOOL = ObjectOf({ type: typed('string') })

/** The whole body as one schema, for the API's document; validation checks it piece by piece. */
export function bodySchema(): TSchema {
  const items = ArrayOf(Unsafe<unknown>({ type: 'object' }))
  const input = Unsafe<unknown>({ anyOf: [{ type: 'string' }, documented(items, ITEMS, 'message')] })
  const tools = documented(ArrayOf(ANY_TOOL), TOOLS, null)
  return ObjectOf({
    ...REQUEST.properties,
    input,
    tools: Optional(Unsafe<unknown>({ ...tools, type: ['array', 'null'] })),
  })
}

/** A list whose members are checked by their type; `plain` is the type of those without one. */
function documented(list: TSchema, forms: Readonly<Record<string, TSchema>>, plain: string | null): TSchema {
  const allOf = Object.entries(forms).map(([type, form]) => {
    const is = { properties: { type: { const: type } }, required: ['type'] }
    const condition = type === plain ? { anyOf: [is, { not: { required: ['type'] } }] } : is
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
    return { if: condition, then: form }
  })
  return Unsafe<unknown>({ ...list, items: { type: 'object', allOf } })
}

type Validator = { Check(value: unknown): boolean; Errors(value: unknown): SchemaError[] }
type SchemaError = { keyword: string; instancePath: string; params: object; message: string }

const request: Validator = new LateValidator(REQUEST)
const anyItem: Validator = new LateValidator(TYPED)
const anyTool: Validator = new LateValidator(ANY_TOOL)
const items: ReadonlyMap<unknown, Validator> = compileEach(ITEMS)
const tools: ReadonlyMap<unknown, Validator> = compileEach(TOOLS)

function compileEach(forms: Readonly<Record<string, TSchema>>): Map<unknown, Validator> {
  return new Map(Object.entries(forms).map(([type, form]) => [type, new LateValidator(form)]))
}

/**
 * Validates a body and reads what routing and limits need of it.
 * @throws invalid_request with the dotted path of the first wrong field, or of what only the vendor could resolve
 */
export function readFacts(body: JsonObject): RequestFacts {
  if (!request.Check(body)) throw explain(request, body, '')
  checkEach(body.input, 'input', checkItem)
  checkEach(body.tools, 'tools', checkTool)
  refuseReferences(body)
  const references = referencesIn(body.input)
  return {
    model: String(body.model),
    stream: body.stream === true,
    // The vendor always reports usage, also in a stream.
    includeUsage: true,
    maxOutputTokens: numberOf(body.max_output_tokens),
    provider: null,
    prompt: null,
    state: {
      previousId: textOf(body.previous_response_id),
      isStored: body.store !== false,
      isBackground: body.background === true,
      ...(references === undefined ? {} : { references }),
    },
  }
}

type Check = (value: JsonValue, path: string) => void

function checkEach(values: JsonValue | undefined, path: string, check: Check): void {
  if (Array.isArray(values)) for (let i = 0; i < values.length; i++) check(values[i] ?? null, `${path}.${i}`)
}

function checkItem(item: JsonValue, path: string): void {
  demand(anyItem, item, path)
  if (!isJsonObject(item)) return
  // An item without a type is a message, or a reference by its id alone.
  const type = item.type ?? (item.role === undefined && item.id !== undefined ? null : 'message')
  const form = items.get(type)
  if (form !== undefined) demand(form, item, path)
  if (type === 'additional_tools' || type === 'tool_search_output') checkEach(item.tools, `${path}.tools`, checkTool)
}

function checkTool(tool: JsonValue, path: string): void {
  demand(anyTool, tool, path)
  if (!isJsonObject(tool)) return
  const form = tools.get(tool.type)
  if (form !== undefined) demand(form, tool, path)
  if (tool.type === 'namespace') checkEach(tool.tools, `${path}.tools`, checkTool)
}

function demand(validator: Validator, value: JsonValue, path: string): void {
  if (!validator.Check(value)) throw explain(validator, value, path)
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
