// A client's body -> facts and the canonical request: one prompt, and a model that may be left out.
//
//   {"model": "gpt-4o", "prompt": "Your instructions..."}
import { GatewayError } from '../../errors.js'
import { type JsonObject, type JsonValue } from '../../model/json.js'
import { type ChatRequest, NO_SAMPLING } from '../../model/request.js'
import { type RequestFacts } from '../contract/protocol.js'

/** The longest model name: the limit of labels and log lines that contain it. */
export const MAX_MODEL_LENGTH = 256

/**
 * A request always streams: that is the purpose of the API.
 * @throws invalid_request with `param`
 */
export function readFacts(body: JsonObject): RequestFacts {
  readPrompt(body.prompt)
  return {
    model: readModel(body.model),
    stream: true,
    includeUsage: true,
    maxOutputTokens: null,
    provider: null,
    prompt: null,
  }
}

/**
 * One user turn; members that the API does not have are extensions.
 * @throws invalid_request with `param`
 */
export function decodeRequest(body: JsonObject): ChatRequest {
  const { model, prompt, ...extensions } = body
  return {
    model: readModel(model),
    stream: true,
    includeUsage: true,
    system: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: readPrompt(prompt) }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    responseFormat: null,
    reasoning: null,
    sampling: NO_SAMPLING,
    user: null,
    extensions,
  }
}

function readPrompt(value: JsonValue | undefined): string {
  if (value === undefined || value === null || value === '') throw invalid('prompt', 'No prompt provided')
  if (typeof value !== 'string') throw invalid('prompt', "'prompt' must be a string.")
  return value
}

/** Empty if it is left out. */
function readModel(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' && value.length <= MAX_MODEL_LENGTH) return value
  throw invalid('model', `'model' must be a string of at most ${MAX_MODEL_LENGTH} characters.`)
}

function invalid(param: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param })
}
