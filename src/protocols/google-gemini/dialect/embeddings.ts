// POST /models/{model}:batchEmbedContents, for clients of other APIs: one request for each input, since a single embedContent takes one
// text. The answer counts no tokens on this API, so they are estimated.
//
//   {"requests": [{"model": "models/m", "content": {"parts": [{"text"}]}, "outputDimensionality"?, "taskType"?, "title"?}, ...]}
//   {"embeddings": [{"values": [0.1]}, ...], "usageMetadata"?: {"promptTokenCount"}}
import { GatewayError } from '../../../errors.js'
import { type EmbeddingsRequest, type EmbeddingsResponse } from '../../../model/embeddings.js'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../../model/json.js'
import { readCount, toUsage } from '../../../model/usage.js'
import { type EndpointDialect, type TranslatedRequest } from '../../endpoints/endpoint.js'
import { modelPath } from '../model-path.js'

/** The name of this vendor's own wire. */
export const GEMINI_WIRE = 'google-gemini'

/** @see https://ai.google.dev/api/embeddings */
export const embeddings: EndpointDialect = Object.freeze({
  wire: GEMINI_WIRE,
  path: (target) => `${modelPath(target.model)}:batchEmbedContents`,
  // Tokens are those of another vendor's models.
  lacks: ['tokens'] as const,
  embeddings: { encodeRequest: (request, { model }) => encodeRequest(request, model), decodeResponse },
})

function encodeRequest({ inputs, dimensions, task, user }: EmbeddingsRequest, model: string): TranslatedRequest {
  const options: JsonObject = {}
  if (dimensions !== null) options.outputDimensionality = dimensions
  if (task !== null) options.taskType = task.type
  if (task !== null && task.title !== null) options.title = task.title
  const name = `models/${model.replace(/^models\//, '')}`
  const requests = inputs.map((input) => ({ model: name, content: { parts: [{ text: String(input) }] }, ...options }))
  return { body: { requests }, dropped: user === null ? [] : ['user'] }
}

function decodeResponse({ embeddings, usageMetadata }: JsonObject): EmbeddingsResponse {
  if (!isJsonArray(embeddings)) throw malformed()
  const counted = isJsonObject(usageMetadata)
    ? toUsage({ inputTokens: readCount(usageMetadata.promptTokenCount) })
    : null
  return { vectors: embeddings.map(valuesOf), model: null, usage: counted }
}

function valuesOf(item: JsonValue): readonly number[] {
  const values = isJsonObject(item) ? item.values : null
  if (!isJsonArray(values) || !values.every((value) => typeof value === 'number')) throw malformed()
  return values
}

function malformed(): GatewayError {
  return new GatewayError('upstream_malformed', { message: "The provider's embeddings could not be read." })
}
