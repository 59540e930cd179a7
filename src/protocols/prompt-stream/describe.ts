// The OpenAPI description of the prompt stream, in both forms of its answer.
import { type SurfaceDescription } from '../contract/description.js'
import { MAX_MODEL_LENGTH } from './request.js'

/** Both surfaces are one operation; the media type that the client accepts selects one. */
export function describe(): SurfaceDescription {
  return {
    title: 'Prompt stream',
    summary: 'Answer a prompt, in a body that is written as the model generates it',
    body: {
      type: 'object',
      required: ['prompt'],
      properties: {
        model: {
          type: ['string', 'null'],
          maxLength: MAX_MODEL_LENGTH,
          description: 'Defaults to the configured default model, otherwise to the first one listed',
        },
        prompt: { type: 'string', minLength: 1 },
      },
    },
    examples: {
      documented: { model: 'gpt-4o', prompt: 'Your instructions...' },
      'default model': { prompt: 'Tell me about rivers.' },
    },
    answer: {
      type: 'object',
      required: ['result'],
      properties: {
        result: { type: 'string' },
        error: { type: 'string', description: 'Present if the answer ended early; result is then incomplete' },
      },
    },
    operation: {
      description:
        'The body is one JSON document, written in pieces, with white space before it until the first token. With Accept: text/event-stream the answer is a stream of events of type delta, done and error.',
    },
  }
}
