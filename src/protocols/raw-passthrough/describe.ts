// What the API's document says of requests in a provider's own words.
import { type SurfaceDescription } from '../contract/description.js'
import { MAX_NAME_CHARS } from './request.js'

/** A provider or a model must be named, a path and a body be there, and nothing else. */
export function describe(): SurfaceDescription {
  const name = { type: 'string', minLength: 1, maxLength: MAX_NAME_CHARS }
  const maybeName = { ...name, type: ['string', 'null'] }
  return {
    title: 'Passthrough',
    summary: 'A request in a provider’s own words, sent below its base URL',
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['path', 'body'],
      properties: {
        provider: maybeName,
        model: { ...maybeName, description: 'Without a provider: leads to the one of its first target' },
        path: { type: 'string', pattern: '^/[^/]', description: 'Plain segments and a query' },
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
    operation: { description: 'The answer is the provider’s own, with its status and content type.' },
  }
}
