// POST /embeddings of OpenAI's API, both ways: a client's request and the answer to it, and the same with a provider of this wire for
// clients of another one. Vectors are numbers, or little-endian float32 in base64, as the client asks.
//
//   {"model", "input": "text" | ["text", ...] | [1, 2] | [[1, 2], ...], "encoding_format"?: "float" | "base64", "dimensions"?, "user"?}
//   {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1] | "AAAA"}], "model", "usage"}
import { GatewayError } from '../errors.js'
import { type EmbeddingInput, type EmbeddingsRequest, type EmbeddingsResponse } from '../model/embeddings.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../model/json.js'
import { IMPLAUSIBLE, readCount, toUsage, type UsageReport } from '../model/usage.js'
import { valueAt } from '../wire/json-scan.js'
import { type TranslatedRequest } from './endpoints/endpoint.js'
import { numberOf, stringOf, textOf } from './scalars.js'

const EMBEDDING_KEY = Buffer.from('"embedding"')
const OPEN_BRACKET = 0x5b
/** Bytes of one number in base64. */
const FLOAT_BYTES = 4
const FORMATS: readonly JsonValue[] = ['float', 'base64']

/** True for input as lists of tokens, which belong to one vendor's models. */
export function hasTokens({ input }: JsonObject): boolean {
  return isJsonArray(input) && input.some((item) => typeof item !== 'string')
}

/** A client's request. @throws invalid_request with `param` */
export function decodeRequest(body: JsonObject): EmbeddingsRequest {
  const { dimensions = null, encoding_format: format = null } = body
  if (dimensions !== null && !isPositive(dimensions))
    throw invalid('dimensions', 'must be a whole number of at least 1')
  if (format !== null && !FORMATS.includes(format)) throw invalid('encoding_format', "must be 'float' or 'base64'")
  return { inputs: decodeInputs(body.input), dimensions: numberOf(dimensions), task: null, user: textOf(body.user) }
}

function decodeInputs(input: JsonValue | undefined): EmbeddingInput[] {
  if (typeof input === 'string') return [input]
  if (!isJsonArray(input) || input.length === 0) throw invalid('input', 'must be a string or a list that is not empty')
  if (input.every(isToken)) return [input]
  return input.map((item, at) => {
    if (typeof item === 'string') return item
    if (isJsonArray(item) && item.length > 0 && item.every(isToken)) return item
    throw invalid(`input.${at}`, 'must be a string or a list of tokens')
  })
}

function isToken(value: JsonValue): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isPositive(value: JsonValue): boolean {
  return Number.isSafeInteger(value) && Number(value) > 0
}

/** A request to a provider of this wire. */
export function encodeRequest({ inputs, dimensions, task, user }: EmbeddingsRequest, model: string): TranslatedRequest {
  const body: JsonObject = { model, input: inputs.map((input) => (typeof input === 'string' ? input : [...input])) }
  if (dimensions !== null) body.dimensions = dimensions
  if (user !== null) body.user = user
  return { body: { ...body, encoding_format: 'float' }, dropped: task === null ? [] : ['taskType'] }
}

/** What the answer depends on. */
export function readEcho({ model, encoding_format: format }: JsonObject): JsonObject {
  return { model: model ?? null, isBase64: format === 'base64' }
}

/** False for vectors as numbers where base64 was asked for: some servers know no other form, and the official client reads zeros then. */
export function isAsAsked(answer: Buffer, echo: JsonObject): boolean {
  return echo.isBase64 !== true || answer[valueAt(answer, EMBEDDING_KEY, 0)] !== OPEN_BRACKET
}

/** A provider's answer with its vectors in base64. */
export function asAsked(answer: JsonObject): JsonObject {
  const { data } = answer
  return { ...answer, data: isJsonArray(data) ? data.map(inBase64) : (data ?? null) }
}

function inBase64(item: JsonValue): JsonValue {
  if (!isJsonObject(item)) return item
  const { embedding } = item
  return isVector(embedding) ? { ...item, embedding: encodeBase64(embedding) } : item
}

/** The answer to a client. `echo.inputTokens`: counts for a provider that sends no usage. */
export function encodeResponse({ vectors, model, usage }: EmbeddingsResponse, echo: JsonObject): JsonObject {
  const counted = usage === null || usage === IMPLAUSIBLE ? null : usage.inputTokens
  const tokens = counted ?? numberOf(echo.inputTokens) ?? 0
  const data = vectors.map((vector, index) => {
    return { object: 'embedding', index, embedding: echo.isBase64 === true ? encodeBase64(vector) : [...vector] }
  })
  const name = model ?? stringOf(echo.model) ?? ''
  return { object: 'list', data, model: name, usage: { prompt_tokens: tokens, total_tokens: tokens } }
}

/** A provider's answer; its list may be in any order. @throws upstream_malformed */
export function decodeResponse(body: JsonObject): EmbeddingsResponse {
  const { data, model } = body
  if (!isJsonArray(data)) throw malformed()
  const vectors: (readonly number[])[] = []
  for (const [place, item] of data.entries()) {
    if (!isJsonObject(item)) throw malformed()
    const index = numberOf(item.index) ?? place
    if (!Number.isSafeInteger(index) || index < 0 || index >= data.length || vectors[index] !== undefined)
      throw malformed()
    vectors[index] = decodeVector(item.embedding)
  }
  return { vectors, model: stringOf(model), usage: decodeUsage(body.usage) }
}

/** Numbers, or base64 from servers that send it unasked. @throws upstream_malformed */
export function decodeVector(value: JsonValue | undefined): readonly number[] {
  if (typeof value === 'string') return decodeBase64(value)
  if (!isVector(value)) throw malformed()
  return value
}

function isVector(value: JsonValue | undefined): value is number[] {
  return isJsonArray(value) && value.every((item) => typeof item === 'number')
}

/** Input alone: embeddings have no output. */
export function decodeUsage(usage: JsonValue | undefined): UsageReport | null {
  if (!isJsonObject(usage)) return null
  return toUsage({ inputTokens: readCount(usage.prompt_tokens ?? usage.total_tokens) })
}

function encodeBase64(vector: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(vector.length * FLOAT_BYTES)
  for (let i = 0; i < vector.length; i++) bytes.writeFloatLE(vector[i] ?? 0, i * FLOAT_BYTES)
  return bytes.toString('base64')
}

function decodeBase64(text: string): readonly number[] {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 0 || bytes.length % FLOAT_BYTES !== 0) throw malformed()
  return Array.from({ length: bytes.length / FLOAT_BYTES }, (_, i) => bytes.readFloatLE(i * FLOAT_BYTES))
}

function invalid(param: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', { message: `'${param}' ${problem}.`, param })
}

function malformed(): GatewayError {
  return new GatewayError('upstream_malformed', { message: "The provider's embeddings could not be read." })
}
