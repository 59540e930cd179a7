// What providers of OpenAI's API offer besides chats, for all dialects of that vendor: the same bytes in and out, below the same paths.
// Which provider has which of them is in its profile.
import { ENDPOINT_IDS, type EndpointId, RESOURCE_IDS } from '../model/endpoint.js'
import { type Target } from '../model/target.js'
import {
  type EmbeddingsDialect,
  type EndpointDialect,
  type EndpointDialects,
  type EndpointNeed,
} from './endpoints/endpoint.js'
import { decodeResponse, encodeRequest } from './openai-embeddings.js'

/** The name of the wire on which clients and providers exchange the same bytes. */
export const OPENAI_WIRE = 'openai'

const NOTHING: readonly EndpointNeed[] = Object.freeze([])

const embeddings: EmbeddingsDialect = {
  encodeRequest: (request, { model }) => encodeRequest(request, model),
  decodeResponse,
}

/** The path of a chat or an endpoint; a dated API has the model in it and the version in the query. */
export function openaiPath({ model, quirks }: Target, path: string): string {
  const version = quirks.deploymentApiVersion
  if (version === null) return path
  return `/deployments/${encodeURIComponent(model)}${path}?api-version=${encodeURIComponent(version)}`
}

/** No model is in it. */
function resourcePath({ quirks }: Target, path: string): string {
  const version = quirks.deploymentApiVersion
  if (version === null) return path
  return `${path}${path.includes('?') ? '&' : '?'}api-version=${encodeURIComponent(version)}`
}

function endpointOf(id: EndpointId): EndpointDialect {
  if (RESOURCE_IDS.includes(id)) {
    return { wire: OPENAI_WIRE, path: (target, rest = '') => resourcePath(target, `/${id}${rest}`), lacks: NOTHING }
  }
  const same = { wire: OPENAI_WIRE, path: (target: Target) => openaiPath(target, `/${id}`), lacks: NOTHING }
  return id === 'embeddings' ? { ...same, embeddings } : same
}

/** All endpoints of the shared wire. */
export const OPENAI_ENDPOINTS: EndpointDialects = Object.freeze(
  Object.fromEntries(ENDPOINT_IDS.filter((id) => id !== 'input_tokens').map((id) => [id, endpointOf(id)])),
)
