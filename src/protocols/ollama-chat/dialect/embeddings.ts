// POST /api/embed, for clients of other APIs.
//
//   {"model", "input": ["text", ...], "dimensions"?}          {"model", "embeddings": [[0.1], ...], "prompt_eval_count"}
import { GatewayError } from '../../../errors.js'
import { type EmbeddingsRequest, type EmbeddingsResponse } from '../../../model/embeddings.js'
import { isJsonArray, type JsonObject, type JsonValue } from '../../../model/json.js'
import { type EndpointDialect, type TranslatedRequest } from '../../endpoints/endpoint.js'
import { stringOf } from '../../scalars.js'
import { decodeUsage } from '../usage.js'

/** The name of this server's own wire. */
export const OLLAMA_WIRE = 'ollama'

/** @see https://docs.ollama.com/api/embed */
export const embeddings: EndpointDialect = Object.freeze({
  wire: OLLAMA_WIRE,
  path: () => '/api/embed',
  lacks: ['tokens'] as const,
  embeddings: { encodeRequest: (request, { model }) => encodeRequest(request, model), decodeResponse },
})

function encodeRequest({ inputs, dimensions, task, user }: EmbeddingsRequest, model: string): TranslatedRequest {
  const body: JsonObject = { model, input: inputs.map(String) }
  if (dimensions !== null) body.dimensions = dimensions
  const dropped = [...(user === null ? [] : ['user']), ...(task === null ? [] : ['taskType'])]
  return { body, dropped }
}

function decodeResponse(body: JsonObject): EmbeddingsResponse {
  const { embeddings, model } = body
  if (!isJsonArray(embeddings)) throw malformed()
  return { vectors: embeddings.map(vectorOf), model: stringOf(model), usage: decodeUsage(body) }
}

function vectorOf(value: JsonValue): readonly number[] {
  if (!isJsonArray(value) || !value.every((item) => typeof item === 'number')) throw malformed()
  return value
}

function malformed(): GatewayError {
  return new GatewayError('upstream_malformed', { message: "The provider's embeddings could not be read." })
}
