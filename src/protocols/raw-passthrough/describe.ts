// The OpenAPI description of requests in a provider's own format.
import { type SurfaceDescription } from '../contract/description.js'
import { MAX_NAME_CHARS } from './request.js'

/** Requires a provider or a model, a path and a body, and allows nothing else. */
export function describe(): SurfaceDescription {
  const name = { type: 'string', minLength: 1, maxLength: MAX_NAME_CHARS }
  const maybeName = { ...name, type: ['string', 'null'] }
  return {
    title: 'Passthrough',
    summary: 'Send a request in a provider’s own format to a path below its base URL',
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['path', 'body'],
      properties: {
        provider: maybeName,
        model: { ...maybeName, description: 'Without a provider, the request goes to the first target of this model' },
        path: { type: 'string', pattern: '^/[^/]', description: 'Plain path segments and an optional query' },
        body: { type: ['object', 'array'], properties: { model: maybeName } },
      },
      anyOf: ['provider', 'model'].map((member) => ({ required: [member], properties: { [member]: name } })),
    },
    examples: {
      embeddings: {
        provider: 'openai',
        path: '/embeddings',
        body: { model: 'text-embedding-3-small', input: 'river' },
      },
      'by model': {
        model: 'gpt-4o',
        path: '/chat/completions',
        body: { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello!' }], stream: true },
      },
    },
    answer: null,
    operation: { description: 'The answer is forwarded with its status and content type.' },
  }
}
