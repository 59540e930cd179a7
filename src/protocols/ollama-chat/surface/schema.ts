// Validates a client's body, of a chat or of a prompt: the known fields by type and range, unknown ones pass. Messages and tools are
// checked one by one, so that the error of a body of 10,000 messages costs that of one.
import { Object as ObjectOf, Optional, type TSchema, Unsafe } from 'typebox'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type RequestFacts } from '../../contract/protocol.js'
import { demand, type Validator } from '../../fields/field-error.js'
import { LateValidator } from '../../fields/late-validator.js'
import { numberOf } from '../../scalars.js'

/** The longest model name: the limit of labels and log lines that contain it. */
const MAX_MODEL_LENGTH = 256

// One schema with a list of types, not a union: a union reports one error per branch, none of them readable.
const typed = (type: string | readonly string[], rules: object = {}): TSchema => Unsafe<unknown>({ type, ...rules })
/** Optional and nullable, as the server takes all fields. */
const maybe = (type: string | readonly string[], rules: object = {}): TSchema =>
  Optional(typed([...(typeof type === 'string' ? [type] : type), 'null'], rules))
const STRINGS = { items: { type: 'string' } }

const OPTIONS = maybe('object', {
  properties: {
    temperature: { type: ['number', 'null'], minimum: 0 },
    top_p: { type: ['number', 'null'], minimum: 0, maximum: 1 },
    top_k: { type: ['integer', 'null'], minimum: 0 },
    // -1: no limit; -2: to the end of the context.
    num_predict: { type: ['integer', 'null'], minimum: -2 },
    stop: { type: ['array', 'string', 'null'], ...STRINGS },
    seed: { type: ['integer', 'null'] },
    frequency_penalty: { type: ['number', 'null'] },
    presence_penalty: { type: ['number', 'null'] },
    repeat_penalty: { type: ['number', 'null'] },
    typical_p: { type: ['number', 'null'] },
  },
})

const COMMON = {
  model: typed('string', { minLength: 1, maxLength: MAX_MODEL_LENGTH }),
  stream: maybe('boolean'),
  // Text is `json` or nothing; an object is a schema.
  format: maybe(['string', 'object']),
  think: maybe(['boolean', 'string']),
  keep_alive: maybe(['string', 'number']),
  options: OPTIONS,
}

const CHAT = ObjectOf({ ...COMMON, messages: maybe('array'), tools: maybe('array') })
const GENERATE = ObjectOf({
  ...COMMON,
  prompt: maybe('string'),
  system: maybe('string'),
  suffix: maybe('string'),
  template: maybe('string'),
  context: maybe('array'),
  raw: maybe('boolean'),
  images: maybe('array', STRINGS),
})

const CALLED = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', minLength: 1 }, arguments: { type: ['object', 'null'] } },
}
const CALL = {
  type: 'object',
  required: ['function'],
  properties: { id: { type: ['string', 'null'] }, function: CALLED },
}
const MESSAGE = ObjectOf({
  role: typed('string', { enum: ['system', 'user', 'assistant', 'tool'] }),
  content: maybe('string'),
  thinking: maybe('string'),
  images: maybe('array', STRINGS),
  tool_calls: maybe('array', { items: CALL }),
  tool_name: maybe('string'),
  tool_call_id: maybe('string'),
})
const TOOL = ObjectOf({
  type: maybe('string'),
  function: typed('object', {
    required: ['name'],
    properties: {
      name: { type: 'string', minLength: 1 },
      description: { type: ['string', 'null'] },
      parameters: { type: ['object', 'null'] },
    },
  }),
})

/** The body of a chat as one schema, for the API's document; validation checks it piece by piece. */
export function chatSchema(): TSchema {
  return ObjectOf({
    ...CHAT.properties,
    messages: maybe('array', { items: MESSAGE }),
    tools: maybe('array', { items: TOOL }),
  })
}

/** The same for a prompt. */
export function generateSchema(): TSchema {
  return GENERATE
}

const chat: Validator = new LateValidator(CHAT)
const generate: Validator = new LateValidator(GENERATE)
const message: Validator = new LateValidator(MESSAGE)
const tool: Validator = new LateValidator(TOOL)

/**
 * Validates a chat and reads what routing and limits need of it.
 * @throws invalid_request with the dotted path of the first wrong field
 */
export function readChatFacts(body: JsonObject): RequestFacts {
  demand(chat, body, '')
  checkEach(body.messages, 'messages', message)
  checkEach(body.tools, 'tools', tool)
  return factsOf(body)
}

/**
 * The same for a prompt.
 * @throws invalid_request with the dotted path of the first wrong field
 */
export function readGenerateFacts(body: JsonObject): RequestFacts {
  demand(generate, body, '')
  return factsOf(body)
}

function factsOf(body: JsonObject): RequestFacts {
  const limit = isJsonObject(body.options) ? numberOf(body.options.num_predict) : null
  return {
    model: String(body.model),
    // The server streams unless it is told not to.
    stream: body.stream !== false,
    // It always reports usage, also in a stream.
    includeUsage: true,
    maxOutputTokens: limit !== null && limit > 0 ? limit : null,
    provider: null,
    prompt: null,
  }
}

function checkEach(values: JsonValue | undefined, path: string, validator: Validator): void {
  if (isJsonArray(values)) for (let i = 0; i < values.length; i++) demand(validator, values[i], `${path}.${i}`)
}
