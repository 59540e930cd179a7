// POST /responses/input_tokens: the input tokens of a request, counted by the provider without running it.
// @see https://platform.openai.com/docs/api-reference/responses/input-tokens
import { type JsonObject } from '../../../model/json.js'
import { readCount } from '../../../model/usage.js'
import { type EndpointDialect } from '../../endpoints/endpoint.js'
import { numberOf } from '../../scalars.js'

/** What the vendor counts. */
const COUNTED = [
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'text',
  'reasoning',
  'parallel_tool_calls',
  'truncation',
]

/** Translated even for clients of this API: what they refer to by ids may be known here alone. */
export const counting: EndpointDialect = Object.freeze({
  wire: '',
  path: () => '/responses/input_tokens',
  lacks: [],
  counting: {
    encodeRequest: (chat: JsonObject) =>
      Object.fromEntries(Object.entries(chat).filter(([key]) => COUNTED.includes(key))),
    decodeResponse: (body: JsonObject) => numberOf(readCount(body.input_tokens)),
  },
})
