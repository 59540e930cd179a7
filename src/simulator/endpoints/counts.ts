// Input tokens of a chat on the three wires that count them: of the text of its JSON, four bytes each.
import { type JsonObject } from '../../model/json.js'
import { jsonReply, type SimAsked, type SimEndpoint, tokensOf } from './endpoint.js'

const GEMINI_PATH = /^\/v1(?:beta|alpha)?\/models\/([^/]+):countTokens$/
/** What does not belong to the input. */
const NOT_COUNTED = new Set(['model', 'max_tokens', 'stream'])

function count(body: JsonObject): number {
  return tokensOf(JSON.stringify(Object.entries(body).filter(([key]) => !NOT_COUNTED.has(key))))
}

function nameOf({ body }: SimAsked): string | null {
  return typeof body.model === 'string' ? body.model : null
}

/** @see https://platform.claude.com/docs/en/api/messages-count-tokens */
const messages: SimEndpoint = {
  wire: 'anthropic-messages',
  paths: ['/v1/messages/count_tokens'],
  isAt: (path) => path === '/v1/messages/count_tokens',
  readModel: nameOf,
  answer: ({ body }) => {
    if ('max_tokens' in body) {
      const error = { type: 'invalid_request_error', message: 'max_tokens: Extra inputs are not permitted' }
      return { status: 400, body: JSON.stringify({ type: 'error', error }) }
    }
    return jsonReply({ input_tokens: count(body) })
  },
}

/** @see https://platform.openai.com/docs/api-reference/responses/input-tokens */
const responses: SimEndpoint = {
  wire: 'openai-responses',
  paths: ['/v1/responses/input_tokens'],
  isAt: (path) => path === '/v1/responses/input_tokens',
  readModel: nameOf,
  answer: ({ body }) => jsonReply({ object: 'response.input_tokens', input_tokens: count(body) }),
}

/** @see https://ai.google.dev/api/tokens */
const gemini: SimEndpoint = {
  wire: 'google-gemini',
  paths: [],
  isAt: (path) => GEMINI_PATH.test(path),
  readModel: ({ url }) => decodeURIComponent(GEMINI_PATH.exec(url.path)?.[1] ?? ''),
  answer: ({ body }) => jsonReply({ totalTokens: count(body) }),
}

export const countEndpoints: readonly SimEndpoint[] = [messages, responses, gemini]
