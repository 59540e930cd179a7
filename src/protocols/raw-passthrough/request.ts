// What the gateway reads from a request that it does not translate: its target, and the members of its body that matter for routing,
// limits and timeouts. The bytes of the body are for the upstream.
import { GatewayError } from '../../errors.js'
import { countAnswers } from '../../model/estimate.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js'
import { type RequestFacts } from '../contract/protocol.js'
import { checkPath } from './path.js'

/** All accepted members: a client that sends `headers` or `url` must not believe that they have an effect. */
const FIELDS: ReadonlySet<string> = new Set(['provider', 'model', 'path', 'body'])
/** The longest name of a provider or model. */
export const MAX_NAME_CHARS = 256
/** The names of the output cap on the wires. */
const CAP_FIELDS = ['max_completion_tokens', 'max_tokens', 'max_output_tokens', 'maxOutputTokens', 'num_predict']
/** Members in which some wires have their options, including the cap. */
const CONFIG_FIELDS = ['generationConfig', 'options']
/** Gemini requests a stream by the path. */
const STREAM_PATH = /:stream/

/**
 * Reads a body.
 * @throws invalid_request with `param`
 */
export function readFacts(body: JsonObject): RequestFacts {
  const unknown = Object.keys(body).find((field) => !FIELDS.has(field))
  if (unknown !== undefined) throw invalid(unknown.slice(0, MAX_NAME_CHARS), 'is not a field of this request')
  const provider = readName(body, 'provider')
  const model = readName(body, 'model')
  if (provider === null && model === null) throw invalid('provider', "or 'model' is required")
  if (typeof body.path !== 'string') throw invalid('path', 'must be a string')
  const path = checkPath(body.path)
  const sent = body.body
  if (!isJsonObject(sent) && !isJsonArray(sent)) throw invalid('body', 'must be an object or a list')
  const inner = isJsonObject(sent) ? sent : {}
  // Some servers match keys case-insensitively, so a key that is no model here would be one there.
  const alias = Object.keys(inner).find((key) => key !== 'model' && key.toLowerCase() === 'model')
  if (alias !== undefined) throw invalid(`body.${alias}`, "is not the field 'model'")
  const named = inner.model === undefined ? null : readName(inner, 'model', 'body.model')
  const answers = countAnswers([inner.n, inner.best_of, configOf(inner).candidateCount])
  return {
    model: model ?? named ?? '',
    // The content type shows whether the answer streams; until then nothing is sent that would rule out a whole answer.
    stream: false,
    includeUsage: true,
    maxOutputTokens: readCap(inner),
    ...(answers > 1 ? { answers } : {}),
    provider,
    prompt: null,
    raw: { path, model: named, asksStream: inner.stream === true || STREAM_PATH.test(path) },
  }
}

function readName(body: JsonObject, field: string, param = field): string | null {
  const value: JsonValue | undefined = body[field]
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME_CHARS) return value
  throw invalid(param, `must be a string of 1 to ${MAX_NAME_CHARS} characters`)
}

function readCap(body: JsonObject): number | null {
  const config = configOf(body)
  for (const field of CAP_FIELDS) {
    const value = body[field] ?? config[field]
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  }
  return null
}

function configOf(body: JsonObject): JsonObject {
  const config = CONFIG_FIELDS.map((field) => body[field]).find(isJsonObject)
  return config ?? {}
}

function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', { message: `'${param}' ${problem}.`, param })
}
